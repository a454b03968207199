/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "delivery/sender.h"
#include "delivery/stage.h"

/*
 * Whom a message is from: the Return-Path of its header if that is a plain
 * address, and nothing that could be taken for something else.
 */

static struct err err = ERR_INIT;
static char got[LIMIT_SENDER + 1];

/* What goes behind "Return-Path:" and what comes of it. */
static const struct value {
	const char *text, *sender;
} values[] = {
	{ " <jane@example.org>", "jane@example.org" },
	{ " jane@example.org", "jane@example.org" },
	{ "<jane@example.org>", "jane@example.org" },
	{ "\t <jane@example.org> \t", "jane@example.org" },
	{ "\n <jane@example.org>", "jane@example.org" },
	{ " <jane@example.org>\r", "jane@example.org" },
	{ " <>", "" }, { "<>", "" },
	{ " <SRS0=HHH=TT=example.org=jane@relay.example>",
		"SRS0=HHH=TT=example.org=jane@relay.example" },
	{ " <prvs=1234abcdef=jane@example.org>",
		"prvs=1234abcdef=jane@example.org" },
	{ " <owner-list*jane**example.org@lists.example>",
		"owner-list*jane**example.org@lists.example" },
	{ " <bounces+1-2_jane=example.org@mailer.example>",
		"bounces+1-2_jane=example.org@mailer.example" },
	{ " <_a.b!c#d%e?f^g~h@x>", "_a.b!c#d%e?f^g~h@x" },
	{ " <a..b.@docomo.example>", "a..b.@docomo.example" },
	{ " <0@x>", "0@x" }, { " <a@192.0.2.1>", "a@192.0.2.1" },
	/* No sender, or none that is plain. */
	{ "", "-" }, { " ", "-" }, { " < >", "-" }, { " -", "-" },
	{ " <->", "-" }, { " <jane>", "-" }, { " jane", "-" },
	{ " <@x>", "-" }, { " <a@>", "-" }, { " <a@b@c>", "-" },
	{ " <a@b", "-" }, { " a@b>", "-" }, { " <<a@b>>", "-" },
	{ " <a@b> (comment)", "-" }, { " Jane <a@b>", "-" },
	{ " <a@b>, <c@d>", "-" }, { " <@r1,@r2:a@b>", "-" },
	{ " <\"a b\"@c>", "-" }, { " <a b@c>", "-" }, { " <a@b c>", "-" },
	{ " <a\tb@c>", "-" }, { " <a\n b@c>", "-" }, { " <a\rb@c>", "-" },
	{ " <-a@b>", "-" }, { " <--help@b>", "-" }, { " <+a@b>", "-" },
	{ " <=a@b>", "-" }, { " <.a@b>", "-" }, { " <~root@b>", "-" },
	{ " </etc/passwd@b>", "-" }, { " <a/../b@c>", "-" },
	{ " <a@../b>", "-" }, { " <a\\b@c>", "-" }, { " <a@[1.2.3.4]>", "-" },
	{ " <$HOME@b>", "-" }, { " <a$(id)@b>", "-" }, { " <a`id`@b>", "-" },
	{ " <a;id@b>", "-" }, { " <a|id@b>", "-" }, { " <a&id@b>", "-" },
	{ " <o'brien@b>", "-" }, { " <a\"b@c>", "-" }, { " <a{b}@c>", "-" },
	{ " <%{account}@b>", "-" }, { " <a(b)@c>", "-" }, { " <a,b@c>", "-" },
	{ " <a:b@c>", "-" }, { " <a@b\x01>", "-" }, { " <a@b\x7f>", "-" },
	{ " <a\x1b[0m@b>", "-" }, { " <j\xc3\xa4ne@x>", "-" },
	{ " <a@\xe4.example>", "-" }, { " <a@b\x80>", "-" },
};

/* Whole messages. */
static const struct message {
	const char *name, *text, *sender;
} messages[] = {
	{ "the first line", "Return-Path: <a@b>\nTo: c\n\n", "a@b" },
	{ "further down", "X: y\nReceived: z\n\tz\nReturn-Path: <a@b>\n\n",
		"a@b" },
	{ "in capitals", "RETURN-PATH: <a@b>\n\n", "a@b" },
	{ "in small letters", "return-path: <a@b>\n\n", "a@b" },
	{ "the first of two", "Return-Path: <a@b>\nReturn-Path: <c@d>\n\n",
		"a@b" },
	{ "the first, although it is odd",
		"Return-Path: <a b>\nReturn-Path: <c@d>\n\n", "-" },
	{ "none", "From: a@b\nSender: c@d\n\nx\n", "-" },
	{ "in the body", "From: a@b\n\nReturn-Path: <a@b>\n", "-" },
	{ "in a body without header", "\nReturn-Path: <a@b>\n", "-" },
	{ "in a line that is continued", "X: y\n Return-Path: <a@b>\n\n", "-" },
	{ "another name", "X-Return-Path: <a@b>\nReturn-Pathy: <c@d>\n\n", "-" },
	{ "without a colon", "Return-Path <a@b>\n\n", "-" },
	{ "no body", "Return-Path: <a@b>\n", "a@b" },
	{ "cut off", "Return-Path: <a@b>", "-" },
	{ "cut off without brackets", "Return-Path: a@b.exam", "-" },
	{ "behind a From_ line", "From x\nReturn-Path: <a@b>\n\n", "a@b" },
	{ "nothing", "", "-" }, { "a line end", "\n", "-" },
};

static bool reads(const char *text, size_t len, const char *sender)
{
	struct item item = { .stored = len };
	FILE *file = tmpfile();
	bool ok;

	if (file == NULL || fwrite(text, 1, len, file) != len
	    || fflush(file) != 0)
		exit(99);
	item.fd = fileno(file);
	memset(got, '#', sizeof(got));
	ok = sender_read(&item, got, &err) && strcmp(got, sender) == 0;
	fclose(file);
	return ok;
}

static bool reads_value(const char *value, size_t len, const char *sender)
{
	char text[2 * LIMIT_SENDER];
	size_t n = (size_t)snprintf(text, sizeof(text), "Return-Path:");

	memcpy(text + n, value, len);
	memcpy(text + n + len, "\nTo: x\n\n", 8);
	return reads(text, n + len + 8, sender);
}

/* No byte but those that are meant makes it into a sender. */
static void test_bytes(void)
{
	char value[] = "<a.@b>";
	unsigned int b;
	bool ok = true;

	for (b = 0; b < 256; b++) {
		value[2] = (char)b;
		value[5] = '>';
		if (b != 0 && strchr("abcdefghijklmnopqrstuvwxyz"
			"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_!#%*+-.=?^~",
			(int)b) != NULL) {
			value[5] = '\0';
			ok = ok && sender_valid(value + 1);
			value[5] = '>';
			continue;
		}
		ok = ok && reads_value(value, 6, "-");
		value[5] = '\0';
		ok = ok && (b == 0 || !sender_valid(value + 1));
	}
	tap_ok(ok, "every byte in an address");
}

static void test_length(void)
{
	char text[LIMIT_SENDER + 8];

	memset(text, 'a', sizeof(text));
	text[0] = '<';
	memcpy(text + LIMIT_SENDER - 1, "@b>", 4);
	text[LIMIT_SENDER + 1] = '\0';
	tap_ok(sender_valid(text + 1), "the longest address is one");
	text[LIMIT_SENDER + 1] = '>';
	tap_ok(!reads_value(text, LIMIT_SENDER + 2, "-"), "and is read");
	memcpy(text + LIMIT_SENDER, "@b>", 4);
	tap_ok(reads_value(text, LIMIT_SENDER + 3, "-"), "a longer one is not");
	text[LIMIT_SENDER + 2] = '\0';
	tap_ok(!sender_valid(text + 1), "and is none");
}

/* So much of a header is looked at, and no line that may go on behind it. */
static void test_far(void)
{
	static const char line[] = "Return-Path: aa@b.example\n";
	size_t n = sizeof(line) - 1, at, found = 0, torn = 0;
	char *text = malloc(LIMIT_HEADER + n);

	for (at = LIMIT_HEADER - n - 2; at <= LIMIT_HEADER; at++) {
		memset(text, 'x', at);
		text[at - 1] = '\n';
		memcpy(text + at, line, n);
		if (reads(text, at + n, "aa@b.example"))
			found++;
		else
			torn += reads(text, at + n, "-");
	}
	tap_ok(found == 3 && torn == n,
		"at the end of what is looked at: all of a line, or nothing");
	free(text);
}

static void test_error(void)
{
	struct item item = { .fd = -1, .stored = 10 };

	tap_ok(!sender_read(&item, got, &err) && err.class != ERR_NONE,
		"a file that cannot be read is an error");
}

int main(void)
{
	size_t i;

	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (!tap_ok(reads_value(values[i].text, strlen(values[i].text),
			values[i].sender), "value %zu is \"%s\"", i,
			values[i].sender))
			tap_note("%.*s", LIMIT_SENDER, got);
	for (i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
		if (!tap_ok(reads(messages[i].text, strlen(messages[i].text),
			messages[i].sender), "%s", messages[i].name))
			tap_note("%.*s", LIMIT_SENDER, got);
	test_bytes();
	test_length();
	test_far();
	test_error();
	return tap_done();
}
