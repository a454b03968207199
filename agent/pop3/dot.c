/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pop3/dot.h"

#include <string.h>

/* Copies text: all lines up to and including the first CR that needs a closer
 * look, as no CRLF and something else than a dot are there behind it. Returns
 * its length. */
static size_t copy_text(struct dot *dot, const char *in, size_t len, char *out,
	size_t cap)
{
	size_t n = len < cap ? len : cap, at = 0;
	const char *cr;

	while ((cr = memchr(in + at, '\r', n - at)) != NULL) {
		at = (size_t)(cr - in) + 1;
		if (n - at < 2 || cr[1] != '\n' || cr[2] == '.') {
			n = at;
			dot->state = DOT_CR;
			break;
		}
		at++;
	}
	memmove(out, in, n);
	return n;
}

/* The next state after byte b outside plain text; *out_r counts the bytes
 * that become text: b, and a CR that was held back before it. */
static enum dot_state step(enum dot_state state, char b, size_t *out_r)
{
	*out_r = 1;
	switch (state) {
	case DOT_LINE_START:
		if (b == '.') {
			*out_r = 0;
			return DOT_DOT;
		}
		break;
	case DOT_CR:
		if (b == '\n')
			return DOT_LINE_START;
		break;
	case DOT_DOT:
		if (b == '\r') {
			*out_r = 0;
			return DOT_DOT_CR;
		}
		break;
	case DOT_DOT_CR:
		if (b == '\n') {
			*out_r = 0;
			return DOT_END;
		}
		*out_r = 2;
		break;
	case DOT_TEXT:
	case DOT_END:
		break;
	}
	return b == '\r' ? DOT_CR : DOT_TEXT;
}

void dot_decode(struct dot *dot, const char *in, size_t len, char *out,
	size_t cap, size_t *used_r, size_t *made_r)
{
	size_t used = 0, made = 0, n;
	enum dot_state next;
	char b;

	while (used < len && dot->state != DOT_END) {
		if (dot->state == DOT_TEXT) {
			if (made == cap)
				break;
			n = copy_text(dot, in + used, len - used, out + made,
				cap - made);
			used += n;
			made += n;
			continue;
		}
		b = in[used];
		next = step(dot->state, b, &n);
		if (n > cap - made)
			break;
		if (n == 2)
			out[made++] = '\r';
		if (n != 0)
			out[made++] = b;
		dot->state = next;
		used++;
	}
	*used_r = used;
	*made_r = made;
}

bool dot_ended(const struct dot *dot)
{
	return dot->state == DOT_END;
}
