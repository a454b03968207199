/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "delivery/mbox_priv.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/fsx.h"
#include "agent/base/limits.h"
#include "delivery/lock.h"
#include "delivery/mbox_find.h"
#include "delivery/mbox_part.h"
#include "delivery/mbox_place.h"
#include "delivery/mbox_search.h"

/*
 * What has become of an append that was cut off, or that others disturbed. What
 * is believed, and on what evidence, stands in agent/pass/recover.h.
 */

/* Where a reader may have moved things, so many bytes that agree are no chance:
 * our From_ line, and in a compressed message where it is. */
#define PROOF 128

/* What earlier items of a batch tell of the later ones. */
struct looking {
	struct dest *dest;
	struct item *const *items;
	size_t count;
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
	return l->cut && mbox_witness_equal(&l->cut_before, &place->before);
}

static bool cut_torn(struct looking *l, const struct mbox_place *place,
	struct err *err)
{
	return note_cut(l, place) && cut_at(l->dest, place->start, err);
}

static void search_later(struct looking *l, struct item *item,
	const struct mbox_place *place)
{
	uint64_t from = l->copied ? 0 : place->before.size;

	if (l->sought_count == 0 || from < l->from)
		l->from = from;
	l->sought[l->sought_count++] = (struct mbox_sought){ .item = item };
}

/* What is there is not the whole item at `i`. A part goes, and what else was to
 * follow of the append: nobody else's bytes do. */
static bool look_at_part(struct looking *l, size_t i,
	const struct mbox_place *place, struct err *err)
{
	enum mbox_left left;
	struct mbox_part part;

	if (!mbox_part_find(l->dest, l->items + i, l->count - i, &left, &part,
		err))
		return false;
	if (left == MBOX_LAST)
		return cut_torn(l, place, err);
	l->shifted = true;
	if (left == MBOX_BEFORE_OTHERS)
		return mbox_excise(l->dest, l->items[i], &part, err);
	search_later(l, l->items[i], place);
	return true;
}

/* The message is there; but it begins no line if the line ends that we put in
 * front are in a block that the disk never got. */
static bool look_before(struct looking *l, size_t i,
	const struct mbox_place *place, struct err *err)
{
	char ends[MBOX_ENDS];
	size_t n = (size_t)(place->at - place->start), got;

	if (!fsx_pread(lock_fd(l->dest->lock), ends, n, place->start, &got,
		l->dest->path, err))
		return false;
	if (memchr(ends, '\0', got) != NULL)
		return look_at_part(l, i, place, err);
	l->items[i]->state = ITEM_DELIVERED;
	l->seen = place->at + l->items[i]->stored;
	return true;
}

/* The file ends where the item was to be, or before. */
static bool look_at_end(struct looking *l, size_t i, bool moved,
	const struct mbox_place *place, struct err *err)
{
	if (moved) {
		search_later(l, l->items[i], place);
		return true;
	}
	/* Perhaps among the line ends in front of it. */
	return place->start == place->at ? note_cut(l, place)
		: cut_torn(l, place, err);
}

/* Up to where the append began the file is as it was. */
static bool look_at(struct looking *l, size_t i,
	const struct mbox_place *place, struct err *err)
{
	int mbox = lock_fd(l->dest->lock);
	struct mbox_match match;
	struct stat st;
	/* What came before it in the same append may have been noted, and
	 * deleted by a reader since: then this has moved up. */
	bool moved = place->start != place->before.size
		&& place->at != l->seen;

	if (fstat(mbox, &st) < 0)
		return err_sys(err, errno, "cannot look at %s", l->dest->path);
	if (place->at >= (uint64_t)st.st_size)
		return look_at_end(l, i, moved, place, err);
	if (!mbox_match(mbox, l->dest->path, l->items[i], place->at, &match,
		err))
		return false;
	if (match.same == l->items[i]->stored)
		return look_before(l, i, place, err);
	if (!moved || match.same >= PROOF)
		return look_at_part(l, i, place, err);
	l->shifted = true;
	search_later(l, l->items[i], place);
	return true;
}

/* What is behind it has moved. */
static bool excise_again(struct looking *l, struct item *item,
	struct err *err)
{
	bool was;

	if (!mbox_excise_again(l->dest, item, &was, err))
		return false;
	l->shifted = l->shifted || was;
	return true;
}

static bool look_for_one(struct looking *l, size_t i, struct err *err)
{
	struct dest *dest = l->dest;
	struct item *item = l->items[i];
	enum mbox_since since = MBOX_OTHER;
	struct mbox_place place;

	if (item->fd < 0 && !stage_reopen(&dest->stage, item, err))
		return false;
	if (item->state != ITEM_STAGED)
		return true;
	if (!mbox_place_parse(item->hint, &place))
		return excise_again(l, item, err);
	if (is_cut(l, &place))
		return true;
	if (place.witnessed && !mbox_witness_compare(lock_fd(dest->lock),
		dest->path, &place.before, &since, err))
		return false;
	if (since == MBOX_SAME)
		return true;
	l->copied = since != MBOX_GROWN;
	if (since != MBOX_OTHER && !l->shifted)
		return look_at(l, i, &place, err);
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
	struct mbox_part part;
	struct stat st;
	bool ok = true;

	if (fstat(lock_fd(dest->lock), &st) < 0)
		return err_sys(err, errno, "cannot look at %s", dest->path);
	if (s != NULL && s->end == (uint64_t)st.st_size) {
		ok = cut_at(dest, s->at, err);
		s = last_part(l, s->at);
	}
	for (; ok && s != NULL; s = last_part(l, s->at)) {
		part = (struct mbox_part){ s->at, s->end, 0 };
		ok = mbox_excise(dest, s->item, &part, err);
	}
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

bool mbox_look_for(struct dest *dest, struct item *const *items, size_t n,
	struct err *err)
{
	struct looking l;
	size_t i;

	l.dest = dest;
	l.items = items;
	l.count = n;
	l.cut = l.shifted = l.copied = false;
	l.sought_count = 0;
	l.from = l.seen = 0;
	for (i = 0; i < n; i++)
		if (!look_for_one(&l, i, err))
			return false;
	return search(&l, err);
}
