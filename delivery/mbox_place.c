/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "delivery/mbox_place.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/arena.h"
#include "agent/base/fsx.h"

/* Digest of the last bytes before `size`. */
static bool digest_tail(int fd, const char *path, uint64_t size,
	struct digest *tail_r, struct err *err)
{
	char tail[MBOX_TAIL] UNFILLED;
	size_t want = size < MBOX_TAIL ? (size_t)size : MBOX_TAIL, got;

	if (!fsx_pread(fd, tail, want, size - want, &got, path, err))
		return false;
	*tail_r = digest_of(tail, got);
	return true;
}

bool mbox_witness_take(int fd, const char *path, struct mbox_witness *w_r,
	struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "cannot look at %s", path);
	w_r->size = (uint64_t)st.st_size;
	w_r->inode = (uint64_t)st.st_ino;
	return digest_tail(fd, path, w_r->size, &w_r->tail, err);
}

bool mbox_witness_equal(const struct mbox_witness *a,
	const struct mbox_witness *b)
{
	return a->size == b->size && a->inode == b->inode
		&& digest_equal(&a->tail, &b->tail);
}

bool mbox_witness_compare(int fd, const char *path,
	const struct mbox_witness *w, enum mbox_since *since_r,
	struct err *err)
{
	struct digest tail;
	struct stat st;

	*since_r = MBOX_OTHER;
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "cannot look at %s", path);
	if ((uint64_t)st.st_size < w->size)
		return true;
	if (!digest_tail(fd, path, w->size, &tail, err))
		return false;
	if (!digest_equal(&tail, &w->tail))
		return true;
	*since_r = (uint64_t)st.st_ino != w->inode ? MBOX_COPY
		: (uint64_t)st.st_size == w->size ? MBOX_SAME : MBOX_GROWN;
	return true;
}

void mbox_place_note(const struct mbox_place *place, char *text, size_t cap)
{
	snprintf(text, cap, "at %" PRIu64 " of %" PRIu64 " %" PRIu64 " %s",
		place->at, place->before.size, place->before.inode,
		place->before.tail.text);
}

/* As versions before 2 noted it: "at OFFSET behind ENDS", or "at OFFSET". */
static bool parse_old(const char *text, struct mbox_place *place)
{
	uint64_t ends = 0;

	if (sscanf(text, "at %" SCNu64 " behind %" SCNu64, &place->at, &ends)
	    < 1 || ends > MBOX_ENDS || ends > place->at)
		return false;
	place->start = place->at - ends;
	return true;
}

bool mbox_place_parse(const char *text, struct mbox_place *place_r)
{
	struct mbox_witness *w = &place_r->before;
	char tail[DIGEST_LEN + 2];

	memset(place_r, 0, sizeof(*place_r));
	if (sscanf(text, "at %" SCNu64 " of %" SCNu64 " %" SCNu64 " %17s",
		&place_r->at, &w->size, &w->inode, tail) != 4)
		return parse_old(text, place_r);
	if (place_r->at < w->size || !digest_parse(tail, strlen(tail),
		&w->tail))
		return false;
	place_r->witnessed = true;
	place_r->start = place_r->at - w->size <= MBOX_ENDS ? w->size
		: place_r->at;
	return true;
}
