/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_IMPORT_WORDS_H
#define AGENT_IMPORT_WORDS_H

#include <stdbool.h>

#include "agent/base/arena.h"

/*
 * A .fetchmailrc or fdm.conf as words: the order of lines means nothing in them,
 * a comment begins with #, text in quotes is one word with escapes as in C, and
 * some words and signs are there for the eye alone.
 */

struct word {
	const char *text;
	unsigned int line;
	bool quoted;			/* so it is no keyword */
};

/* All words, with one of text NULL behind them. */
struct word *words_read(struct arena *arena, const char *text);

#endif
