/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "delivery/mbox_priv.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/fsx.h"
#include "agent/base/limits.h"
#include "delivery/lock.h"
#include "delivery/mbox_excise.h"
#include "delivery/mbox_find.h"
#include "delivery/mbox_place.h"
#include "delivery/mbox_search.h"

/*
 * What has become of an append that was cut off, or that others disturbed. What
 * is believed, and on what evidence, stands in agent/pass/recover.h.
 */

/* What earlier items of a batch tell of the later ones. */
struct looking {
	struct dest *dest;
	struct item *const *items;
	size_t count;
	uint64_t end;		/* where the last append would have ended */
	bool cut;		/* it ends before the rest of this append: */
	struct mbox_witness cut_before;
	uint64_t seen;		/* up to there, all that was appended is there */
	bool shifted;		/* noted offsets mean nothing any more */
	bool copied;		/* nor does where the append began */
	/* What to search for, and from where on. */
	struct mbox_sought sought[LIMIT_BATCH_MESSAGES];
	size_t sought_count;
	uint64_t from;
};

static bool cut_at(struct dest *dest, uint64_t at, struct err *err)
{
	if (ftruncate(lock_fd(dest->lock), (off_t)at) < 0)
		return err_sys(err, errno, "cannot cut a torn message off %s",
			dest->path);
	return fsx_sync(lock_fd(dest->lock), dest->path, err);
}

/* Nothing follows of what was appended with it. Of an earlier append there may
 * be: recovery found it, and was cut off when it appended the rest again. */
static bool note_cut(struct looking *l, const struct mbox_place *place)
{
	l->cut = true;
	l->cut_before = place->before;
	return true;
}

static bool is_cut(const struct looking *l, const struct mbox_place *place)
{
	const struct mbox_witness *a = &l->cut_before, *b = &place->before;

	return l->cut && a->size == b->size && a->inode == b->inode
		&& digest_equal(&a->tail, &b->tail);
}

static bool cut_torn(struct looking *l, const struct mbox_place *place,
	struct err *err)
{
	return note_cut(l, place) && cut_at(l->dest, place->start, err);
}

static bool rest_is_ours(struct looking *l, uint64_t from, bool *ours_r,
	struct err *err)
{
	struct dest *dest = l->dest;
	struct mbox_place place;
	struct item *item;
	size_t i;

	for (i = 0, *ours_r = true; *ours_r && i < l->count; i++) {
		item = l->items[i];
		if (!mbox_place_parse(item->hint, &place) || place.at <= from)
			continue;
		if (item->fd < 0 && !stage_reopen(&dest->stage, item, err))
			return false;
		if (item->fd < 0)
			*ours_r = false;
		else if (!mbox_is_ours(lock_fd(dest->lock), dest->path, item,
			place.at, ours_r, err))
			return false;
	}
	return true;
}

static void search_later(struct looking *l, struct item *item,
	const struct mbox_place *place)
{
	uint64_t from = l->copied ? 0 : place->before.size;

	if (l->sought_count == 0 || from < l->from)
		l->from = from;
	l->sought[l->sought_count++] = (struct mbox_sought){ .item = item };
}

/* Blocks are missing in what we appended. It goes, if nobody else has written
 * where the rest of the batch was to be. */
static bool look_at_holes(struct looking *l, struct item *item,
	const struct mbox_place *place, struct err *err)
{
	bool ours;

	if (!rest_is_ours(l, place->at, &ours, err))
		return false;
	if (ours)
		return cut_torn(l, place, err);
	l->shifted = true;
	search_later(l, item, place);
	return true;
}

/* The message is there; but it begins no line if the line ends that we put in
 * front are in a block that the disk never got. */
static bool look_before(struct looking *l, struct item *item,
	const struct mbox_place *place, struct err *err)
{
	char ends[MBOX_ENDS];
	size_t n = (size_t)(place->at - place->start), got;

	if (!fsx_pread(lock_fd(l->dest->lock), ends, n, place->start, &got,
		l->dest->path, err))
		return false;
	if (memchr(ends, '\0', got) != NULL)
		return look_at_holes(l, item, place, err);
	item->state = ITEM_DELIVERED;
	l->seen = place->at + item->stored;
	return true;
}

/* Up to where the append began the file is as it was. */
static bool look_at(struct looking *l, struct item *item,
	const struct mbox_place *place, struct err *err)
{
	struct dest *dest = l->dest;
	enum mbox_found found;
	uint64_t foreign;

	if (!mbox_find(lock_fd(dest->lock), dest->path, item, place->at,
		l->end, &found, &foreign, err))
		return false;
	switch (found) {
	case MBOX_THERE:
		return look_before(l, item, place, err);
	case MBOX_END:
		/* What came before it in the same append may have been noted,
		 * and deleted by a reader since: then this has moved up. */
		if (place->start != place->before.size
		    && place->at != l->seen) {
			search_later(l, item, place);
			return true;
		}
		/* Perhaps among the line ends in front of it. */
		return place->start == place->at ? note_cut(l, place)
			: cut_torn(l, place, err);
	case MBOX_TORN:
		return cut_torn(l, place, err);
	case MBOX_HOLES:
		return look_at_holes(l, item, place, err);
	case MBOX_TORN_INSIDE:
		l->shifted = true;
		return mbox_excise(dest, item, place->at, foreign, err);
	case MBOX_FOREIGN:
		l->shifted = true;
		search_later(l, item, place);
		break;
	}
	return true;
}

static bool look_for_one(struct looking *l, struct item *item,
	struct err *err)
{
	struct dest *dest = l->dest;
	enum mbox_since since = MBOX_OTHER;
	struct mbox_place place;

	if (item->fd < 0 && !stage_reopen(&dest->stage, item, err))
		return false;
	if (item->state != ITEM_STAGED)
		return true;
	if (!mbox_place_parse(item->hint, &place))
		return mbox_excise_again(dest, item, err);
	if (is_cut(l, &place))
		return true;
	if (place.witnessed && !mbox_witness_compare(lock_fd(dest->lock),
		dest->path, &place.before, &since, err))
		return false;
	if (since == MBOX_SAME)
		return true;
	l->copied = since != MBOX_GROWN;
	if (since != MBOX_OTHER && !l->shifted)
		return look_at(l, item, &place, err);
	search_later(l, item, &place);
	return true;
}

static const struct mbox_sought *last_part(const struct looking *l,
	uint64_t before)
{
	const struct mbox_sought *s = l->sought, *last = NULL;

	for (; s < l->sought + l->sought_count; s++)
		if (s->item->state != ITEM_DELIVERED && s->end != 0
		    && s->end <= before && (last == NULL || s->end > last->end))
			last = s;
	return last;
}

/* A reader has written anew what was left of a cut append, as a message. The
 * last first: those in front of it stay where they are. */
static bool take_out_parts(struct looking *l, struct err *err)
{
	const struct mbox_sought *s = last_part(l, UINT64_MAX);
	struct dest *dest = l->dest;
	struct stat st;
	bool ok = true;

	if (fstat(lock_fd(dest->lock), &st) < 0)
		return err_sys(err, errno, "cannot look at %s", dest->path);
	if (s != NULL && s->end == (uint64_t)st.st_size) {
		ok = cut_at(dest, s->at, err);
		s = last_part(l, s->at);
	}
	for (; ok && s != NULL; s = last_part(l, s->at))
		ok = mbox_excise(dest, s->item, s->at, s->end, err);
	return ok;
}

static bool search(struct looking *l, struct err *err)
{
	return l->sought_count == 0
		|| (mbox_search(lock_fd(l->dest->lock), l->dest->path,
			l->dest->gzip, l->from, l->sought, l->sought_count,
			err)
		&& take_out_parts(l, err));
}

static uint64_t last_end(struct item *const *items, size_t n)
{
	struct mbox_place place;
	uint64_t end = 0;
	size_t i;

	for (i = 0; i < n; i++)
		if (mbox_place_parse(items[i]->hint, &place)
		    && place.at + items[i]->stored > end)
			end = place.at + items[i]->stored;
	return end;
}

bool mbox_look_for(struct dest *dest, struct item *const *items, size_t n,
	struct err *err)
{
	struct looking l;
	size_t i;

	l.dest = dest;
	l.items = items;
	l.count = n;
	l.end = last_end(items, n);
	l.cut = l.shifted = l.copied = false;
	l.sought_count = 0;
	l.from = l.seen = 0;
	for (i = 0; i < n; i++)
		if (!look_for_one(&l, items[i], err))
			return false;
	return search(&l, err);
}
