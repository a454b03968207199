/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_POP3_DOT_REFERENCE_H
#define TESTS_UNIT_POP3_DOT_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * RFC 1939 section 3 in its own words, over a whole reply at once: what the
 * decoder must agree with, in whatever pieces it sees the reply.
 */

static bool dot_line_start(const char *in, size_t at)
{
	return at == 0 || (at >= 2 && in[at - 2] == '\r' && in[at - 1] == '\n');
}

/* Decodes into out (len bytes are enough); returns how much of `in` belongs
 * to the reply. A dot, or dot and CR, at the very end of a reply that has not
 * ended is taken, but is no text yet. */
static size_t dot_reference(const char *in, size_t len, char *out,
	size_t *made_r, bool *ended_r)
{
	size_t at = 0;

	*made_r = 0;
	*ended_r = false;
	while (at < len) {
		if (dot_line_start(in, at) && in[at] == '.') {
			at++;
			if (at == len || (in[at] == '\r' && at + 1 == len))
				return len;
			if (in[at] == '\r' && in[at + 1] == '\n') {
				*ended_r = true;
				return at + 2;
			}
		}
		out[(*made_r)++] = in[at++];
	}
	return at;
}

#endif
