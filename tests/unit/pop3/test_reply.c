/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "agent/pop3/reply.h"

/* The lines of POP3 servers, right, odd and hostile. */

/* The line in memory of its own: reading behind it is found. */
static char *exact(const char *line, size_t len)
{
	char *copy = malloc(len != 0 ? len : 1);

	if (copy == NULL)
		exit(99);
	memcpy(copy, line, len);
	return copy;
}

/* A line as it may be printed. */
static const char *shown(const char *line)
{
	static char text[256];

	return log_escape(text, sizeof(text), line, strlen(line));
}

static bool is(const char *bytes, size_t len, const char *expected)
{
	return strlen(expected) == len && memcmp(bytes, expected, len) == 0;
}

static const struct status {
	const char *line;
	size_t len;			/* 0: up to NUL */
	enum reply_kind kind;
	const char *text, *code;	/* NULL: none */
} statuses[] = {
	{ "+OK", 0, REPLY_OK, "", NULL },
	{ "+ok fine", 0, REPLY_OK, "fine", NULL },
	{ "+Ok\tfine ", 0, REPLY_OK, "fine ", NULL },
	{ "+OK  2  320", 0, REPLY_OK, "2  320", NULL },
	{ "-ERR", 0, REPLY_ERR, "", NULL },
	{ "-err no", 0, REPLY_ERR, "no", NULL },
	{ "-ERR [IN-USE] later", 0, REPLY_ERR, "[IN-USE] later", "IN-USE" },
	{ "-ERR [SYS/TEMP]", 0, REPLY_ERR, "[SYS/TEMP]", "SYS/TEMP" },
	{ "-ERR []", 0, REPLY_ERR, "[]", "" },
	{ "-ERR [", 0, REPLY_ERR, "[", NULL },
	{ "-ERR [AUTH no end", 0, REPLY_ERR, "[AUTH no end", NULL },
	{ "-ERR see [AUTH]", 0, REPLY_ERR, "see [AUTH]", NULL },
	{ "+", 0, REPLY_CONTINUE, "", NULL },
	{ "+ dGV4dA==", 0, REPLY_CONTINUE, "dGV4dA==", NULL },
	{ "+  ", 0, REPLY_CONTINUE, "", NULL },
	{ "", 0, REPLY_BAD, "", NULL },
	{ ".", 0, REPLY_BAD, "", NULL },
	{ "+OKAY", 0, REPLY_BAD, "", NULL },
	{ "+OK.", 0, REPLY_BAD, "", NULL },
	{ "-ERROR", 0, REPLY_BAD, "", NULL },
	{ "-", 0, REPLY_BAD, "", NULL },
	{ "OK", 0, REPLY_BAD, "", NULL },
	{ "* OK IMAP4", 0, REPLY_BAD, "OK IMAP4", NULL },
	{ "220 smtp", 0, REPLY_BAD, "smtp", NULL },
	{ "+OK\0x", 5, REPLY_BAD, "", NULL },
	{ "+O", 0, REPLY_BAD, "", NULL },
	{ "\xff\xfe", 0, REPLY_BAD, "", NULL },
};

static void test_statuses(void)
{
	const struct status *s = statuses;
	struct reply r;
	size_t len;
	char *line;

	for (; s < statuses + sizeof(statuses) / sizeof(statuses[0]); s++) {
		len = s->len != 0 ? s->len : strlen(s->line);
		line = exact(s->line, len);
		memset(&r, 'x', sizeof(r));
		reply_parse(line, len, &r);
		tap_ok(r.kind == s->kind && is(r.text, r.len, s->text)
			&& (s->code == NULL ? r.code == NULL
				: r.code != NULL
				&& is(r.code, r.code_len, s->code)),
			"status \"%s\"", shown(s->line));
		free(line);
	}
}

static const struct code {
	const char *line, *code;
	bool has;
} codes[] = {
	{ "-ERR [SYS/TEMP] x", "SYS/TEMP", true },
	{ "-ERR [sys/temp] x", "SYS/TEMP", true },
	{ "-ERR [SYS/TEMP] x", "SYS", true },
	{ "-ERR [SYS/TEMP/X] x", "SYS/TEMP", true },
	{ "-ERR [SYS/TEMPLE] x", "SYS/TEMP", false },
	{ "-ERR [SYSTEM] x", "SYS", false },
	{ "-ERR [SYS] x", "SYS/TEMP", false },
	{ "-ERR [LOGIN-DELAY 60] x", "LOGIN-DELAY", true },
	{ "-ERR [AUTH", "AUTH", false }, { "-ERR AUTH", "AUTH", false },
	{ "-ERR []", "AUTH", false }, { "+OK [AUTH]", "AUTH", true },
};

static void test_codes(void)
{
	const struct code *c = codes;
	struct reply r;
	char *line;

	for (; c < codes + sizeof(codes) / sizeof(codes[0]); c++) {
		line = exact(c->line, strlen(c->line));
		reply_parse(line, strlen(c->line), &r);
		tap_ok(reply_has_code(&r, c->code) == c->has, "%s %s %s",
			c->line, c->has ? "has" : "has not", c->code);
		free(line);
	}
}

static const struct refusal {
	const char *line;
	enum err_class from, class;
	enum err_code code;
} refusals[] = {
	{ "-ERR no", ERR_LOGIN, ERR_LOGIN, 0 }, { "-ERR no", ERR_MSG, ERR_MSG, 0 },
	{ "-ERR no", ERR_PROTO, ERR_PROTO, 0 }, { "-ERR", ERR_MSG, ERR_MSG, 0 },
	{ "-ERR [AUTH] bad password", ERR_PROTO, ERR_LOGIN, ERR_CODE_AUTH },
	{ "-ERR [AUTH] locked, try again", ERR_PROTO, ERR_LOGIN, ERR_CODE_AUTH },
	{ "-ERR [IN-USE] x", ERR_LOGIN, ERR_RETRY, ERR_CODE_IN_USE },
	{ "-ERR [in-use] x", ERR_LOGIN, ERR_RETRY, ERR_CODE_IN_USE },
	{ "-ERR [SYS/TEMP] x", ERR_LOGIN, ERR_RETRY, ERR_CODE_SYS_TEMP },
	{ "-ERR [SYS/PERM] x", ERR_LOGIN, ERR_PROTO, ERR_CODE_SYS_PERM },
	{ "-ERR [LOGIN-DELAY] x", ERR_LOGIN, ERR_RETRY, ERR_CODE_LOGIN_DELAY },
	{ "-ERR [XYZ] busy", ERR_LOGIN, ERR_LOGIN, 0 },
	{ "-ERR maildrop already locked", ERR_LOGIN, ERR_RETRY, 0 },
	{ "-ERR Lock Busy!", ERR_LOGIN, ERR_RETRY, 0 },
	{ "-ERR mailbox is in use", ERR_LOGIN, ERR_RETRY, 0 },
	{ "-ERR unable to lock maildrop", ERR_LOGIN, ERR_RETRY, 0 },
	/* Of a login, these may mean an account that is locked for good. */
	{ "-ERR account locked", ERR_LOGIN, ERR_LOGIN, 0 },
	{ "-ERR wrong password, try again", ERR_LOGIN, ERR_LOGIN, 0 },
	{ "-ERR locked", ERR_MSG, ERR_RETRY, 0 },
	{ "-ERR please wait a few minutes", ERR_MSG, ERR_RETRY, 0 },
	{ "-ERR Temporarily unavailable", ERR_LOGIN, ERR_RETRY, 0 },
	{ "-ERR too many connections", ERR_LOGIN, ERR_RETRY, 0 },
	{ "-ERR try again later", ERR_MSG, ERR_RETRY, 0 },
	{ "-ERR busy", ERR_LOGIN, ERR_RETRY, 0 },
	/* solid-pop3d, perdition, Dovecot, nginx. */
	{ "-ERR can't lock mailbox file", ERR_LOGIN, ERR_RETRY, 0 },
	{ "-ERR Could not connect to server", ERR_LOGIN, ERR_RETRY, 0 },
	{ "-ERR Cannot connect to POP server 192.0.2.1", ERR_LOGIN, ERR_RETRY,
	  0 },
	{ "-ERR Authentication service unavailable", ERR_LOGIN, ERR_RETRY, 0 },
	{ "-ERR internal server error", ERR_LOGIN, ERR_RETRY, 0 },
	{ "-ERR Failed to lock mailbox", ERR_LOGIN, ERR_RETRY, 0 },
	{ "-ERR [AUTH] service unavailable", ERR_LOGIN, ERR_LOGIN,
	  ERR_CODE_AUTH },
	{ "-ERR bus", ERR_LOGIN, ERR_LOGIN, 0 },
	{ "what?", ERR_LOGIN, ERR_PROTO, 0 }, { "", ERR_MSG, ERR_PROTO, 0 },
	{ "+ x", ERR_LOGIN, ERR_PROTO, 0 },
};

static void test_refusals(void)
{
	const struct refusal *f = refusals;
	struct err err = ERR_INIT;
	struct reply r;
	char *line;

	for (; f < refusals + sizeof(refusals) / sizeof(refusals[0]); f++) {
		line = exact(f->line, strlen(f->line));
		reply_parse(line, strlen(f->line), &r);
		tap_ok(!reply_refused(&r, f->from, "PASS", &err)
			&& err.class == f->class && err.code == f->code
			&& strstr(err.text, "PASS") != NULL,
			"\"%s\" is %s", f->line, err_class_name(f->class));
		free(line);
	}
	reply_parse("-ERR \x1b[2J%n\n", 12, &r);
	tap_ok(!reply_refused(&r, ERR_MSG, "RETR", &err)
		&& strcmp(err.server, "\\x1b[2J%n\\x0a") == 0,
		"the server's words are kept, escaped");
}

#define BAD UINT64_MAX			/* no line of LIST */

static const struct list_line {
	const char *line;
	uint64_t number, size;
} lists[] = {
	{ "1 1205", 1, 1205 }, { "1", 1, 0 }, { "  1   1205  ", 1, 1205 },
	{ "\t1\t1205\t", 1, 1205 }, { "1 1205 and more", 1, 1205 },
	{ "0 0", 0, 0 }, { "007 0010", 7, 10 },
	{ "4294967295 5", UINT32_MAX, 5 }, { "4294967296 5", BAD, 0 },
	{ "2147483648 5", 2147483648u, 5 }, { "18446744073709551617 5", BAD, 0 },
	{ "9223372036854775808 1", BAD, 0 }, { "-1 5", BAD, 0 },
	{ "+1 5", BAD, 0 }, { "1e9 5", BAD, 0 }, { "0x1 5", BAD, 0 },
	{ "1.0 5", BAD, 0 }, { "1,5", BAD, 0 }, { "", BAD, 0 }, { " ", BAD, 0 },
	{ "x", BAD, 0 }, { "1x 5", BAD, 0 }, { "\xb1 5", BAD, 0 },
	{ "1 -1972428639", 1, 0 }, { "1 %!d(float64=5461)", 1, 0 },
	{ "1 5K", 1, 0 }, { "1 0x10", 1, 0 }, { "1 ", 1, 0 },
	{ "1 281474976710656", 1, LIMIT_MESSAGE_SIZE },
	{ "1 281474976710657", 1, 0 }, { "1 9223372036854775807", 1, 0 },
	{ "1 9223372036854775808", 1, 0 }, { "1 18446744073709551616", 1, 0 },
	{ "1 99999999999999999999999999999", 1, 0 },
	{ "33852 -1972428639", 33852, 0 }, { "1\r5", BAD, 0 },
};

static void test_lists(void)
{
	const struct list_line *l = lists;
	uint64_t number, size;
	char *line;
	bool ok;

	for (; l < lists + sizeof(lists) / sizeof(lists[0]); l++) {
		line = exact(l->line, strlen(l->line));
		number = size = 99;
		ok = reply_list(line, strlen(l->line), &number, &size);
		tap_ok(ok == (l->number != BAD) && (!ok
			|| (number == l->number && size == l->size)),
			"LIST \"%s\"", shown(l->line));
		free(line);
	}
	line = exact("1 5\0", 4);
	tap_ok(reply_list(line, 4, &number, &size) && size == 0,
		"a size with NUL is none");
	free(line);
}

static const struct uidl_line {
	const char *line;
	size_t len;			/* 0: up to NUL */
	uint64_t number;
	const char *uid;
	size_t uid_len;
} uidls[] = {
	{ "1 abc", 0, 1, "abc", 3 }, { "1", 0, 1, "", 0 },
	{ "1 ", 0, 1, "", 0 }, { "1   abc", 0, 1, "abc", 3 },
	{ " 1 abc", 0, 1, "abc", 3 }, { "1 abc \t ", 0, 1, "abc", 3 },
	{ "1\tabc", 0, 1, "abc", 3 }, { "1 a b  c", 0, 1, "a b  c", 6 },
	{ "1 @", 0, 1, "@", 1 }, { "1 #x", 0, 1, "#x", 2 },
	{ "1 <a@b.example>", 0, 1, "<a@b.example>", 13 },
	{ "1 \xff\x80", 0, 1, "\xff\x80", 2 }, { "1 a\0b", 5, 1, "a\0b", 3 },
	{ "1 ../../x", 0, 1, "../../x", 7 }, { "1 1", 0, 1, "1", 1 },
	{ "1 .", 0, 1, ".", 1 }, { "1 -", 0, 1, "-", 1 },
	{ "4294967295 x", 0, UINT32_MAX, "x", 1 },
	{ "4294967296 x", 0, BAD, "", 0 }, { "-1 x", 0, BAD, "", 0 },
	{ "18446744073709551616 x", 0, BAD, "", 0 },
	{ "x 1", 0, BAD, "", 0 }, { "", 0, BAD, "", 0 },
	{ "abc", 0, BAD, "", 0 }, { "1x abc", 0, BAD, "", 0 },
};

static void test_uidls(void)
{
	const struct uidl_line *u = uidls;
	const char *uid;
	size_t len, n;
	uint64_t number;
	char *line;
	bool ok;

	for (; u < uidls + sizeof(uidls) / sizeof(uidls[0]); u++) {
		n = u->len != 0 ? u->len : strlen(u->line);
		line = exact(u->line, n);
		ok = reply_uidl(line, n, &number, &uid, &len);
		tap_ok(ok == (u->number != BAD) && (!ok
			|| (number == u->number && len == u->uid_len
				&& memcmp(uid, u->uid, len) == 0)),
			"UIDL \"%s\"", shown(u->line));
		free(line);
	}
}

/* UIDs of any length come back whole. */
static void test_long_uids(void)
{
	static const size_t lengths[] = { 69, 70, 71, 127, 128, 129, 511, 512,
		1024, 1025, 8191, 8192, 1 << 20 };
	const char *uid;
	uint64_t number;
	size_t i, len;
	char *line;
	bool ok = true;

	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		line = malloc(lengths[i] + 2);
		memset(line, 'u', lengths[i] + 2);
		memcpy(line, "7 ", 2);
		ok = ok && reply_uidl(line, lengths[i] + 2, &number, &uid,
			&len) && number == 7 && uid == line + 2
			&& len == lengths[i];
		free(line);
	}
	tap_ok(ok, "UIDs up to 1 MiB");
}

static void capa_line(struct capa *capa, const char *text, size_t len)
{
	char *line = exact(text, len);

	reply_capa(line, len, capa);
	free(line);
}

static void test_capa(void)
{
	static const char *const lines[] = { "TOP", "uidl", "User ", "  STLS",
		"pipelining", "RESP-CODES", "AUTH-RESP-CODE", "",
		"SASL plain\tCRAM-MD5 SCRAM-SHA-256", "UTF8 USER",
		"EXPIRE 60 USER", "LOGIN-DELAY 900",
		"IMPLEMENTATION x\x1b]0;y" };
	static char longest[10000];
	struct capa c;
	size_t i;

	memset(&c, 0, sizeof(c));
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		capa_line(&c, lines[i], strlen(lines[i]));
	tap_ok(c.top && c.uidl && c.user && c.stls && c.pipelining
		&& c.resp_codes && c.auth_resp_code && c.sasl,
		"capabilities in any case, with blanks around");
	tap_ok(capa_has_sasl(&c, "PLAIN") && capa_has_sasl(&c, "CRAM-MD5")
		&& capa_has_sasl(&c, "SCRAM-SHA-256")
		&& !capa_has_sasl(&c, "SCRAM-SHA-256-PLUS")
		&& !capa_has_sasl(&c, "SCRAM-SHA") && !capa_has_sasl(&c, "MD5"),
		"mechanisms by their whole names");
	tap_ok(strcmp(c.expire, "60 USER") == 0
		&& strcmp(c.login_delay, "900") == 0
		&& strcmp(c.implementation, "x\\x1b]0;y") == 0,
		"texts, escaped");
	memset(&c, 0, sizeof(c));
	capa_line(&c, "TOPS", 4);
	capa_line(&c, "TO", 2);
	capa_line(&c, "X-STLS", 6);
	capa_line(&c, "SASL2 PLAIN", 11);
	capa_line(&c, "TOP\0", 4);
	tap_ok(!c.top && !c.stls && !c.sasl && !capa_has_sasl(&c, "PLAIN"),
		"names that only look alike");
	memset(longest, 'p', sizeof(longest));
	memcpy(longest, "SASL PLAIN ", 11);
	capa_line(&c, longest, sizeof(longest));
	tap_ok(c.sasl && capa_has_sasl(&c, "PLAIN")
		&& strlen(c.sasl_list) < sizeof(c.sasl_list),
		"a list of 10,000 bytes");
	/* A name cut in two must not turn into a shorter one. */
	memset(&c, 0, sizeof(c));
	memset(longest, 'x', sizeof(longest));
	memcpy(longest, "SASL ", 5);
	memcpy(longest + 5 + 503, " PLAIN-X", 8);
	capa_line(&c, longest, 5 + 503 + 8);
	tap_ok(!capa_has_sasl(&c, "PLAIN"), "a name that is cut off is none");
}

static void test_policies(void)
{
	static const struct {
		const char *login_delay, *expire;
		uint32_t delay;
		bool expires;
		uint64_t days;
	} rows[] = {
		{ "LOGIN-DELAY 900", "EXPIRE 60", 900, true, 60 },
		{ "LOGIN-DELAY 900 USER", "EXPIRE 0 USER", 900, true, 0 },
		{ "LOGIN-DELAY 0", "EXPIRE NEVER", 0, false, 0 },
		{ "LOGIN-DELAY", "EXPIRE", 0, false, 0 },
		{ "LOGIN-DELAY -1", "EXPIRE NEVER USER", 0, false, 0 },
		{ "LOGIN-DELAY 1h", "EXPIRE 5d", 0, false, 0 },
		{ "LOGIN-DELAY 4294967295", "EXPIRE 4294967295", UINT32_MAX,
		  true, UINT32_MAX },
		{ "LOGIN-DELAY 4294967296", "EXPIRE 4294967296", 0, false, 0 },
		{ "LOGIN-DELAY 99999999999999999999",
		  "EXPIRE 99999999999999999999", 0, false, 0 },
	};
	struct capa c;
	uint64_t days;
	bool expires;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(&c, 0, sizeof(c));
		capa_line(&c, rows[i].login_delay, strlen(rows[i].login_delay));
		capa_line(&c, rows[i].expire, strlen(rows[i].expire));
		expires = capa_expires(&c, &days);
		tap_ok(capa_login_delay(&c) == rows[i].delay
			&& expires == rows[i].expires
			&& (!expires || days == rows[i].days), "%s, %s",
			rows[i].login_delay, rows[i].expire);
	}
}

static const struct greeting {
	const char *text;
	const char *stamp;		/* NULL: none that is safe */
} greetings[] = {
	{ "POP3 ready <1896.697170952@dbc.mtview.ca.us>",
	  "<1896.697170952@dbc.mtview.ca.us>" },
	{ "<a@b>", "<a@b>" },
	{ "ready <a@b> again", "<a@b>" },
	{ "ready", NULL }, { "", NULL }, { "<", NULL }, { "<>", NULL },
	{ "<@>", NULL }, { "<a@>", NULL }, { "<@b>", NULL }, { "<ab>", NULL },
	{ "<a@b", NULL }, { "a@b>", NULL }, { "<a@b@c>", NULL },
	{ "<a b@c>", NULL }, { "<a@b\tc>", NULL }, { "<a\x01@b>", NULL },
	{ "<a\x7f@b>", NULL }, { "<\xc3\xa4@b>", NULL },
	{ "<a@b> <c@d>", NULL }, { "<<a@b>", NULL }, { "<a<@b>", NULL },
};

static void check_timestamps(void)
{
	static char many[8192], bound[300];
	const char *stamp;
	char *line;
	size_t i, len;
	bool ok;

	for (i = 0; i < sizeof(greetings) / sizeof(greetings[0]); i++) {
		line = exact(greetings[i].text, strlen(greetings[i].text));
		ok = reply_timestamp(line, strlen(greetings[i].text), &stamp,
			&len);
		tap_ok(ok == (greetings[i].stamp != NULL)
			&& (!ok || is(stamp, len, greetings[i].stamp)),
			"timestamp in %s", shown(greetings[i].text));
		free(line);
	}
	memset(many, '<', sizeof(many));
	tap_ok(!reply_timestamp(many, sizeof(many), &stamp, &len), "many <");
	tap_ok(!reply_timestamp("<a\0@b>", 6, &stamp, &len), "NUL");
	memset(bound, 'x', sizeof(bound));
	bound[0] = '<';
	bound[9] = '@';
	bound[LIMIT_TIMESTAMP - 1] = '>';
	tap_ok(reply_timestamp(bound, LIMIT_TIMESTAMP, &stamp, &len),
		"the longest");
	bound[LIMIT_TIMESTAMP - 1] = 'x';
	bound[LIMIT_TIMESTAMP] = '>';
	tap_ok(!reply_timestamp(bound, LIMIT_TIMESTAMP + 1, &stamp, &len),
		"longer");
}

int main(void)
{
	test_statuses();
	test_codes();
	test_refusals();
	test_lists();
	test_uidls();
	test_long_uids();
	test_capa();
	test_policies();
	check_timestamps();
	return tap_done();
}
