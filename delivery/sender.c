/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "delivery/sender.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/base/arena.h"
#include "delivery/stage.h"

#define FIRST "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
#define OTHERS FIRST "!#%*+-.=?^~"

static const char field[] = "Return-Path:";

static bool is_address(const char *text)
{
	size_t user = strspn(text, OTHERS), host;

	if (user == 0 || strchr(FIRST, text[0]) == NULL || text[user] != '@')
		return false;
	host = strspn(text + user + 1, OTHERS);
	return host != 0 && text[user + 1 + host] == '\0'
		&& user + 1 + host <= LIMIT_SENDER;
}

bool sender_valid(const char *text)
{
	return text[0] == '\0' || strcmp(text, SENDER_UNKNOWN) == 0
		|| is_address(text);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* What stands behind the colon, with or without its angle brackets. */
static void take_value(const char *value, size_t len, char *sender_r)
{
	bool angle;

	while (len != 0 && is_blank(value[0])) {
		value++;
		len--;
	}
	while (len != 0 && is_blank(value[len - 1]))
		len--;
	angle = len >= 2 && value[0] == '<' && value[len - 1] == '>';
	if (angle) {
		value++;
		len -= 2;
	}
	/* Nothing at all is no sender, not even an empty one; and a NUL would
	 * hide what comes behind it. */
	if (len > LIMIT_SENDER || (len == 0 && !angle)
	    || memchr(value, '\0', len) != NULL)
		return;
	memcpy(sender_r, value, len);
	sender_r[len] = '\0';
	if (!sender_valid(sender_r))
		snprintf(sender_r, LIMIT_SENDER + 1, SENDER_UNKNOWN);
}

/* The length of the logical line that begins here, up to its LF; lines that
 * begin with a blank continue it. */
static size_t line_length(const char *line, size_t len)
{
	const char *lf = memchr(line, '\n', len);
	size_t n;

	while (lf != NULL) {
		n = (size_t)(lf - line) + 1;
		if (n == len || (line[n] != ' ' && line[n] != '\t'))
			return n - 1;
		lf = memchr(line + n, '\n', len - n);
	}
	return len;
}

/* The first such line above the empty line decides, if it is all there. */
static void find(const char *header, size_t len, char *sender_r)
{
	const size_t name = sizeof(field) - 1;
	size_t n;

	for (; len != 0 && header[0] != '\n'; header += n, len -= n) {
		n = line_length(header, len);
		if (n >= name && strncasecmp(header, field, name) == 0) {
			if (n < len)
				take_value(header + name, n - name, sender_r);
			return;
		}
		n += n < len;
	}
}

bool sender_read(const struct item *item, char sender_r[LIMIT_SENDER + 1],
	struct err *err)
{
	char *header = mem_grow(NULL, LIMIT_HEADER, 1);
	size_t len;
	bool ok = stage_read(item, header, LIMIT_HEADER, 0, &len, err);

	snprintf(sender_r, LIMIT_SENDER + 1, SENDER_UNKNOWN);
	if (ok)
		find(header, len, sender_r);
	free(header);
	return ok;
}
