/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pop3/reply.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "agent/base/num.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void skip_blanks(const char **p, size_t *len)
{
	while (*len != 0 && is_blank(**p)) {
		(*p)++;
		(*len)--;
	}
}

/* The next word; *p moves behind it. */
static size_t word(const char **p, size_t *len, const char **word_r)
{
	size_t n = 0;

	skip_blanks(p, len);
	*word_r = *p;
	while (n < *len && !is_blank((*p)[n]))
		n++;
	*p += n;
	*len -= n;
	return n;
}

static bool word_is(const char *w, size_t len, const char *expected)
{
	return strlen(expected) == len && strncasecmp(w, expected, len) == 0;
}

static void find_code(struct reply *reply)
{
	const char *end;

	if (reply->len < 2 || reply->text[0] != '[')
		return;
	end = memchr(reply->text, ']', reply->len);
	if (end == NULL)
		return;
	reply->code = reply->text + 1;
	reply->code_len = (size_t)(end - reply->code);
}

void reply_parse(const char *line, size_t len, struct reply *reply_r)
{
	const char *status;
	size_t n = word(&line, &len, &status);

	skip_blanks(&line, &len);
	reply_r->text = line;
	reply_r->len = len;
	reply_r->code = NULL;
	reply_r->code_len = 0;
	if (word_is(status, n, "+OK"))
		reply_r->kind = REPLY_OK;
	else if (word_is(status, n, "-ERR"))
		reply_r->kind = REPLY_ERR;
	else if (word_is(status, n, "+"))
		reply_r->kind = REPLY_CONTINUE;
	else
		reply_r->kind = REPLY_BAD;
	if (reply_r->kind != REPLY_BAD)
		find_code(reply_r);
}

bool reply_has_code(const struct reply *reply, const char *code)
{
	size_t len = strlen(code);

	return reply->code_len >= len
		&& strncasecmp(reply->code, code, len) == 0
		&& (reply->code_len == len || reply->code[len] == '/'
			|| reply->code[len] == ' ');
}

static bool says(const struct reply *reply, const char *words)
{
	size_t i, len = strlen(words);

	for (i = 0; i + len <= reply->len; i++)
		if (strncasecmp(reply->text + i, words, len) == 0)
			return true;
	return false;
}

static enum err_class refusal_class(const struct reply *reply,
	enum err_class class, enum err_code *code_r)
{
	static const struct {
		const char *words;
		enum err_class class;
		enum err_code code;
	} codes[] = {
		{ "AUTH", ERR_LOGIN, ERR_CODE_AUTH },
		{ "IN-USE", ERR_RETRY, ERR_CODE_IN_USE },
		{ "LOGIN-DELAY", ERR_RETRY, ERR_CODE_LOGIN_DELAY },
		{ "SYS/TEMP", ERR_RETRY, ERR_CODE_SYS_TEMP },
		{ "SYS/PERM", ERR_PROTO, ERR_CODE_SYS_PERM },
	};
	/* Servers without response codes say it in words. The last ones may
	 * also mean that an account is locked, or be plain politeness. */
	static const char *const later[] = {
		"in use", "busy", "temporar", "too many", "unable to lock",
		"could not lock", "can't lock", "cannot lock",
		"failed to lock", "already locked", "wait a few",
		"could not connect", "cannot connect", "can't connect",
		"unavailable", "internal error", "internal server error",
		"shutting down", "overload", "try later", "try again",
		"lock",
	};
	size_t i, words = sizeof(later) / sizeof(later[0])
		- (class == ERR_LOGIN ? 2 : 0);

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (reply_has_code(reply, codes[i].words)) {
			*code_r = codes[i].code;
			return codes[i].class;
		}
	for (i = 0; i < words; i++)
		if (reply->code == NULL && says(reply, later[i]))
			return ERR_RETRY;
	return class;
}

bool reply_refused(const struct reply *reply, enum err_class class,
	const char *what, struct err *err)
{
	enum err_code code = ERR_CODE_NONE;
	enum err_class judged;

	if (reply->kind == REPLY_ERR) {
		judged = refusal_class(reply, class, &code);
		err_set(err, judged, "the server refused %s", what);
		err->code = code;
	} else {
		err_set(err, ERR_PROTO,
			"the server answered %s with something that is not POP3", what);
	}
	err_server(err, reply->text, reply->len);
	return false;
}

bool reply_timestamp(const char *text, size_t len, const char **stamp_r,
	size_t *len_r)
{
	const char *start = memchr(text, '<', len), *end = NULL, *at = NULL, *p;

	for (p = start; p != NULL && p < text + len && end == NULL; p++) {
		if (*p <= ' ' || *p > '~' || (*p == '<' && p != start))
			return false;
		if (*p == '>')
			end = p + 1;
		if (*p == '@') {
			if (at != NULL)
				return false;
			at = p;
		}
	}
	if (at == NULL || end == NULL || at == start + 1 || at + 2 == end
	    || end - start > LIMIT_TIMESTAMP
	    || memchr(end, '<', (size_t)(text + len - end)) != NULL)
		return false;
	*stamp_r = start;
	*len_r = (size_t)(end - start);
	return true;
}

bool reply_list(const char *line, size_t len, uint64_t *number_r,
	uint64_t *size_r)
{
	const char *w;
	size_t n = word(&line, &len, &w);

	if (!num_u64(w, n, UINT32_MAX, number_r))
		return false;
	n = word(&line, &len, &w);
	if (!num_u64(w, n, LIMIT_MESSAGE_SIZE, size_r))
		*size_r = 0;
	return true;
}

bool reply_uidl(const char *line, size_t len, uint64_t *number_r,
	const char **uid_r, size_t *uid_len_r)
{
	const char *w;
	size_t n = word(&line, &len, &w);

	if (!num_u64(w, n, UINT32_MAX, number_r))
		return false;
	skip_blanks(&line, &len);
	while (len != 0 && is_blank(line[len - 1]))
		len--;
	*uid_r = line;
	*uid_len_r = len;
	return true;
}

/* No name of a mechanism has anything but printable ASCII in it. */
static char sasl_char(char c)
{
	if (is_blank(c))
		return ' ';
	return c > ' ' && c <= '~' ? (char)toupper((unsigned char)c) : '?';
}

static void take_sasl(struct capa *capa, const char *rest, size_t len)
{
	size_t n = 0, i;

	capa->sasl = true;
	capa->sasl_list[n++] = ' ';
	for (i = 0; i < len && n + 2 < sizeof(capa->sasl_list); i++)
		capa->sasl_list[n++] = sasl_char(rest[i]);
	/* Half a name may be another name. */
	while (i < len && n != 0 && capa->sasl_list[n - 1] != ' ')
		n--;
	capa->sasl_list[n++] = ' ';
	capa->sasl_list[n] = '\0';
}

void reply_capa(const char *line, size_t len, struct capa *capa)
{
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {
		{ "TOP", &capa->top }, { "UIDL", &capa->uidl },
		{ "USER", &capa->user }, { "STLS", &capa->stls },
		{ "PIPELINING", &capa->pipelining },
		{ "RESP-CODES", &capa->resp_codes },
		{ "AUTH-RESP-CODE", &capa->auth_resp_code },
	};
	const char *w;
	size_t i, n = word(&line, &len, &w);

	skip_blanks(&line, &len);
	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (word_is(w, n, flags[i].name))
			*flags[i].flag = true;
	if (word_is(w, n, "SASL"))
		take_sasl(capa, line, len);
	else if (word_is(w, n, "IMPLEMENTATION"))
		log_escape(capa->implementation, sizeof(capa->implementation),
			line, len);
	else if (word_is(w, n, "EXPIRE"))
		log_escape(capa->expire, sizeof(capa->expire), line, len);
	else if (word_is(w, n, "LOGIN-DELAY"))
		log_escape(capa->login_delay, sizeof(capa->login_delay), line,
			len);
}

bool capa_has_sasl(const struct capa *capa, const char *mechanism)
{
	char padded[64];

	snprintf(padded, sizeof(padded), " %s ", mechanism);
	return strstr(capa->sasl_list, padded) != NULL;
}

/* The first word is what counts; " USER" behind it says that it is another
 * one for each user, as it is after the login. */
static bool first_number(const char *text, uint64_t max, uint64_t *number_r)
{
	return num_u64(text, strcspn(text, " "), max, number_r);
}

uint32_t capa_login_delay(const struct capa *capa)
{
	uint64_t seconds;

	return first_number(capa->login_delay, UINT32_MAX, &seconds)
		? (uint32_t)seconds : 0;
}

bool capa_expires(const struct capa *capa, uint64_t *days_r)
{
	return first_number(capa->expire, UINT32_MAX, days_r);
}
