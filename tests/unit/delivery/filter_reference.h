/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_DELIVERY_FILTER_REFERENCE_H
#define TESTS_UNIT_DELIVERY_FILTER_REFERENCE_H

#include <stddef.h>
#include <string.h>

/*
 * The filters over a whole message at once: what the sinks must agree with,
 * in whatever pieces they see it.
 */

/* CRLF becomes LF; into out (len bytes are enough), returns the length. */
static size_t eol_reference(const char *in, size_t len, char *out)
{
	size_t i, n = 0;

	for (i = 0; i < len; i++)
		if (in[i] != '\r' || i + 1 == len || in[i + 1] != '\n')
			out[n++] = in[i];
	return n;
}

/* '>' before each line that matches ^>*From and space; into out (2 * len
 * bytes are enough). */
static size_t quote_reference(const char *in, size_t len, char *out)
{
	size_t at = 0, end, run, n = 0;

	while (at < len) {
		for (end = at; end < len && in[end] != '\n'; end++)
			;
		end += end < len;
		for (run = at; run < end && in[run] == '>'; run++)
			;
		if (end - run >= 5 && memcmp(in + run, "From ", 5) == 0)
			out[n++] = '>';
		memcpy(out + n, in + at, end - at);
		n += end - at;
		at = end;
	}
	return n;
}

#endif
