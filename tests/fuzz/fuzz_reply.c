/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/base/limits.h"
#include "agent/pop3/reply.h"

/*
 * Any bytes as a line of a server, read as each kind of line there is: what
 * comes back lies within the line and agrees with a slower reading.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool printable(const char *s, size_t cap)
{
	size_t i;

	for (i = 0; i < cap && s[i] != '\0'; i++)
		if (s[i] < ' ' || s[i] > '~')
			return false;
	return i < cap;
}

/* The word that begins at or behind *at; *at moves to its end. */
static size_t read_word(const char *line, size_t len, size_t *at)
{
	size_t begin;

	while (*at < len && is_blank(line[*at]))
		++*at;
	begin = *at;
	while (*at < len && !is_blank(line[*at]))
		++*at;
	return begin;
}

/* Is it a number up to `max`? Digit by digit, and never over it. */
static bool read_number(const char *s, size_t len, uint64_t max,
	uint64_t *value_r)
{
	uint64_t v = 0, digit;
	size_t i;

	for (i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		digit = (uint64_t)(s[i] - '0');
		if (v > (max - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*value_r = v;
	return len != 0;
}

static void check_status(const char *line, size_t len)
{
	struct reply r;
	struct err err = ERR_INIT;
	size_t at = 0, begin = read_word(line, len, &at), n = at - begin;
	const char *w = line + begin;
	enum reply_kind kind = REPLY_BAD;

	if (n == 3 && strncasecmp(w, "+OK", 3) == 0)
		kind = REPLY_OK;
	else if (n == 4 && strncasecmp(w, "-ERR", 4) == 0)
		kind = REPLY_ERR;
	else if (n == 1 && *w == '+')
		kind = REPLY_CONTINUE;
	reply_parse(line, len, &r);
	assert(r.kind == kind && r.text >= line && r.text + r.len == line + len);
	assert(r.len == 0 || !is_blank(r.text[0]));
	if (r.code != NULL)
		assert(r.kind != REPLY_BAD && r.text[0] == '['
			&& r.code == r.text + 1 && r.code_len + 2 <= r.len
			&& r.code[r.code_len] == ']'
			&& memchr(r.code, ']', r.code_len) == NULL);
	assert(!reply_has_code(&r, "AUTH") || r.code_len >= 4);
	assert(!reply_refused(&r, ERR_LOGIN, "PASS", &err));
	assert(err.class == ERR_LOGIN || err.class == ERR_RETRY
		|| err.class == ERR_PROTO);
	assert(printable(err.text, sizeof(err.text))
		&& printable(err.server, sizeof(err.server)));
}

static void check_list(const char *line, size_t len)
{
	uint64_t number = 0, size = 0, n, s = 0;
	size_t at = 0, begin = read_word(line, len, &at);
	bool good = read_number(line + begin, at - begin, UINT32_MAX, &n);

	begin = read_word(line, len, &at);
	if (!read_number(line + begin, at - begin, LIMIT_MESSAGE_SIZE,
		&s))
		s = 0;
	assert(reply_list(line, len, &number, &size) == good);
	assert(!good || (number == n && size == s));
}

static void check_uidl(const char *line, size_t len)
{
	uint64_t number = 0, n;
	size_t at = 0, begin = read_word(line, len, &at), uid_len, end = len;
	bool good = read_number(line + begin, at - begin, UINT32_MAX, &n);
	const char *uid;

	assert(reply_uidl(line, len, &number, &uid, &uid_len) == good);
	if (!good)
		return;
	while (at < len && is_blank(line[at]))
		at++;
	while (end > at && is_blank(line[end - 1]))
		end--;
	assert(number == n && uid == line + at && uid_len == end - at);
}

static void check_capa(const char *line, size_t len)
{
	struct capa capa;

	memset(&capa, 0, sizeof(capa));
	reply_capa(line, len, &capa);
	/* The name in the middle of others changes nothing else. */
	reply_capa("TOP", 3, &capa);
	assert(capa.top && !capa.known);
	assert(memchr(capa.sasl_list, '\0', sizeof(capa.sasl_list)) != NULL);
	assert(capa.sasl || capa.sasl_list[0] == '\0');
	assert(printable(capa.implementation, sizeof(capa.implementation))
		&& printable(capa.expire, sizeof(capa.expire))
		&& printable(capa.login_delay, sizeof(capa.login_delay)));
	assert(!capa_has_sasl(&capa, "PLAIN") || capa.sasl);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of its own size, so that reading behind it is found. */
	char *line = malloc(size != 0 ? size : 1);

	memcpy(line, data, size);
	check_status(line, size);
	check_list(line, size);
	check_uidl(line, size);
	check_capa(line, size);
	free(line);
	return 0;
}
