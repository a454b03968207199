/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "delivery/filter.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "agent/base/arena.h"
#include "agent/base/fsx.h"

#define BUFFER 16384

/* How far a line has matched ^>*From and space. */
enum from_state { FROM_START, FROM_F, FROM_R, FROM_O, FROM_M, FROM_NO };

struct filter_chain {
	struct sink eol, mboxrd, gzip, file;
	struct sink *after_eol, *bottom;
	bool held_cr;			/* eol: a CR whose LF may follow */
	bool final_lf;
	char last;			/* eol: the last byte that passed */
	enum from_state from;		/* mboxrd */
	size_t depth;			/* mboxrd: '>' held back */
	z_stream z;
	bool has_gzip;
	size_t in_len, out_len;
	int fd;
	const char *what, *trail;
	uint64_t size, stored;
	char out[BUFFER];		/* what goes to the file next */
	char in[BUFFER];		/* gzip: what is deflated next */
};

#define CHAIN(sink, member) \
	((struct filter_chain *)(void *)((char *)(sink) \
		- offsetof(struct filter_chain, member)))

/* file: collects small pieces, writes big ones. */

static bool file_flush(struct filter_chain *c, struct err *err)
{
	size_t len = c->out_len;

	c->out_len = 0;
	c->stored += len;
	return fsx_write(c->fd, c->out, len, c->what, err);
}

static bool file_push(struct sink *sink, const char *data, size_t len,
	struct err *err)
{
	struct filter_chain *c = CHAIN(sink, file);

	if (c->out_len + len > sizeof(c->out) && !file_flush(c, err))
		return false;
	if (len > sizeof(c->out)) {
		c->stored += len;
		return fsx_write(c->fd, data, len, c->what, err);
	}
	memcpy(c->out + c->out_len, data, len);
	c->out_len += len;
	return true;
}

static bool file_finish(struct sink *sink, struct err *err)
{
	return file_flush(CHAIN(sink, file), err);
}

/* gzip: collects lines, as each call of zlib costs more than a line, and
 * deflates straight into the file's buffer. */

static bool deflate_some(struct filter_chain *c, int mode, struct err *err)
{
	int rc;

	do {
		if (c->out_len == sizeof(c->out) && !file_flush(c, err))
			return false;
		c->z.next_out = (Bytef *)c->out + c->out_len;
		c->z.avail_out = (uInt)(sizeof(c->out) - c->out_len);
		rc = deflate(&c->z, mode);
		c->out_len = sizeof(c->out) - c->z.avail_out;
		if (rc == Z_STREAM_ERROR)
			return err_set(err, ERR_RETRY, "zlib failed");
	} while (c->z.avail_out == 0 || (mode == Z_FINISH && rc != Z_STREAM_END));
	return true;
}

static bool deflate_in(struct filter_chain *c, int mode, struct err *err)
{
	c->z.next_in = (Bytef *)c->in;
	c->z.avail_in = (uInt)c->in_len;
	c->in_len = 0;
	return deflate_some(c, mode, err);
}

static bool gzip_push(struct sink *sink, const char *data, size_t len,
	struct err *err)
{
	struct filter_chain *c = CHAIN(sink, gzip);
	size_t n;

	while (len != 0) {
		if (c->in_len == sizeof(c->in)
		    && !deflate_in(c, Z_NO_FLUSH, err))
			return false;
		n = sizeof(c->in) - c->in_len;
		if (n > len)
			n = len;
		memcpy(c->in + c->in_len, data, n);
		c->in_len += n;
		data += n;
		len -= n;
	}
	return true;
}

static bool gzip_finish(struct sink *sink, struct err *err)
{
	struct filter_chain *c = CHAIN(sink, gzip);

	return deflate_in(c, Z_FINISH, err) && file_flush(c, err);
}

/* mboxrd: holds back '>'s and the start of "From " until it is decided. */

static bool quote_release(struct filter_chain *c, bool quote, struct err *err)
{
	static const char run[] = ">>>>>>>>>>>>>>>>";
	static const char from[] = "From ";
	size_t n, letters = (size_t)c->from;

	if (quote && !c->bottom->push(c->bottom, ">", 1, err))
		return false;
	while (c->depth != 0) {
		n = c->depth < sizeof(run) - 1 ? c->depth : sizeof(run) - 1;
		if (!c->bottom->push(c->bottom, run, n, err))
			return false;
		c->depth -= n;
	}
	c->from = FROM_NO;
	return c->bottom->push(c->bottom, from, letters, err);
}

/* One byte at the start of a line; true in *taken_r if it was held back. */
static bool quote_step(struct filter_chain *c, char b, bool *taken_r,
	struct err *err)
{
	static const char expected[] = "From ";

	*taken_r = true;
	if (c->from == FROM_START && b == '>') {
		c->depth++;
		return true;
	}
	if (b == expected[c->from] && c->from < FROM_M) {
		c->from++;
		return true;
	}
	*taken_r = false;
	return quote_release(c, c->from == FROM_M && b == ' ', err);
}

static bool quote_push(struct sink *sink, const char *data, size_t len,
	struct err *err)
{
	struct filter_chain *c = CHAIN(sink, mboxrd);
	const char *lf;
	bool taken;
	size_t n;

	while (len != 0) {
		if (c->from != FROM_NO) {
			if (!quote_step(c, *data, &taken, err))
				return false;
			if (taken) {
				data++;
				len--;
				continue;
			}
		}
		lf = memchr(data, '\n', len);
		n = lf == NULL ? len : (size_t)(lf - data) + 1;
		if (!c->bottom->push(c->bottom, data, n, err))
			return false;
		if (lf != NULL)
			c->from = FROM_START;
		data += n;
		len -= n;
	}
	return true;
}

static bool quote_finish(struct sink *sink, struct err *err)
{
	struct filter_chain *c = CHAIN(sink, mboxrd);

	if (c->from != FROM_NO && !quote_release(c, false, err))
		return false;
	return c->bottom->push(c->bottom, c->trail, strlen(c->trail), err)
		&& c->bottom->finish(c->bottom, err);
}

/* eol: CRLF becomes LF; the last line may get one. */

static bool eol_pass(struct filter_chain *c, const char *data, size_t len,
	struct err *err)
{
	if (len != 0)
		c->last = data[len - 1];
	c->size += len;
	return c->after_eol->push(c->after_eol, data, len, err);
}

static bool eol_push(struct sink *sink, const char *data, size_t len,
	struct err *err)
{
	struct filter_chain *c = CHAIN(sink, eol);
	const char *cr, *end = data + len;

	if (len != 0 && c->held_cr) {
		c->held_cr = false;
		if (*data != '\n' && !eol_pass(c, "\r", 1, err))
			return false;
	}
	while (data < end) {
		cr = memchr(data, '\r', (size_t)(end - data));
		if (cr == NULL)
			return eol_pass(c, data, (size_t)(end - data), err);
		if (cr + 1 == end) {
			c->held_cr = true;
			return eol_pass(c, data, (size_t)(cr - data), err);
		}
		/* The CR goes only if its LF follows. */
		if (!eol_pass(c, data, (size_t)(cr - data) + (cr[1] != '\n'),
			err))
			return false;
		data = cr + 1;
	}
	return true;
}

static bool eol_finish(struct sink *sink, struct err *err)
{
	struct filter_chain *c = CHAIN(sink, eol);

	if (c->held_cr && !eol_pass(c, "\r", 1, err))
		return false;
	/* It is no byte of the message, and not counted as one. */
	if (c->final_lf && c->last != '\n'
	    && !c->after_eol->push(c->after_eol, "\n", 1, err))
		return false;
	return c->after_eol->finish(c->after_eol, err);
}

struct filter_chain *filter_new(const struct filter_options *options)
{
	struct filter_chain *c = mem_head(sizeof(*c),
		offsetof(struct filter_chain, out));

	c->eol = (struct sink){ eol_push, eol_finish };
	c->mboxrd = (struct sink){ quote_push, quote_finish };
	c->gzip = (struct sink){ gzip_push, gzip_finish };
	c->file = (struct sink){ file_push, file_finish };
	c->bottom = options->gzip ? &c->gzip : &c->file;
	c->after_eol = options->mboxrd ? &c->mboxrd : c->bottom;
	c->has_gzip = options->gzip;
	c->final_lf = options->final_lf;
	/* 15 + 16: the largest window, in gzip framing. zlib's default
	 * level saves a twentieth more, and takes twice as long. */
	if (c->has_gzip && deflateInit2(&c->z, Z_BEST_SPEED, Z_DEFLATED,
		15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		mem_exhausted();	/* it can only be memory */
	return c;
}

void filter_free(struct filter_chain *c)
{
	if (c == NULL)
		return;
	if (c->has_gzip)
		deflateEnd(&c->z);
	free(c);
}

struct sink *filter_start(struct filter_chain *c, int fd, const char *what,
	const char *lead, const char *trail, struct err *err)
{
	c->held_cr = false;
	c->last = '\0';
	c->from = FROM_START;
	c->depth = 0;
	c->in_len = c->out_len = 0;
	c->size = c->stored = 0;
	c->fd = fd;
	c->what = what;
	c->trail = trail;
	if (c->has_gzip)
		deflateReset(&c->z);
	if (lead[0] != '\0' && !c->bottom->push(c->bottom, lead, strlen(lead),
		err))
		return NULL;
	return &c->eol;
}

uint64_t filter_size(const struct filter_chain *c)
{
	return c->size;
}

uint64_t filter_stored(const struct filter_chain *c)
{
	return c->stored;
}
