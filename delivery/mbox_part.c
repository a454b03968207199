/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "delivery/mbox_part.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/fsx.h"
#include "delivery/lock.h"
#include "delivery/mbox_find.h"
#include "delivery/mbox_place.h"

/* How far the bytes may be ours. */
struct run {
	struct dest *dest;
	struct mbox_place first;
	uint64_t until;
	bool goes_on;			/* all that is known was, until now */
};

/* The line ends in front: *whole_r if they are there, and nothing else is. */
static bool run_ends(struct run *r, bool *whole_r, struct err *err)
{
	size_t n = (size_t)(r->first.at - r->first.start), got, i, ours;
	char ends[MBOX_ENDS];

	if (!fsx_pread(lock_fd(r->dest->lock), ends, n, r->first.start, &got,
		r->dest->path, err))
		return false;
	for (i = 0; i < got && ends[i] == '\n'; i++)
		;
	*whole_r = i == n;
	for (ours = i; ours < got && (ends[ours] == '\n'
		|| ends[ours] == '\0'); ours++)
		;
	r->until = r->first.start + ours;
	r->goes_on = ours == n;
	return true;
}

static bool is_next(const struct run *r, const struct item *item)
{
	struct mbox_place place;

	return mbox_place_parse(item->hint, &place) && place.at == r->until
		&& mbox_witness_equal(&place.before, &r->first.before);
}

/* What was appended with the first, right behind what was seen. */
static bool run_items(struct run *r, struct item *const *items, size_t n,
	struct err *err)
{
	struct mbox_match match;
	struct item *item;

	for (; r->goes_on && n > 0 && is_next(r, *items); items++, n--) {
		item = *items;
		if (item->fd < 0 && !stage_reopen(&r->dest->stage, item, err))
			return false;
		if (item->fd < 0)
			return true;
		if (!mbox_match(lock_fd(r->dest->lock), r->dest->path, item,
			r->until, &match, err))
			return false;
		r->until += match.ours;
		r->goes_on = match.ours == item->stored;
	}
	return true;
}

static bool find_end(const struct run *r, struct mbox_part *part,
	enum mbox_left *left_r, struct err *err)
{
	int mbox = lock_fd(r->dest->lock);
	bool there;
	struct stat st;

	if (fstat(mbox, &st) < 0)
		return err_sys(err, errno, "cannot look at %s", r->dest->path);
	part->to = r->until;
	*left_r = MBOX_LAST;
	if (r->until >= (uint64_t)st.st_size)
		return true;
	if (!mbox_begins(mbox, r->dest->path, r->dest->gzip, part->from,
		r->until, &part->to, &there, err))
		return false;
	/* Whatever stands behind all that we were to write is others'. */
	*left_r = (there || r->goes_on) && r->until > part->from
			&& part->to > part->from
		? MBOX_BEFORE_OTHERS : MBOX_NOTHING;
	return true;
}

bool mbox_part_find(struct dest *dest, struct item *const *items, size_t n,
	enum mbox_left *left_r, struct mbox_part *part_r, struct err *err)
{
	struct run r = { .dest = dest };
	bool whole;

	*left_r = MBOX_NOTHING;
	if (!mbox_place_parse(items[0]->hint, &r.first))
		return true;
	if (!run_ends(&r, &whole, err) || !run_items(&r, items, n, err))
		return false;
	/* Where they are, they stay for what comes behind. */
	part_r->from = whole ? r.first.at : r.first.start;
	part_r->ends = whole ? 0 : (size_t)(r.first.at - r.first.start);
	return find_end(&r, part_r, left_r, err);
}
