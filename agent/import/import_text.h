/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_IMPORT_IMPORT_TEXT_H
#define AGENT_IMPORT_IMPORT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/arena.h"
#include "agent/base/err.h"

/*
 * Files of other programs as text, and text as YAML.
 */

/* A whole file, a NUL behind it. False without an error if there is none. */
bool text_read(struct arena *arena, const char *path, char **data_r,
	size_t *len_r, struct err *err) MUST_USE;

/* Cuts the next line off: its beginning, without the line's end, or NULL. */
char *text_line(char **rest);
/* Without blanks at both ends. */
char *text_trim(char *s);
/* Cuts the first word off; *rest is what follows, trimmed. */
char *text_word(char **rest);
/* Without a pair of double quotes around it. */
char *text_unquote(char *s);
/* $HOME in the place of ~ at the beginning, for files that are read here. */
const char *text_home(struct arena *arena, const char *path);

/* Every `what` in `text` becomes `with`. */
const char *text_replace(struct arena *arena, const char *text,
	const char *what, const char *with);
/* Sizes: 20k is 20K. */
const char *text_upper(struct arena *arena, const char *text);

/* As a YAML value that is this text and nothing else. */
const char *text_yaml(struct arena *arena, const char *text);
const char *text_yaml_list(struct arena *arena, const char *const *words);

/* A command line as words, where no shell is needed for it; else sh -c and the
 * line. Ends with NULL. */
const char *const *text_command(struct arena *arena, const char *line);

#endif
