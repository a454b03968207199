/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/base/log_escape.h"

#include <stdio.h>

char *log_escape(char *out, size_t cap, const char *s, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	size_t i, n = 0, width, room_for_dots = 0;
	unsigned char c;

	if (cap == 0)
		return out;
	for (i = 0; i < len; i++) {
		c = (unsigned char)s[i];
		width = c >= 0x20 && c < 0x7f ? 1 : 4;
		if (n + width >= cap)
			break;
		if (width == 1) {
			out[n] = (char)c;
		} else {
			out[n] = '\\';
			out[n + 1] = 'x';
			out[n + 2] = hex[c >> 4];
			out[n + 3] = hex[c & 15];
		}
		n += width;
		if (n + 3 < cap)
			room_for_dots = n;
	}
	out[n] = '\0';
	if (i < len)
		snprintf(out + room_for_dots, cap - room_for_dots, "...");
	return out;
}
