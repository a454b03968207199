/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "delivery/filter.h"
#include "tests/unit/delivery/filter_reference.h"

/*
 * Any bytes as a message, in any pieces: the file holds what filters make of
 * it that see it whole, and unquoting gives the message back. The first byte
 * chooses the chain, the second how the message is cut.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LEAD "From x\n"
#define TRAIL "\n"

static void push_all(struct sink *sink, const char *in, size_t len,
	uint32_t seed)
{
	struct err err = ERR_INIT;
	size_t at = 0, n;
	char *piece;

	while (at < len) {
		seed = seed * 1664525u + 1013904223u;
		n = 1 + (seed >> 30 == 0 ? seed >> 16 & 1023 : seed >> 16 & 7);
		if (n > len - at)
			n = len - at;
		piece = malloc(n);
		memcpy(piece, in + at, n);
		assert(sink->push(sink, piece, n, &err));
		free(piece);
		at += n;
	}
	assert(sink->finish(sink, &err));
}

/* One member; its end must be the end of the file. */
static size_t gunzip(const char *in, size_t len, char *out, size_t cap)
{
	z_stream z;
	size_t n;

	memset(&z, 0, sizeof(z));
	assert(inflateInit2(&z, 15 + 16) == Z_OK);
	z.next_in = (z_const Bytef *)(uintptr_t)in;
	z.avail_in = (uInt)len;
	z.next_out = (Bytef *)out;
	z.avail_out = (uInt)cap;
	assert(inflate(&z, Z_FINISH) == Z_STREAM_END && z.avail_in == 0);
	n = cap - z.avail_out;
	inflateEnd(&z);
	return n;
}

/* Takes one '>' from every line that matches ^>>*From and space. */
static size_t unquote(const char *in, size_t len, char *out)
{
	size_t at = 0, end, run, n = 0;

	while (at < len) {
		for (end = at; end < len && in[end] != '\n'; end++)
			;
		end += end < len;
		for (run = at; run < end && in[run] == '>'; run++)
			;
		if (run > at && end - run >= 5
		    && memcmp(in + run, "From ", 5) == 0)
			at++;
		memcpy(out + n, in + at, end - at);
		n += end - at;
		at = end;
	}
	return n;
}

static void compare(const char *in, size_t len, bool mboxrd, bool final_lf,
	const char *got, size_t got_len)
{
	size_t lead = strlen(LEAD), trail = strlen(TRAIL), n;
	char *eol = malloc(len + 1), *quoted = malloc(2 * len + 2);
	size_t eol_len = eol_reference(in, len, eol);

	if (final_lf && (eol_len == 0 || eol[eol_len - 1] != '\n'))
		eol[eol_len++] = '\n';
	if (!mboxrd) {
		assert(got_len == eol_len && memcmp(got, eol, eol_len) == 0);
	} else {
		n = quote_reference(eol, eol_len, quoted);
		assert(got_len == lead + n + trail
			&& memcmp(got, LEAD, lead) == 0
			&& memcmp(got + lead, quoted, n) == 0
			&& memcmp(got + lead + n, TRAIL, trail) == 0);
		assert(unquote(got + lead, n, quoted) == eol_len
			&& memcmp(quoted, eol, eol_len) == 0);
	}
	free(eol);
	free(quoted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct filter_chain *chains[8];
	static FILE *file;
	const char *in = (const char *)data + 2;
	struct err err = ERR_INIT;
	size_t stored, cap = 2 * size + 100, n;
	char *raw = malloc(cap), *got = malloc(cap);
	bool mboxrd, gzip, final_lf;
	struct sink *sink;
	int which, fd;

	if (file == NULL)
		file = tmpfile();
	assert(file != NULL);
	fd = fileno(file);
	which = size < 2 ? 0 : data[0] & 7;
	mboxrd = (which & 1) != 0;
	gzip = (which & 2) != 0;
	final_lf = (which & 4) != 0;
	if (chains[which] == NULL)
		chains[which] = filter_new(&(struct filter_options){ mboxrd,
			gzip, final_lf });
	assert(ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	sink = filter_start(chains[which], fd, "file", mboxrd ? LEAD : "",
		mboxrd ? TRAIL : "", &err);
	assert(sink != NULL);
	if (size >= 2) {
		push_all(sink, in, size - 2, data[1]);
		stored = (size_t)pread(fd, raw, cap, 0);
		assert(stored == filter_stored(chains[which]));
		assert(filter_size(chains[which])
			== eol_reference(in, size - 2, got));
		n = gzip ? gunzip(raw, stored, got, cap) : stored;
		compare(in, size - 2, mboxrd, final_lf, gzip ? got : raw, n);
	}
	free(raw);
	free(got);
	return 0;
}
