/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "delivery/filter.h"
#include "tests/unit/delivery/filter_reference.h"

/*
 * The sinks against filters that see the whole message at once: the same
 * bytes in the file, however the message comes in pieces.
 */

#define MAX 4096

static struct err err = ERR_INIT;

struct text {
	size_t len;
	char bytes[4 * MAX];
};

struct message {
	const char *name, *bytes;
	size_t len;
};

#define M(name, bytes) { name, bytes, sizeof(bytes) - 1 }

static const struct message messages[] = {
	M("empty", ""), M("CRLF", "\r\n"), M("one line", "abc\r\n"),
	M("no line end", "abc"), M("CR at the end", "abc\r"),
	M("CRs at the end", "abc\r\r\r"), M("bare LF", "a\nb\n\n"),
	M("bare CR", "a\rb\r\rc\r\n"), M("CR CR LF", "a\r\r\nb\r\r\r\n"),
	M("LF CR", "a\n\rb\n\r\n"), M("CR CRLF LF", "\r\r\n\n\r"),
	M("NUL and 8-bit", "\0\xff\r\n\0\r\n\x80\r"),
	M("From", "From a\r\n"), M("From at the end", "x\r\nFrom "),
	M("From cut short", "x\r\nFrom"), M("Fro", "x\r\nFro"),
	M("F", "x\r\nF"), M("From:", "From: a\r\n"),
	M("Fromage", "Fromage \r\n"), M("from", "from a\r\nFROM b\r\n"),
	M(">From", ">From a\r\n>>From b\r\n>> From c\r\n> From d\r\n"),
	M("> only", ">\r\n>>>\r\n>"), M(">F>From", ">F>From a\r\n"),
	M("FFrom", "FFrom a\r\nFrFrom b\r\n"),
	M("a blank before", " From a\r\n\tFrom b\r\n"),
	M("behind bare LF", "a\nFrom b\n>From c\n"),
	M("behind bare CR", "a\rFrom b\r>From c\r\n"),
	M("behind CR CR LF", "a\r\r\nFrom b\r\n"),
	M("CR inside", "Fr\rom a\r\nFrom\r \r\nFrom\r\n \r\n"),
	M("NUL before", "\0From a\r\n"), M("lines", "\r\n\r\nFrom a\r\n\r\n"),
};
#define MESSAGES (sizeof(messages) / sizeof(messages[0]))

static void put(struct text *t, const char *bytes, size_t len)
{
	memcpy(t->bytes + t->len, bytes, len);
	t->len += len;
}

/* The message in pieces of `step` bytes after a first one of `first`. */
static bool feed(struct sink *sink, const char *in, size_t len, size_t first,
	size_t step)
{
	size_t at = 0, n = first;

	while (at < len) {
		if (n > len - at)
			n = len - at;
		if (!sink->push(sink, in + at, n, &err))
			return false;
		at += n;
		n = step;
	}
	return sink->push(sink, "", 0, &err) && sink->finish(sink, &err);
}

static bool read_back(int fd, struct text *out)
{
	ssize_t n = pread(fd, out->bytes, sizeof(out->bytes), 0);

	out->len = n < 0 ? 0 : (size_t)n;
	return n >= 0 && ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0;
}

/* All members of a gzip file; false unless the last one is complete. */
static bool gunzip(struct text *t)
{
	static struct text out;
	z_stream z;
	int rc = Z_OK;

	memset(&z, 0, sizeof(z));
	if (inflateInit2(&z, 15 + 16) != Z_OK)
		return false;
	z.next_in = (Bytef *)t->bytes;
	z.avail_in = (uInt)t->len;
	z.next_out = (Bytef *)out.bytes;
	z.avail_out = sizeof(out.bytes);
	while (z.avail_in != 0 && (rc = inflate(&z, Z_NO_FLUSH)) >= 0)
		if (rc == Z_STREAM_END && z.avail_in != 0)
			inflateReset(&z);
	out.len = sizeof(out.bytes) - z.avail_out;
	inflateEnd(&z);
	*t = out;
	return rc == Z_STREAM_END;
}

static int scratch_file(void)
{
	FILE *file = tmpfile();

	return file == NULL ? -1 : fileno(file);
}

struct chain {
	const char *name, *lead, *trail;
	struct filter_options options;	/* mboxrd, gzip, final_lf */
};

static const struct chain chains[] = {
	{ "eol", "", "", { false, false, false } },
	{ "mboxrd", "From x\n", "\n", { true, false, false } },
	{ "gzip", "", "", { false, true, false } },
	{ "mboxrd and gzip", "From x\n", "\n", { true, true, false } },
	{ "a last LF", "", "", { false, false, true } },
	{ "a last LF and all else", "From x\n", "\n", { true, true, true } },
};

/* What the file must hold for a message, before compression. */
static size_t expect(const struct chain *c, const char *in, size_t len,
	struct text *out)
{
	static struct text eol, quoted;
	size_t size;

	size = eol.len = eol_reference(in, len, eol.bytes);
	if (c->options.final_lf && (size == 0 || eol.bytes[size - 1] != '\n'))
		put(&eol, "\n", 1);
	quoted.len = quote_reference(eol.bytes, eol.len, quoted.bytes);
	out->len = 0;
	put(out, c->lead, strlen(c->lead));
	if (c->options.mboxrd)
		put(out, quoted.bytes, quoted.len);
	else
		put(out, eol.bytes, eol.len);
	put(out, c->trail, strlen(c->trail));
	return size;
}

static bool right(struct filter_chain *f, const struct chain *c, int fd,
	const char *in, size_t len, size_t first, size_t step)
{
	static struct text expected, got;
	size_t size = expect(c, in, len, &expected);
	struct sink *sink = filter_start(f, fd, "file", c->lead, c->trail,
		&err);

	if (sink == NULL || !feed(sink, in, len, first, step)
	    || !read_back(fd, &got) || filter_size(f) != size
	    || filter_stored(f) != got.len)
		return false;
	if (c->options.gzip && !gunzip(&got))
		return false;
	return got.len == expected.len
		&& memcmp(got.bytes, expected.bytes, got.len) == 0;
}

/* In two pieces split anywhere, and byte by byte. */
static bool right_split(struct filter_chain *f, const struct chain *c, int fd,
	const char *in, size_t len)
{
	size_t first;

	for (first = 0; first <= len; first++)
		if (!right(f, c, fd, in, len, first, len + 1))
			return false;
	return right(f, c, fd, in, len, 1, 1);
}

static void test_chain(const struct chain *c, int fd)
{
	struct filter_chain *f = filter_new(&c->options);
	size_t i;

	for (i = 0; i < MESSAGES; i++)
		tap_ok(right_split(f, c, fd, messages[i].bytes,
			messages[i].len), "%s: %s", c->name, messages[i].name);
	filter_free(f);
}

/* Any number of '>' before "From ", split at every byte. */
static void test_depth(const struct chain *c, int fd)
{
	static const size_t depths[] = { 1, 15, 16, 17, 31, 32, 33, 500, 800 };
	struct filter_chain *f = filter_new(&c->options);
	char in[MAX];
	size_t i, n;
	bool ok = true;

	for (i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
		n = depths[i];
		memset(in, '>', n);
		memcpy(in + n, "From x\r\n", 8);
		memset(in + n + 8, '>', n);
		memcpy(in + 2 * n + 8, "Frox\r\n", 6);
		ok = ok && right_split(f, c, fd, in, 2 * n + 14);
	}
	tap_ok(ok, "%s: hundreds of >", c->name);
	filter_free(f);
}

/* Every string over the bytes that matter. */
static void test_all(const struct chain *c, int fd, const char *alphabet,
	size_t max)
{
	struct filter_chain *f = filter_new(&c->options);
	size_t base = strlen(alphabet), len, i, code, rest, count = 1;
	char in[16];
	bool ok = true;

	for (len = 1; len <= max; len++) {
		count *= base;
		for (code = 0; ok && code < count; code++) {
			for (rest = code, i = 0; i < len; i++, rest /= base)
				in[i] = alphabet[rest % base];
			ok = right_split(f, c, fd, in, len);
		}
	}
	tap_ok(ok, "%s: all strings up to %zu bytes", c->name, max);
	filter_free(f);
}

/* More than any buffer holds, compressible or not. */
static void test_large(const struct chain *c, size_t len, bool random_bytes)
{
	struct filter_chain *f = filter_new(&c->options);
	char *in = malloc(len), *got = malloc(2 * len + 1000);
	int fd = scratch_file();
	struct sink *sink = filter_start(f, fd, "file", "", "", &err);
	gzFile file;
	size_t i;
	int n;

	srandom(7);
	for (i = 0; i < len; i++)
		in[i] = (char)(random_bytes ? (size_t)random() | 0x80
			: 'a' + i % 50);
	tap_ok(sink != NULL && feed(sink, in, len, 1, 32768)
		&& filter_size(f) == len && (off_t)filter_stored(f)
		== lseek(fd, 0, SEEK_END), "%s: %zu bytes", c->name, len);
	lseek(fd, 0, SEEK_SET);
	file = gzdopen(dup(fd), "r");
	n = gzread(file, got, (unsigned int)(2 * len + 1000));
	tap_ok(n == (int)len + c->options.final_lf && memcmp(in, got, len) == 0, "come back");
	gzclose(file);
	close(fd);
	free(in);
	free(got);
	filter_free(f);
}

/* A message that broke off leaves nothing behind for the next. */
static void test_again(const struct chain *c, int fd)
{
	struct filter_chain *f = filter_new(&c->options);
	static const char broken[] = "Subject: broken\r\n\r\n>>From\r";
	struct sink *sink;
	bool ok;

	sink = filter_start(f, fd, "file", c->lead, c->trail, &err);
	ok = sink != NULL && sink->push(sink, broken, sizeof(broken) - 1, &err)
		&& ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0;
	tap_ok(ok && right(f, c, fd, "From a\r\n", 8, 1, 1),
		"%s: after a message that broke off", c->name);
	filter_free(f);
}

static bool fails(struct filter_chain *f, size_t len)
{
	int fd = open("/dev/full", O_WRONLY);
	struct sink *sink;
	char block[1000];
	bool ok = true;
	size_t i;

	memset(&err, 0, sizeof(err));
	sink = filter_start(f, fd, "the full file", "", "", &err);
	for (i = 0; ok && i < len; i += sizeof(block)) {
		memset(block, (int)(random() | 0x80), sizeof(block));
		block[i % 999] = (char)random();
		ok = sink->push(sink, block, sizeof(block), &err);
	}
	ok = ok && sink->finish(sink, &err);
	close(fd);
	return !ok && err.class == ERR_RETRY && err.sys == ENOSPC
		&& strstr(err.text, "the full file") != NULL;
}

static void test_full(const struct chain *c)
{
	struct filter_chain *f = filter_new(&c->options);

	tap_ok(fails(f, 1000), "%s: a full disk is told at the end", c->name);
	tap_ok(fails(f, 8000000), "%s: and on the way", c->name);
	filter_free(f);
}

/* lead is written whatever the chain is. */
static void test_trail(int fd)
{
	static const struct chain plain = { "eol", "lead\n", "",
		{ false, false, false } };
	struct filter_chain *f = filter_new(&plain.options);

	tap_ok(right(f, &plain, fd, "a\r\n", 3, 1, 1),
		"lead without quoting");
	filter_free(f);
}

int main(void)
{
	int fd = scratch_file();
	size_t i;

	for (i = 0; i < sizeof(chains) / sizeof(chains[0]); i++) {
		test_chain(&chains[i], fd);
		test_depth(&chains[i], fd);
		test_again(&chains[i], fd);
		test_full(&chains[i]);
		test_large(&chains[i], 100, false);
		test_large(&chains[i], 1000000, false);
		test_large(&chains[i], 1000000, true);
	}
	test_all(&chains[0], fd, "\r\na", 6);
	test_all(&chains[1], fd, "\n>Frm ", 4);
	test_all(&chains[4], fd, "\r\na", 6);
	test_trail(fd);
	return tap_done();
}
