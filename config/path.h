/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONFIG_PATH_H
#define CONFIG_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/arena.h"
#include "agent/base/err.h"

/*
 * Paths in the configuration, and the standard places on this system.
 */

/* Replaces ~ or ~/ at the beginning and $NAME or ${NAME} anywhere. A $ before
 * anything else stays. NULL with `why` (a phrase about the path, without its
 * content except the names of variables). */
const char *path_expand(struct arena *arena, const char *text,
	const char **why_r);
/* `path` as seen from the folder that `file` is in. */
const char *path_beside(struct arena *arena, const char *file,
	const char *path);

/* The first configuration file that exists, or ERR_CONFIG naming the places
 * that were looked at; the last of them is in *path_r, where one may be made. */
bool path_find_config(struct arena *arena, const char **path_r,
	struct err *err) MUST_USE;
/* Where state is kept when the file does not say. */
bool path_default_state(struct arena *arena, const char **path_r,
	struct err *err) MUST_USE;

/* The path as a word of a shell command: quoted if it has to be. */
const char *path_quote(struct arena *arena, const char *path);

#endif
