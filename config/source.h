/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONFIG_SOURCE_H
#define CONFIG_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "agent/base/arena.h"
#include "agent/base/err.h"

/*
 * Reading the files a configuration is made of. What is judged and what is
 * read is the same open file, so that it cannot change in between.
 */

struct source {
	const char *path;
	struct stat st;
	char *data;		/* ends with a NUL */
	size_t len;
};

/* Opens for reading without waiting for the writer of a FIFO; fills *st_r.
 * -1 with ERR_CONFIG. */
int source_open(const char *path, struct stat *st_r, struct err *err) MUST_USE;

/* At most LIMIT_CONFIG_BYTES from a regular file, a pipe or a terminal.
 * ERR_CONFIG. */
bool source_read(const char *path, struct source *source_r, struct err *err)
	MUST_USE;
/* Wipes and frees; safe on a zeroed struct. */
void source_free(struct source *source);

/* NULL if nobody but us and root can read or change the file, else what is
 * wrong with it and the command that mends it. */
const char *source_not_private(struct arena *arena, const struct stat *st,
	const char *path);
/* NULL if not everybody can change the file, else the same. */
const char *source_unsafe(struct arena *arena, const struct stat *st,
	const char *path);

#endif
