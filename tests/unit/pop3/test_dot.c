/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/pop3/dot.h"
#include "tests/unit/pop3/dot_reference.h"

/*
 * The dot decoder against a decoder that sees the whole reply at once: the
 * same bytes whatever the pieces they come in and go out in.
 */

#define MAX 512

struct outcome {
	size_t used, made;
	bool ended;
	char out[MAX];
};

struct pattern {
	const char *name, *in;
	size_t len;
	const char *out;
	size_t made, used;		/* used 0: it does not end */
};

#define P(name, in, out, used) \
	{ name, in, sizeof(in) - 1, out, sizeof(out) - 1, used }

static const struct pattern patterns[] = {
	P("an empty message", ".\r\n", "", 3),
	P("one line", "a\r\n.\r\n", "a\r\n", 6),
	P("a dot is taken from a line", "..\r\n.\r\n", ".\r\n", 7),
	P("two dots stay of three", "...\r\n.\r\n", "..\r\n", 8),
	P("a dot before text", ".a\r\n.\r\n", "a\r\n", 7),
	P("dots inside a line", "a..b.\r\n.\r\n", "a..b.\r\n", 10),
	P("only dots", "..........\r\n.\r\n", ".........\r\n", 15),
	P("lines of dots", "..\r\n..\r\n..\r\n.\r\n", ".\r\n.\r\n.\r\n", 15),
	P("LF . LF", "a\n.\nb\r\n.\r\n", "a\n.\nb\r\n", 10),
	P("LF . CRLF", "a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n", 11),
	P("CR . CR", "a\r.\rb\r\n.\r\n", "a\r.\rb\r\n", 10),
	P("CR . CRLF", "a\r.\r\nb\r\n.\r\n", "a\r.\r\nb\r\n", 11),
	P("CRLF . LF", "a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n", 11),
	P("CRLF . LF CRLF . CRLF", "a\r\n.\n\r\n.\r\n", "a\r\n\n\r\n", 10),
	P("CRLF . CR text", "a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n", 11),
	P("CRLF . CR .", "a\r\n.\r.\r\n.\r\n", "a\r\n\r.\r\n", 11),
	P("CRLF . CR CR LF", "a\r\n.\r\r\n.\r\n", "a\r\n\r\r\n", 10),
	P(". CR CR LF . CRLF", ".\r\r\n.\r\n", "\r\r\n", 7),
	P("LF LF . LF LF", "\n\n.\n\n\r\n.\r\n", "\n\n.\n\n\r\n", 10),
	P("CR CR LF", "\r\r\n.\r\n", "\r\r\n", 6),
	P("CR LF LF . CRLF", "\r\n\n.\r\n\r\n.\r\n", "\r\n\n.\r\n\r\n", 11),
	P("empty lines", "\r\n\r\n.\r\n", "\r\n\r\n", 7),
	P("NUL and 8-bit", "\0\xff\x80\r\n.\r\n", "\0\xff\x80\r\n", 8),
	P("NUL behind a dot", ".\0\r\n.\r\n", "\0\r\n", 7),
	P("the next reply is left alone", "a\r\n.\r\n+OK\r\n.\r\n", "a\r\n",
		6),
	P("a stuffed line behind the end", ".\r\n..\r\n.\r\n", "", 3),
	P("no end", "a\r\n", "a\r\n", 0),
	P("no end: held back dot", "a\r\n.", "a\r\n", 0),
	P("no end: held back dot and CR", "a\r\n.\r", "a\r\n", 0),
	P("no end: text without CRLF", "a.\r\n", "a.\r\n", 0),
	P("no end: the end lacks CRLF before it", "a.\r\n.", "a.\r\n", 0),
};

static void reference(const char *in, size_t len, struct outcome *o)
{
	o->used = dot_reference(in, len, o->out, &o->made, &o->ended);
}

/* One piece, through an output of `cap` bytes; false if it stands still. */
static bool feed(struct dot *dot, const char *in, size_t len, size_t cap,
	struct outcome *o)
{
	size_t at = 0, used, made;
	char out[MAX];

	while (at < len && !dot_ended(dot)) {
		memset(out, '#', sizeof(out));
		dot_decode(dot, in + at, len - at, out, cap, &used, &made);
		if ((used == 0 && made == 0) || used > len - at || made > cap
		    || o->made + made > MAX || out[cap] != '#')
			return false;
		memcpy(o->out + o->made, out, made);
		o->made += made;
		at += used;
	}
	o->used += at;
	return true;
}

/* The input in three pieces: [0,a) [a,b) [b,len). */
static bool same(const char *in, size_t len, size_t a, size_t b, size_t cap,
	const struct outcome *expected)
{
	struct outcome o = { .used = 0 };
	struct dot dot = DOT_INIT;

	if (!feed(&dot, in, a, cap, &o)
	    || (!dot_ended(&dot) && !feed(&dot, in + a, b - a, cap, &o))
	    || (!dot_ended(&dot) && !feed(&dot, in + b, len - b, cap, &o)))
		return false;
	return o.used == expected->used && o.made == expected->made
		&& dot_ended(&dot) == expected->ended
		&& memcmp(o.out, expected->out, o.made) == 0;
}

static bool same_bytewise(const char *in, size_t len, size_t cap,
	const struct outcome *expected)
{
	struct outcome o = { .used = 0 };
	struct dot dot = DOT_INIT;
	size_t i;

	for (i = 0; i < len && !dot_ended(&dot); i++)
		if (!feed(&dot, in + i, 1, cap, &o))
			return false;
	return o.used == expected->used && o.made == expected->made
		&& dot_ended(&dot) == expected->ended
		&& memcmp(o.out, expected->out, o.made) == 0;
}

/* Every split into up to three pieces, with outputs of `low` to `high`. */
static bool same_split(const char *in, size_t len, size_t low, size_t high,
	const struct outcome *expected)
{
	size_t a, b, cap;

	for (cap = low; cap <= high; cap++) {
		if (!same_bytewise(in, len, cap, expected))
			return false;
		for (a = 0; a <= len; a++)
			for (b = a; b <= len; b++)
				if (!same(in, len, a, b, cap, expected))
					return false;
	}
	return true;
}

static void test_patterns(void)
{
	struct outcome expected;
	const struct pattern *p;
	size_t i;

	for (i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		p = &patterns[i];
		reference(p->in, p->len, &expected);
		tap_ok(expected.made == p->made
			&& memcmp(expected.out, p->out, p->made) == 0
			&& expected.ended == (p->used != 0)
			&& expected.used == (p->used != 0 ? p->used : p->len)
			&& same_split(p->in, p->len, 2, p->len + 3, &expected),
			"%s", p->name);
	}
}

/* Every string over the bytes that matter, up to `max` long. */
static void test_all(size_t max)
{
	static const char alphabet[] = { '.', '\r', '\n', 'a' };
	struct outcome expected;
	uint32_t code, rest;
	char in[16];
	size_t len, i;

	for (len = 1; len <= max; len++) {
		bool ok = true;

		for (code = 0; ok && code < 1u << (2 * len); code++) {
			for (rest = code, i = 0; i < len; i++, rest /= 4)
				in[i] = alphabet[rest % 4];
			reference(in, len, &expected);
			ok = same_split(in, len, 2, 3, &expected);
		}
		tap_ok(ok, "all strings of %zu of the bytes . CR LF a, split "
			"everywhere", len);
	}
}

static void test_random(void)
{
	static const char alphabet[] = "..\r\r\n\n\r\n.a";
	struct outcome expected;
	size_t i, round, len;
	char in[MAX / 2];
	bool ok = true;

	srandom(1);
	for (round = 0; ok && round < 400; round++) {
		len = 1 + (size_t)random() % 60;
		for (i = 0; i < len; i++)
			in[i] = alphabet[(size_t)random()
				% (sizeof(alphabet) - 1)];
		memcpy(in + len, "\r\n.\r\n+OK", 8);
		reference(in, len + 8, &expected);
		ok = same_split(in, len + 8, 2, 5, &expected);
	}
	tap_ok(ok, "random replies, split everywhere");
}

/* What the header promises about an end that has been reached. */
static void test_end(void)
{
	struct dot dot = DOT_INIT;
	size_t used = 7, made = 7;
	char out[8];

	tap_ok(!dot_ended(&dot), "a new decoder has not ended");
	dot_decode(&dot, ".\r\nabc", 6, out, sizeof(out), &used, &made);
	tap_ok(dot_ended(&dot) && used == 3 && made == 0, "it ends");
	dot_decode(&dot, "abc", 3, out, sizeof(out), &used, &made);
	tap_ok(dot_ended(&dot) && used == 0 && made == 0,
		"and takes nothing afterwards");
}

int main(void)
{
	test_patterns();
	test_all(8);
	test_random();
	test_end();
	return tap_done();
}
