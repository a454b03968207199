/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/arena.h"
#include "agent/base/digest.h"
#include "agent/base/limits.h"
#include "agent/pop3/bearer.h"

/* The messages of OAUTHBEARER and XOAUTH2, and what servers answer. */

static const struct message {
	bool oauthbearer;
	const char *user, *token, *raw;
} messages[] = {
	{ false, "jane@example.com", "ya29.token",
	  "user=jane@example.com\001auth=Bearer ya29.token\001\001" },
	{ true, "jane@example.com", "ya29.token",
	  "n,a=jane@example.com,\001host=pop.example.com\001port=995\001"
	  "auth=Bearer ya29.token\001\001" },
	{ true, "a,b=c", "t",
	  "n,a=a=2Cb=3Dc,\001host=pop.example.com\001port=995\001"
	  "auth=Bearer t\001\001" },
	{ false, "a,b=c", "t", "user=a,b=c\001auth=Bearer t\001\001" },
};

static void check_messages(void)
{
	const struct message *m;
	char raw[400], *text;
	size_t i, len;

	for (i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		m = &messages[i];
		text = bearer_message(m->oauthbearer, m->user,
			"pop.example.com", 995, m->token);
		tap_ok(digest_unbase64(text, strlen(text), raw, sizeof(raw),
			&len) && len == strlen(m->raw)
			&& memcmp(raw, m->raw, len) == 0, "%s %s",
			m->oauthbearer ? "OAUTHBEARER" : "XOAUTH2", m->user);
		free(text);
	}
}

/* The longest token and user fit into a command line. */
static void check_longest(void)
{
	char *token = mem_grow(NULL, LIMIT_SECRET + 1, 1);
	char *user = mem_grow(NULL, 1001, 1), *text;

	memset(token, 'x', LIMIT_SECRET);
	token[LIMIT_SECRET] = '\0';
	memset(user, 'u', 1000);
	user[1000] = '\0';
	text = bearer_message(true, user, "pop.example.com", 65535, token);
	tap_ok(strlen(text) + strlen("AUTH OAUTHBEARER ") + 2 <= LIMIT_COMMAND,
		"the longest: %zu", strlen(text));
	free(text);
	free(user);
	free(token);
}

static const struct fault {
	const char *json, *words, *not;
} faults[] = {
	/* RFC 7628 section 3.2.2. */
	{ "{\"status\":\"invalid_token\",\"schemes\":\"bearer mac\","
	  "\"scope\":\"https://mail.example.com/\"}",
	  "refused the token (invalid_token): it has expired", NULL },
	{ "{\"status\":\"401\",\"schemes\":\"bearer mac\",\"scope\":\"https://mail.google.com/\"}",
	  "refused the token (401): it has expired", NULL },
	{ "{\"status\":\"400\",\"schemes\":\"Bearer\",\"scope\":\"https://mail.google.com/\"}",
	  "refused the token (400): it has expired", NULL },
	{ " { \"scope\" : \"mail\" , \"status\" : \"insufficient_scope\" } ",
	  "(insufficient_scope); it needs the scope mail", NULL },
	{ "{\"status\":403}", "does not give access to this mail (403)", NULL },
	{ "{\"error\":\"invalid_token\"}", "(invalid_token)", NULL },
	{ "{\"status\":\"teapot\"}", "refused the token (teapot)", NULL },
	{ "{\"a\":{\"status\":\"inner\"},\"status\":\"401\"}", "(401)", NULL },
	{ "{\"a\":\"\\\"status\\\":\\\"x\\\"\",\"status\":\"401\"}", "(401)", NULL },
	{ "{\"a\":[\"status\",\"x\"],\"status\":\"401\"}", "(401)", NULL },
	{ "", "refused the token ()", NULL },
	{ "{", "refused the token ({)", NULL },
	{ "{\"status\":", "refused the token", NULL },
	{ "{\"status\":\"4", "refused the token", NULL },
	{ "{\"status", "refused the token", NULL },
	{ "{\"status\\", "refused the token", NULL },
	{ "hello\033[1m\n", "(hello\\x1b[1m\\x0a)", "\033" },
	{ "{\"status\":\"\033[1m\"}", "(\\x1b[1m)", "\033" },
	{ "{\"status\":\"no token s3cret\"}", "no token ******", "s3cret" },
	{ "s3crets3cret", "refused the token", "s3cret" },
};

static void check_faults(void)
{
	char text[400], words[400];
	const struct fault *f;
	size_t i;

	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		f = &faults[i];
		digest_base64(f->json, strlen(f->json), text, sizeof(text));
		bearer_fault(text, strlen(text), "s3cret", words,
			sizeof(words));
		if (!tap_ok(strstr(words, f->words) != NULL && (f->not == NULL
			|| strstr(words, f->not) == NULL), "%s", f->words))
			tap_note("%s", words);
	}
	bearer_fault("not base64!", 11, "s3cret", words, sizeof(words));
	tap_ok(strcmp(words, "the server refused the token") == 0,
		"no base64");
}

int main(void)
{
	tap_ok(bearer_is_token("ya29.a0-_~+/=="), "a token");
	tap_ok(!bearer_is_token("a b") && !bearer_is_token("a\001")
		&& !bearer_is_token("\xc3\xa4") && !bearer_is_token("a\t"),
		"no tokens");
	check_messages();
	check_longest();
	check_faults();
	return tap_done();
}
