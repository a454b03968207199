/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/limits.h"
#include "delivery/headers.h"

/* What makes a message recognisable, and what must not. */

static struct err err = ERR_INIT;
static struct headers *headers;

static struct identity identity_in(const char *in, size_t len, size_t first,
	size_t step)
{
	struct sink *sink = headers_start(headers, NULL);
	size_t at = 0, n = first;
	bool ok = true;

	while (ok && at < len) {
		if (n > len - at)
			n = len - at;
		ok = sink->push(sink, in + at, n, &err);
		at += n;
		n = step;
	}
	if (!ok || !sink->finish(sink, &err))
		abort();
	return *headers_identity(headers);
}

static struct identity identity(const char *in)
{
	return identity_in(in, strlen(in), strlen(in) + 1, 1);
}

#define BASE "Received: from a by b;\r\n Mon\r\nMessage-ID: <1@x>\r\n" \
	"Date: today\r\nFrom: a@x\r\nTo: b@x\r\nSubject: hello you\r\n"
#define BODY "\r\nbody\r\n"

enum { SAME, OTHER, NONE };

static const struct variant {
	const char *name, *text;
	int header;			/* compared with BASE */
} variants[] = {
	{ "itself", BASE BODY, SAME },
	{ "another body", BASE "\r\nother\r\n", SAME },
	{ "no body (TOP)", BASE "\r\n", SAME },
	{ "no blank line", BASE, SAME },
	{ "line ends of LF", "Received: from a by b;\n Mon\nMessage-ID: <1@x>"
		"\nDate: today\nFrom: a@x\nTo: b@x\nSubject: hello you\n\nx\n",
		SAME },
	{ "unfolded", "Received: from a by b; Mon\r\nMessage-ID: <1@x>\r\n"
		"Date: today\r\nFrom: a@x\r\nTo: b@x\r\nSubject: hello you\r\n",
		SAME },
	{ "folded otherwise", "Received:\r\n\tfrom a\r\n  by b;\r\n\t Mon\r\n"
		"Message-ID:\r\n <1@x>\r\nDate: today\r\nFrom: a@x\r\n"
		"To: b@x\r\nSubject: hello\r\n\tyou\r\n", SAME },
	{ "names in other case", "RECEIVED: from a by b; Mon\r\n"
		"message-id: <1@x>\r\nDATE: today\r\nfrom: a@x\r\nTO: b@x\r\n"
		"SuBjEcT: hello you\r\n", SAME },
	{ "blanks before the colon", "Received : from a by b; Mon\r\n"
		"Message-ID\t: <1@x>\r\nDate :today\r\nFrom :a@x\r\n"
		"To:b@x  \r\nSubject:   hello   you\t\r\n", SAME },
	{ "other lines between", "X-Spam: no\r\n" BASE "X-Mailer: 7\r\n" BODY,
		SAME },
	{ "other lines first", "X: 1\r\n Y\r\nReturn-Path: <x>\r\n" BASE, SAME },
	{ "a second Received", BASE "Received: from c by d; Tue\r\n", SAME },
	{ "a second Subject", BASE "Subject: no\r\n", SAME },
	{ "a stable name in the body", BASE "\r\nSubject: other\r\n", SAME },
	{ "a line without colon", "no colon here\r\n" BASE, SAME },
	{ "it begins with a folded line", " x\r\n" BASE, SAME },
	{ "a longer name", BASE "Subject2: x\r\nX-From: y\r\n", SAME },
	{ "another Received first", "Received: from c by d; Tue\r\n" BASE,
		OTHER },
	{ "another subject", "Received: from a by b; Mon\r\n"
		"Message-ID: <1@x>\r\nDate: today\r\nFrom: a@x\r\nTo: b@x\r\n"
		"Subject: Hello you\r\n", OTHER },
	{ "no subject", "Received: from a by b; Mon\r\nMessage-ID: <1@x>\r\n"
		"Date: today\r\nFrom: a@x\r\nTo: b@x\r\n", OTHER },
	{ "values under other names", "Received: from a by b; Mon\r\n"
		"Message-ID: <1@x>\r\nDate: today\r\nFrom: b@x\r\nTo: a@x\r\n"
		"Subject: hello you\r\n", OTHER },
	{ "a value moved to the next line", "Received: from a by b; Mon\r\n"
		"Message-ID: <1@x>\r\nDate: today from:a@x\r\nTo: b@x\r\n"
		"Subject: hello you\r\n", OTHER },
	{ "only Received", "Received: from a by b; Mon\r\n\r\n", OTHER },
	{ "no Received", "Message-ID: <1@x>\r\nDate: today\r\nFrom: a@x\r\n"
		"To: b@x\r\nSubject: hello you\r\n\r\n", NONE },
	{ "Received in the body", "Message-ID: <1@x>\r\n\r\n" BASE, NONE },
	{ "a blank line first", "\r\n" BASE, NONE },
	{ "empty", "", NONE },
	{ "no header", "text\r\n", NONE },
};

static void test_variant(const struct variant *v)
{
	struct identity base = identity(BASE BODY), id = identity(v->text);
	bool content = strcmp(v->text, BASE BODY) == 0;

	tap_ok(id.has_header == (v->header != NONE)
		&& identity_same_header(&base, &id) == (v->header == SAME)
		&& identity_same_header(&id, &base) == (v->header == SAME)
		&& identity_same(&id, &base) == (v->header == SAME)
		&& digest_equal(&id.content, &base.content) == content
		&& strlen(id.content.text) == DIGEST_LEN, "%s", v->name);
}

/* Lines that servers write into a header between two sessions. */
static const struct passing {
	const char *name, *text;
	bool same;			/* the same content as BASE */
} passing[] = {
	{ "Status", "Status: RO\r\n" BASE BODY, true },
	{ "each of them", "X-UIDL: abc\r\nX-UID: 7\r\nX-Status: A\r\n" BASE
		"X-IMAPbase: 1 2\r\nX-IMAP: 1\r\nX-Keywords: x\r\n"
		"Content-Length: 6\r\nSTATUS :O\r\n" BODY, true },
	{ "folded", BASE "X-Keywords: a\r\n b\r\n\tc\r\n" BODY, true },
	{ "a longer name", BASE "Status-Of: x\r\n" BODY, false },
	{ "a shorter name", BASE "X-UI: x\r\n" BODY, false },
	{ "a name of many bytes", BASE "X-Keywords-Of-The-List: x\r\n" BODY,
		false },
	{ "in the body", BASE BODY "Status: RO\r\n", false },
	{ "folded behind a line that counts", BASE " Status: RO\r\n" BODY,
		false },
	{ "no colon", BASE "Status\r\n" BODY, false },
};

static void test_passing(const struct passing *p)
{
	struct identity base = identity(BASE BODY), id = identity(p->text);
	struct identity slow = identity_in(p->text, strlen(p->text), 1, 1);

	tap_ok(digest_equal(&id.content, &base.content) == p->same
		&& digest_equal(&id.content, &slow.content),
		"a line of the server's: %s", p->name);
}

/* A header without Received still tells messages apart. */
static void test_weak(void)
{
	struct identity a = identity("Message-ID: <1@x>\r\nDate: d\r\n\r\nb");
	struct identity b = identity("Message-ID: <1@x>\r\nDate: d\r\n\r\nc");
	struct identity c = identity("Message-ID: <2@x>\r\nDate: d\r\n\r\nb");
	struct identity none = identity("Subject: x\r\n\r\nb\r\n");
	struct identity base = identity(BASE BODY);

	tap_ok(a.is_weak && identity_like(&a, &b) && !identity_equal(&a, &b)
		&& !identity_like(&a, &c) && !identity_same_header(&a, &b)
		&& !identity_same(&a, &b), "a weak header");
	tap_ok(!none.is_weak && !identity_like(&none, &none)
		&& !identity_equal(&none, &none), "none at all");
	tap_ok(!base.is_weak && identity_like(&base, &base)
		&& identity_equal(&base, &base), "a strong one");
}

static bool same(const struct identity *a, const struct identity *b)
{
	return digest_equal(&a->content, &b->content)
		&& a->has_header == b->has_header && (!a->has_header
			|| digest_equal(&a->header, &b->header));
}

static void test_splits(void)
{
	struct identity whole, id;
	size_t i, k, len;
	bool ok = true;

	for (i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
		len = strlen(variants[i].text);
		whole = identity(variants[i].text);
		for (k = 0; k <= len; k++) {
			id = identity_in(variants[i].text, len, k, len + 1);
			ok = ok && same(&id, &whole);
		}
		id = identity_in(variants[i].text, len, 1, 1);
		ok = ok && same(&id, &whole);
	}
	tap_ok(ok, "split at every byte, they are the same");
}

/* A header line of `len` bytes named `name`, between others. */
static char *long_header(const char *name, size_t len, const char *eol,
	size_t *len_r)
{
	char *text = malloc(len + 1000);
	size_t n = (size_t)snprintf(text, 500, "Received: r%sSubject: s%s%s: ",
		eol, eol, name);

	memset(text + n, 'x', len);
	n += len;
	n += (size_t)snprintf(text + n, 500, "%sFrom: f%s%sbody%s", eol, eol,
		eol, eol);
	*len_r = n;
	return text;
}

/* Is the digest the same whatever the pieces, and whatever the line ends? */
static void test_long(const char *name, size_t len)
{
	size_t n, m;
	char *crlf = long_header(name, len, "\r\n", &n);
	char *lf = long_header(name, len, "\n", &m);
	struct identity a = identity_in(crlf, n, n, 1);
	struct identity b = identity_in(crlf, n, 1000, 16384);
	struct identity c = identity_in(crlf, n, 1, 1);
	struct identity d = identity_in(lf, m, m, 1);

	tap_ok(a.has_header && same(&a, &b) && same(&a, &c)
		&& identity_same_header(&a, &d),
		"a line %s of %zu bytes: one identity", name, len);
	/* TOP ends behind the header; RETR does not. */
	b = identity_in(crlf, n - 6, n, 1);
	tap_ok(identity_same_header(&a, &b), "the same in TOP and RETR");
	free(crlf);
	free(lf);
}

/* Two long subjects that differ: as far as a line is looked at, they are two
 * messages. */
static void test_long_differs(void)
{
	size_t n;
	char *text = long_header("Message-ID", 10000, "\r\n", &n);
	struct identity a = identity_in(text, n, n, 1), b;

	text[9000] = 'y';
	b = identity_in(text, n, n, 1);
	tap_ok(!identity_same_header(&a, &b), "a byte far in a line counts");
	free(text);
}

struct next {
	struct sink sink;
	size_t len;
	bool finished;
	char bytes[256];
};

static bool next_push(struct sink *sink, const char *data, size_t len,
	struct err *e)
{
	struct next *next = (struct next *)(void *)sink;

	if (next->len + len > sizeof(next->bytes))
		return err_set(e, ERR_RETRY, "full");
	memcpy(next->bytes + next->len, data, len);
	next->len += len;
	return true;
}

static bool next_finish(struct sink *sink, struct err *e)
{
	struct next *next = (struct next *)(void *)sink;

	(void)e;
	next->finished = true;
	return true;
}

static void test_next(void)
{
	struct next next = { .sink = { next_push, next_finish } };
	struct sink *sink = headers_start(headers, &next.sink);
	char block[300] = "";

	tap_ok(sink->push(sink, "a: b\r\n", 6, &err)
		&& sink->push(sink, "\r\nx", 3, &err) && !next.finished
		&& sink->finish(sink, &err) && next.finished && next.len == 9
		&& memcmp(next.bytes, "a: b\r\n\r\nx", 9) == 0,
		"all bytes go on unchanged");
	tap_ok(!sink->push(sink, block, sizeof(block), &err)
		&& err.class == ERR_RETRY, "a failure further on is told");
	tap_ok(identity(BASE BODY).has_header, "and the next message is new");
}

/* Beyond the part of a header that is looked at there is no identity. */
static void test_far(void)
{
	char *text = malloc(LIMIT_HEADER + 1000);
	size_t n;

	for (n = 0; n < LIMIT_HEADER; n += 8)
		memcpy(text + n, "X: abc\r\n", 8);
	n += (size_t)snprintf(text + n, 900, "%s", BASE BODY);
	tap_ok(!identity_in(text, n, 1000, 1000).has_header,
		"a Received line behind 64 KiB of others is not looked for");
	free(text);
}

static void test_none(void)
{
	struct identity none = identity_none(), id = identity(BASE);

	tap_ok(!identity_same(&none, &none) && !identity_same(&none, &id)
		&& !identity_same_header(&none, &none), "no identity is the "
		"same as none");
}

int main(void)
{
	static const size_t sizes[] = { LIMIT_HEADER_LINE - 20,
		LIMIT_HEADER_LINE, LIMIT_HEADER_LINE + 1, 60000,
		LIMIT_HEADER, 100000, 10000000 };
	size_t i;

	headers = headers_new();
	for (i = 0; i < sizeof(variants) / sizeof(variants[0]); i++)
		test_variant(&variants[i]);
	for (i = 0; i < sizeof(passing) / sizeof(passing[0]); i++)
		test_passing(&passing[i]);
	test_weak();
	test_splits();
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		test_long("X-Junk", sizes[i]);
		test_long("Message-ID", sizes[i]);
	}
	test_long_differs();
	test_far();
	test_next();
	test_none();
	headers_free(headers);
	return tap_done();
}
