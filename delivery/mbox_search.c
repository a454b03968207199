/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "delivery/mbox_search.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/arena.h"
#include "agent/base/fsx.h"
#include "agent/base/limits.h"
#include "delivery/mbox_canon.h"

/* The mbox is read in pieces of this size; so many bytes are to be seen at
 * once, unless it ends: a From_ line, or what a gzip member begins with. */
#define PIECE (1u << 20)
#define AHEAD 4096
#define BLOCK 16384
/* Our From_ lines are shorter, and a compressed one cannot be told from its
 * first bytes. */
#define LEAD 256

/* A staged message that is looked for. */
struct target {
	struct mbox_sought *sought;
	size_t lead_len;
	char lead[LEAD];		/* its From_ line; how the member begins */
	struct digest digest;
	uint64_t ends;			/* line ends behind what is digested */
	/* Of the message that has its From_ line but is not it. */
	struct digest other;
	uint64_t other_len;
};

struct search {
	int fd;
	const char *path;
	struct target *targets;
	size_t count;
	struct mbox_canon *canon;
	uint64_t at;			/* of `piece` in the mbox */
	size_t len;			/* less than PIECE: to the end */
	bool begun;
	char *piece;
};

/* Shows the bytes at `at`: at least AHEAD of them, or all there are. */
static bool show(struct search *s, uint64_t at, const char **p_r, size_t *n_r,
	struct err *err)
{
	if (!s->begun || at < s->at || at > s->at + s->len
	    || (s->len == PIECE && s->at + s->len - at < AHEAD)) {
		s->begun = true;
		s->at = at;
		if (!fsx_pread(s->fd, s->piece, PIECE, at, &s->len, s->path,
			err))
			return false;
	}
	*p_r = s->piece + (at - s->at);
	*n_r = (size_t)(s->at + s->len - at);
	return true;
}

/* The next place of `token` at or behind *at; false in *there_r if there is
 * none, with *at at the end of the file. */
static bool next_token(struct search *s, const char *token, size_t len,
	uint64_t *at, bool *there_r, struct err *err)
{
	const char *p, *hit;
	size_t n;

	for (;;) {
		if (!show(s, *at, &p, &n, err))
			return false;
		hit = memmem(p, n, token, len);
		*there_r = hit != NULL;
		if (hit != NULL) {
			*at += (uint64_t)(hit - p);
			return true;
		}
		if (s->len < PIECE) {
			*at += n;
			return true;
		}
		*at += n - (len - 1);
	}
}

static bool is_open(const struct target *t)
{
	return t->sought->item->state != ITEM_DELIVERED;
}

/* Plain mboxes: every message that has one of our From_ lines is digested. */

/* The next that is still looked for and begins as the message at `p` does. */
static struct target *begins_as(const struct search *s, struct target *t,
	const char *p, size_t n)
{
	for (; t < s->targets + s->count; t++)
		if (is_open(t) && t->lead_len <= n
		    && memcmp(t->lead, p, t->lead_len) == 0)
			return t;
	return NULL;
}

static bool digest_message(struct search *s, uint64_t at, uint64_t end,
	struct digest *digest_r, uint64_t *len_r, uint64_t *ends_r,
	struct err *err)
{
	const char *p;
	size_t n;

	for (; at < end; at += n) {
		if (!show(s, at, &p, &n, err))
			return false;
		if (n > end - at)
			n = (size_t)(end - at);
		mbox_canon_add(s->canon, p, n);
		if (n == 0)
			break;
	}
	*digest_r = mbox_canon_take(s->canon, len_r, ends_r);
	return true;
}

/* The message in [at, end) has the From_ line of `first`; which is it? Those
 * that were staged by versions before 2 may share one. With fewer line ends it
 * may have been cut off among them before a reader wrote it anew. */
static bool compare(struct search *s, struct target *first, uint64_t at,
	uint64_t end, struct err *err)
{
	struct digest digest;
	struct target *t;
	uint64_t len, ends;

	if (!digest_message(s, at, end, &digest, &len, &ends, err))
		return false;
	for (t = first; t != NULL; t = begins_as(s, t + 1, first->lead,
		first->lead_len))
		if (digest_equal(&t->digest, &digest) && ends >= t->ends) {
			t->sought->item->state = ITEM_DELIVERED;
			return true;
		}
	first->sought->at = at;
	first->sought->end = end;
	first->other = digest;
	first->other_len = len;
	return true;
}

/* A message begins at `at`; *next_r is where the one behind it does. */
static bool see_message(struct search *s, uint64_t at, uint64_t *next_r,
	bool *more_r, struct err *err)
{
	struct target *t;
	const char *p;
	size_t n;

	if (!show(s, at, &p, &n, err))
		return false;
	t = begins_as(s, s->targets, p, n);
	*next_r = at;
	if (!next_token(s, "\nFrom ", 6, next_r, more_r, err))
		return false;
	*next_r += *more_r;
	return t == NULL || compare(s, t, at, *next_r, err);
}

static bool read_mbox(struct search *s, uint64_t from, struct err *err)
{
	const char *p;
	uint64_t at = from;
	bool more;
	size_t n;

	if (!show(s, at, &p, &n, err))
		return false;
	more = n >= 5 && memcmp(p, "From ", 5) == 0;
	if (!more) {
		if (!next_token(s, "\nFrom ", 6, &at, &more, err))
			return false;
		at++;
	}
	while (more)
		if (!see_message(s, at, &at, &more, err))
			return false;
	return true;
}

/* Compressed ones: a member is found byte by byte. */

static bool same_bytes(struct search *s, const struct target *t, uint64_t at,
	bool *same_r, struct err *err)
{
	const struct item *item = t->sought->item;
	char ours[BLOCK] UNFILLED;
	const char *p;
	size_t got, n;
	uint64_t done = 0;

	for (*same_r = true; *same_r && done < item->stored; done += got) {
		if (!stage_read(item, ours, BLOCK, done, &got, err))
			return false;
		if (!show(s, at + done, &p, &n, err))
			return false;
		if (got > n)
			got = n;
		*same_r = got != 0 && memcmp(ours, p, got) == 0;
	}
	return true;
}

static bool try_member(struct search *s, uint64_t at, struct err *err)
{
	struct target *t = s->targets;
	const char *p;
	bool same;
	size_t n;

	for (; t < s->targets + s->count; t++) {
		if (!show(s, at, &p, &n, err))
			return false;
		if (!is_open(t) || n < t->lead_len
		    || memcmp(p, t->lead, t->lead_len) != 0)
			continue;
		if (!same_bytes(s, t, at, &same, err))
			return false;
		if (same) {
			t->sought->item->state = ITEM_DELIVERED;
			return true;
		}
	}
	return true;
}

static bool read_members(struct search *s, uint64_t from, struct err *err)
{
	uint64_t at = from;
	bool there = true;

	while (there) {
		if (!next_token(s, "\x1f\x8b\x08", 3, &at, &there, err)
		    || (there && !try_member(s, at, err)))
			return false;
		at++;
	}
	return true;
}

static bool digest_staged(struct search *s, const struct item *item,
	struct digest *digest_r, uint64_t *len_r, uint64_t *ends_r,
	struct err *err)
{
	char block[BLOCK] UNFILLED;
	uint64_t at = 0;
	size_t got;

	do {
		if (!stage_read(item, block, BLOCK, at, &got, err))
			return false;
		mbox_canon_add(s->canon, block, got);
		at += got;
	} while (got != 0);
	*digest_r = mbox_canon_take(s->canon, len_r, ends_r);
	return true;
}

/* What is known of a staged message before the mbox is read. */
static bool learn(struct search *s, struct target *t, bool gzip,
	struct err *err)
{
	const struct item *item = t->sought->item;
	const char *lf;
	uint64_t len;

	if (!stage_read(item, t->lead, LEAD, 0, &t->lead_len, err))
		return false;
	lf = memchr(t->lead, '\n', t->lead_len);
	if (gzip)
		return true;
	if (lf != NULL)
		t->lead_len = (size_t)(lf - t->lead) + 1;
	return digest_staged(s, item, &t->digest, &len, &t->ends, err);
}

/* Is what has our From_ line a beginning of our message, and nothing else? A
 * message that somebody has edited is not. */
static bool check_part(struct search *s, struct target *t, struct err *err)
{
	struct digest begin;
	uint64_t len, ends;

	if (!is_open(t) || t->sought->end == 0)
		return true;
	mbox_canon_limit(s->canon, t->other_len);
	if (!digest_staged(s, t->sought->item, &begin, &len, &ends,
		err))
		return false;
	if (len != t->other_len || !digest_equal(&begin, &t->other))
		t->sought->end = 0;
	return true;
}

static bool look_for_all(struct search *s, bool gzip, uint64_t from,
	struct err *err)
{
	size_t i;

	for (i = 0; i < s->count; i++)
		if (!learn(s, &s->targets[i], gzip, err))
			return false;
	if (gzip)
		return read_members(s, from, err);
	if (!read_mbox(s, from, err))
		return false;
	for (i = 0; i < s->count; i++)
		if (!check_part(s, &s->targets[i], err))
			return false;
	return true;
}

bool mbox_search(int fd, const char *path, bool gzip, uint64_t from,
	struct mbox_sought *sought, size_t n, struct err *err)
{
	struct search s = { .fd = fd, .path = path, .count = n };
	size_t i;
	bool ok;

	s.targets = mem_grow(NULL, n, sizeof(*s.targets));
	s.piece = mem_grow(NULL, PIECE, 1);
	s.canon = mbox_canon_new();
	for (i = 0; i < n; i++) {
		sought[i].at = sought[i].end = 0;
		s.targets[i] = (struct target){ .sought = &sought[i] };
	}
	ok = look_for_all(&s, gzip, from, err);
	mbox_canon_free(s.canon);
	free(s.piece);
	free(s.targets);
	return ok;
}
