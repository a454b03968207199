/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pop3/bearer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/arena.h"
#include "agent/base/digest.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"

bool bearer_is_token(const char *token)
{
	for (; *token != '\0'; token++)
		if (*token <= ' ' || *token > '~')
			return false;
	return true;
}

/* A saslname of RFC 5801: "," and "=" are written as =2C and =3D. */
static void put_name(char *out, const char *user)
{
	for (; *user != '\0'; user++) {
		if (*user == ',' || *user == '=') {
			memcpy(out, *user == ',' ? "=2C" : "=3D", 3);
			out += 3;
		} else {
			*out++ = *user;
		}
	}
	*out = '\0';
}

char *bearer_message(bool oauthbearer, const char *user, const char *host,
	unsigned int port, const char *token)
{
	size_t name_cap = 3 * strlen(user) + 1;
	size_t raw_cap = name_cap + strlen(host) + strlen(token) + 80, cap;
	char *name = mem_grow(NULL, name_cap, 1);
	char *raw = mem_grow(NULL, raw_cap, 1), *text;
	int n;

	put_name(name, user);
	if (oauthbearer)
		n = snprintf(raw, raw_cap,
			"n,a=%s,\001host=%s\001port=%u\001auth=Bearer %s\001\001",
			name, host, port, token);
	else
		n = snprintf(raw, raw_cap, "user=%s\001auth=Bearer %s\001\001",
			user, token);
	cap = 4 * ((size_t)n / 3 + 1) + 1;
	text = mem_grow(NULL, cap, 1);
	digest_base64(raw, (size_t)n, text, cap);
	explicit_bzero(raw, raw_cap);
	free(raw);
	free(name);
	return text;
}

/* The end of the string whose opening quote is at json[at], behind its closing
 * quote; 0 if it has none. */
static size_t string_end(const char *json, size_t len, size_t at)
{
	for (at++; at < len; at++) {
		if (json[at] == '\\')
			at++;
		else if (json[at] == '"')
			return at + 1;
	}
	return 0;
}

static size_t skip_blanks(const char *json, size_t len, size_t at)
{
	while (at < len && strchr(" \t\r\n", json[at]) != NULL)
		at++;
	return at;
}

/* Copies the string or number at json[at]. */
static bool take_value(const char *json, size_t len, size_t at, char *out,
	size_t cap)
{
	size_t end;

	if (at < len && json[at] == '"') {
		end = string_end(json, len, at++);
		if (end-- == 0)
			return false;
	} else {
		for (end = at; end < len
		     && strchr(",}] \t\r\n", json[end]) == NULL; end++)
			;
	}
	log_escape(out, cap, json + at, end - at);
	return end > at;
}

/* The value of a member of the outermost object. */
static bool member(const char *json, size_t len, const char *key, char *out,
	size_t cap)
{
	size_t at = 0, end, value, n = strlen(key);
	int depth = 0;

	while (at < len) {
		if (json[at] != '"') {
			depth += json[at] == '{' || json[at] == '[';
			depth -= json[at] == '}' || json[at] == ']';
			at++;
			continue;
		}
		end = string_end(json, len, at);
		if (end == 0)
			return false;
		value = skip_blanks(json, len, end);
		if (depth == 1 && value < len && json[value] == ':'
		    && end - at == n + 2 && memcmp(json + at + 1, key, n) == 0)
			return take_value(json, len,
				skip_blanks(json, len, value + 1), out, cap);
		at = end;
	}
	return false;
}

static bool is(const char *word, const char *a, const char *b)
{
	return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

/* `status` is what the server says, a number or a word. */
static void explain(const char *status, const char *scope, char *out,
	size_t cap)
{
	if (is(status, "403", "insufficient_scope"))
		snprintf(out, cap,
			"the token does not give access to this mail (%s)%s%.120s",
			status, scope[0] != '\0' ? "; it needs the scope "
			: "", scope);
	else if (is(status, "401", "400")
		 || is(status, "invalid_token", "invalid_grant"))
		snprintf(out, cap,
			"the server refused the token (%s): it has expired, was revoked, or is not for this user and server",
			status);
	else
		snprintf(out, cap, "the server refused the token (%.100s)",
			status);
}

const char *bearer_fault(const char *challenge, size_t len, const char *token,
	char *out, size_t cap)
{
	char json[LIMIT_REPLY_LINE], status[80] = "", scope[160] = "";
	size_t n, token_len = strlen(token);
	char *hit;

	if (!digest_unbase64(challenge, len, json, sizeof(json), &n)) {
		snprintf(out, cap, "the server refused the token");
		return out;
	}
	while (token_len != 0
	       && (hit = memmem(json, n, token, token_len)) != NULL) {
		memset(hit, '*', token_len);
		if (token[0] == '*')
			break;
	}
	(void)member(json, n, "scope", scope, sizeof(scope));
	if (!member(json, n, "status", status, sizeof(status))
	    && !member(json, n, "error", status, sizeof(status)))
		log_escape(status, sizeof(status), json, n);
	explain(status, scope, out, cap);
	return out;
}
