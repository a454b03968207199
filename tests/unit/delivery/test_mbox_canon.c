/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <stdlib.h>
#include <string.h>

#include "delivery/mbox_canon.h"

/*
 * Which messages of an mbox count as the same: those that differ in what readers
 * put there alone.
 */

struct pair {
	const char *what, *a;
	size_t a_len;
	const char *b;
	size_t b_len;
	bool same;
};

#define PAIR(what, a, b, same) { what, a, sizeof(a) - 1, b, sizeof(b) - 1, same }

#define LEAD "From s Mon Nov 30 02:41:54 2026\n"
#define HEAD LEAD "Subject: x\n\n"

static const struct pair pairs[] = {
	PAIR("the same bytes", HEAD "body\n", HEAD "body\n", true),
	PAIR("another body", HEAD "body\n", HEAD "bodz\n", false),
	PAIR("another second", HEAD "body\n",
		"From s Mon Nov 30 02:41:55 2026\nSubject: x\n\nbody\n",
		false),
	PAIR("a longer body", HEAD "body\n", HEAD "body\nmore\n", false),
	PAIR("a header line less", HEAD "body\n", LEAD "\nbody\n", false),
	PAIR("Status lines", HEAD "body\n", LEAD "Subject: x\nStatus: RO\n"
		"X-Status: A\nX-UID: 7\nX-Keywords: a b\n\nbody\n", true),
	PAIR("names in another case", HEAD "body\n",
		LEAD "STATUS: O\nSubject: x\ncontent-length: 5\nlInes: 1\n\n"
		"body\n", true),
	PAIR("one that a reader changed", LEAD "Status: O\n\nbody\n",
		LEAD "Status: RO\n\nbody\n", true),
	PAIR("a folded one", HEAD "body\n", LEAD "X-IMAPbase: 1 2\n\t3\n 4\n"
		"Subject: x\n\nbody\n", true),
	PAIR("a fold of another line", LEAD "Subject: x\n y\n\n", HEAD "", false),
	PAIR("a name that only begins so", HEAD "body\n",
		LEAD "Subject: x\nStatus-Code: 1\n\nbody\n", false),
	PAIR("the same words in the body", HEAD "Status: RO\n", HEAD "", false),
	PAIR("the same words in a second header", HEAD "a\n\nStatus: O\n",
		HEAD "a\n\n", false),
	PAIR("other quoting", HEAD ">From x\n", HEAD "From x\n", true),
	PAIR("more quoting", HEAD ">>>From x\n", HEAD ">From x\n", true),
	PAIR("quotes that quote nothing", HEAD ">>x\n", HEAD ">x\n", false),
	PAIR("From within a line", HEAD "a >From x\n", HEAD "a From x\n", false),
	PAIR("more empty lines behind", HEAD "body\n", HEAD "body\n\n\n", true),
	PAIR("no line end behind", HEAD "body\n", HEAD "body", true),
	PAIR("more empty lines inside", HEAD "a\n\nb\n", HEAD "a\nb\n", false),
	PAIR("a NUL", HEAD "a\n", HEAD "a\0", false),
};

static struct digest canon(const char *text, size_t len, size_t step)
{
	struct mbox_canon *c = mbox_canon_new();
	struct digest digest;
	size_t at, n;
	uint64_t len_counted, ends;

	for (at = 0; at < len; at += n) {
		n = len - at < step ? len - at : step;
		mbox_canon_add(c, text + at, n);
	}
	digest = mbox_canon_take(c, &len_counted, &ends);
	mbox_canon_free(c);
	return digest;
}

static void test_pair(const struct pair *p)
{
	struct digest whole = canon(p->a, p->a_len, p->a_len), other;
	bool ok = true;
	size_t step;

	for (step = 1; step < 90; step += step < 40 ? 1 : 7) {
		other = canon(p->a, p->a_len, step);
		ok = ok && digest_equal(&whole, &other);
		other = canon(p->b, p->b_len, step);
		ok = ok && digest_equal(&whole, &other) == p->same;
	}
	tap_ok(ok, "%s: %s", p->same ? "the same" : "another", p->what);
}

/* HEAD "x", its first bytes, and more than there are. */
static void test_limit(void)
{
	static const char text[] = HEAD "x\n\n\n";
	struct mbox_canon *c = mbox_canon_new();
	struct digest all, begin, more, part;
	uint64_t len, some, most, full, ends;

	mbox_canon_add(c, text, sizeof(text) - 1);
	all = mbox_canon_take(c, &full, &ends);
	mbox_canon_add(c, text, strlen(HEAD) - 3);
	part = mbox_canon_take(c, &len, &ends);
	mbox_canon_limit(c, len);
	mbox_canon_add(c, text, sizeof(text) - 1);
	begin = mbox_canon_take(c, &some, &ends);
	mbox_canon_limit(c, full + 1);
	mbox_canon_add(c, text, sizeof(text) - 1);
	more = mbox_canon_take(c, &most, &ends);
	tap_ok(some == len && digest_equal(&begin, &part),
		"no more than the first bytes count");
	tap_ok(full == strlen(HEAD) + 1 && most == full
		&& digest_equal(&more, &all),
		"all count; line ends behind do not; it starts over");
	mbox_canon_free(c);
}

int main(void)
{
	size_t i;

	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		test_pair(&pairs[i]);
	test_limit();
	return tap_done();
}
