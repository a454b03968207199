/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_POP3_DOT_H
#define AGENT_POP3_DOT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Decodes a multi-line reply (RFC 1939 section 3): ends at CRLF "." CRLF and
 * nowhere else, takes one dot from the beginning of each line that starts
 * with one. A line begins behind CRLF only: a sender who writes LF "." LF into
 * a mail cannot end it early and speak for the server.
 */

enum dot_state { DOT_LINE_START, DOT_TEXT, DOT_CR, DOT_DOT, DOT_DOT_CR,
	DOT_END };

struct dot {
	enum dot_state state;
};

#define DOT_INIT { DOT_LINE_START }

/* Decodes from in (len bytes) to out (cap bytes), as far as both reach.
 * *used_r counts what was taken from `in`, *made_r what was put into `out`;
 * at the end of the reply nothing beyond it is taken. `out` is not `in`. At
 * least 2 bytes of `out` are needed for progress. */
void dot_decode(struct dot *dot, const char *in, size_t len, char *out,
	size_t cap, size_t *used_r, size_t *made_r);

bool dot_ended(const struct dot *dot);

#endif
