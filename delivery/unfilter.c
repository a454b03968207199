/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "delivery/unfilter.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "agent/base/arena.h"

#define BLOCK 16384

static const char from[] = "From ";
#define FROM_LEN (sizeof(from) - 1)

struct unfilter {
	struct source source;
	const struct item *item;
	struct filter_options form;
	uint64_t at;			/* in the staged message */
	uint64_t left;			/* of the message */
	z_stream z;
	bool lead;			/* the From_ line is yet to go */
	bool probing;			/* at the start of a line that may be
					 * quoted: so far it is... */
	size_t depth, matched;		/* ...so many '>', letters of "From " */
	size_t quotes, shown, letters;	/* what of them is to go out next */
	size_t raw_at, raw_len;
	char raw[BLOCK];		/* inflated, or as staged */
	char packed[BLOCK];
};

static bool not_whole(const struct unfilter *u, struct err *err)
{
	return err_set(err, ERR_MSG, "the staged file %s is not whole",
		u->item->name);
}

static bool read_packed(struct unfilter *u, struct err *err)
{
	size_t got;

	if (u->z.avail_in != 0)
		return true;
	if (!stage_read(u->item, u->packed, BLOCK, u->at, &got, err))
		return false;
	u->at += got;
	u->z.next_in = (Bytef *)u->packed;
	u->z.avail_in = (uInt)got;
	return got != 0 || not_whole(u, err);
}

static bool inflate_some(struct unfilter *u, struct err *err)
{
	int rc;

	u->z.next_out = (Bytef *)u->raw;
	u->z.avail_out = BLOCK;
	do {
		if (!read_packed(u, err))
			return false;
		rc = inflate(&u->z, Z_NO_FLUSH);
	} while (rc == Z_OK && u->z.avail_out == BLOCK);
	u->raw_len = BLOCK - u->z.avail_out;
	return u->raw_len != 0 || not_whole(u, err);
}

/* Some more bytes into `raw`. */
static bool refill(struct unfilter *u, struct err *err)
{
	u->raw_at = 0;
	if (u->form.gzip)
		return inflate_some(u, err);
	if (!stage_read(u->item, u->raw, BLOCK, u->at, &u->raw_len, err))
		return false;
	u->at += u->raw_len;
	return u->raw_len != 0 || not_whole(u, err);
}

/* At the start of a line: true if the byte is held back. Else what was held
 * back goes out, less the one '>' that the mboxrd filter has put there. */
static bool probe(struct unfilter *u, char byte)
{
	if (u->matched == 0 && byte == '>') {
		u->depth++;
		return true;
	}
	if (u->matched < FROM_LEN && byte == from[u->matched]) {
		u->matched++;
		return true;
	}
	u->probing = false;
	u->quotes = u->depth - (u->matched == FROM_LEN && u->depth != 0);
	u->shown = 0;
	u->letters = u->matched;
	return false;
}

/* One byte of the message; its line end as on the wire. */
static size_t put(struct unfilter *u, char byte, char *out)
{
	size_t n = 0;

	if (byte == '\n') {
		out[n++] = '\r';
		u->probing = u->form.mboxrd;
		u->depth = u->matched = 0;
	}
	out[n++] = byte;
	u->left--;
	return n;
}

static size_t take_raw(struct unfilter *u, char *out)
{
	char byte = u->raw[u->raw_at];

	if (u->lead) {
		u->lead = byte != '\n';
		u->raw_at++;
		return 0;
	}
	if (u->probing) {
		u->raw_at += probe(u, byte);
		return 0;
	}
	u->raw_at++;
	return put(u, byte, out);
}

static bool unfilter_pull(struct source *src, char *buf, size_t cap,
	size_t *len_r, struct err *err)
{
	struct unfilter *u = (struct unfilter *)(void *)src;
	size_t n = 0;

	while (u->left != 0 && n + 2 <= cap) {
		if (u->quotes != 0) {
			u->quotes--;
			n += put(u, '>', buf + n);
		} else if (u->shown < u->letters) {
			n += put(u, from[u->shown++], buf + n);
		} else if (u->raw_at < u->raw_len) {
			n += take_raw(u, buf + n);
		} else if (!refill(u, err)) {
			return false;
		}
	}
	*len_r = n;
	return true;
}

struct unfilter *unfilter_new(void)
{
	struct unfilter *u = mem_head(sizeof(*u), offsetof(struct unfilter, raw));

	/* 15 + 16: the largest window, in gzip framing. */
	if (inflateInit2(&u->z, 15 + 16) != Z_OK)
		mem_exhausted();	/* it can only be memory */
	u->source = (struct source){ unfilter_pull };
	return u;
}

void unfilter_free(struct unfilter *u)
{
	if (u == NULL)
		return;
	inflateEnd(&u->z);
	free(u);
}

struct source *unfilter_start(struct unfilter *u, const struct item *item,
	struct filter_options form)
{
	inflateReset(&u->z);
	u->z.avail_in = 0;
	u->item = item;
	u->form = form;
	u->at = 0;
	u->left = item->size;
	u->lead = u->probing = form.mboxrd;
	u->depth = u->matched = u->quotes = u->shown = u->letters = 0;
	u->raw_at = u->raw_len = 0;
	return &u->source;
}
