/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "delivery/mbox_find.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/fsx.h"

#define BLOCK 16384
/* Enough of a message to know it again: the From_ line and the first header
 * lines, which a reader that rewrites an mbox leaves in front. */
#define TOKEN 512
/* Its last bytes, to tell a whole message from a torn one. */
#define TAIL 64

struct finder {
	int mbox;
	const char *path;
	const struct item *item;
	uint64_t size;			/* of the mbox */
};

/* How many bytes at `at` in the mbox equal the staged file; *zero_r tells
 * whether the first one that differs is NUL (a block the disk never got). */
static bool common_prefix(const struct finder *f, uint64_t at,
	uint64_t *common_r, bool *zero_r, struct err *err)
{
	char ours[BLOCK], theirs[BLOCK];
	size_t got, there, i;

	*common_r = 0;
	*zero_r = false;
	do {
		if (!stage_read(f->item, ours, BLOCK, *common_r, &got, err)
		    || !fsx_pread(f->mbox, theirs, got, at + *common_r, &there,
			f->path, err))
			return false;
		for (i = 0; i < there && ours[i] == theirs[i]; i++)
			;
		*common_r += i;
		if (i < there) {
			*zero_r = theirs[i] == '\0';
			return true;
		}
	} while (got != 0 && there == got);
	return true;
}

/* The offset of `token` at or behind `from`; false in *there_r if absent. */
static bool search(const struct finder *f, const char *token, size_t len,
	uint64_t from, uint64_t *at_r, bool *there_r, struct err *err)
{
	char block[BLOCK + TOKEN];
	const char *hit;
	size_t want, got;

	for (*there_r = false; from + len <= f->size; from += BLOCK) {
		want = BLOCK + len - 1;
		if (f->size - from < want)
			want = (size_t)(f->size - from);
		if (!fsx_pread(f->mbox, block, want, from, &got, f->path,
			err))
			return false;
		hit = memmem(block, got, token, len);
		if (hit != NULL) {
			*at_r = from + (uint64_t)(hit - block);
			*there_r = true;
			return true;
		}
	}
	return true;
}

bool mbox_is_ours(int fd, const char *path, const struct item *item,
	uint64_t at, bool *yes_r, struct err *err)
{
	char ours[BLOCK], theirs[BLOCK];
	size_t got, there, i;
	uint64_t done = 0;

	for (*yes_r = true; *yes_r; done += got) {
		if (!stage_read(item, ours, BLOCK, done, &got, err)
		    || !fsx_pread(fd, theirs, got, at + done, &there, path,
			    err))
			return false;
		for (i = 0; i < there && (theirs[i] == ours[i]
			|| theirs[i] == '\0'); i++)
			;
		*yes_r = i == there;
		if (there == 0)
			break;
	}
	return true;
}

/* Where the body of the staged message begins; its end if it has none. */
static bool body_offset(const struct finder *f, uint64_t *at_r,
	struct err *err)
{
	const struct item *item = f->item;
	const struct finder staged = { item->fd, item->name, item,
		item->at + item->stored };
	bool there;

	if (!search(&staged, "\n\n", 2, item->at, at_r, &there, err))
		return false;
	*at_r = there ? *at_r + 2 - item->at : item->stored;
	return true;
}

/* Do the bytes before `end` in the file equal the last ones of the staged
 * message? Not those of its header: readers add lines there. */
static bool ends_alike(const struct finder *f, uint64_t end, bool *yes_r,
	struct err *err)
{
	char ours[TAIL], theirs[TAIL];
	uint64_t stored = f->item->stored, body;
	size_t len, got, there;

	if (!body_offset(f, &body, err))
		return false;
	len = stored - body < TAIL ? (size_t)(stored - body) : TAIL;
	*yes_r = false;
	if (len > end)
		return true;
	if (!stage_read(f->item, ours, len, stored - len, &got, err)
	    || !fsx_pread(f->mbox, theirs, len, end - len, &there, f->path,
		    err))
		return false;
	*yes_r = got == there && memcmp(ours, theirs, got) == 0;
	return true;
}

/* Is the message that begins at `at` whole? It ends where the next one begins,
 * or with the file. */
static bool whole_at(const struct finder *f, uint64_t at, bool *yes_r,
	struct err *err)
{
	uint64_t stored = f->item->stored, end = 0, common;
	bool another, zero;

	if (!search(f, "\n\nFrom ", 7, at, &end, &another, err))
		return false;
	end = another ? end + 2 : f->size;
	if (!ends_alike(f, end, yes_r, err))
		return false;
	if (!*yes_r || end - at > stored)
		return true;
	/* Nothing was added, so nothing may differ. */
	if (!common_prefix(f, at, &common, &zero, err))
		return false;
	*yes_r = common == stored;
	return true;
}

/* From_ line and header, as much as fits: a reader adds lines behind them. */
static size_t cut_header(const char *token, size_t len)
{
	const char *blank = memmem(token, len, "\n\n", 2);

	return blank != NULL ? (size_t)(blank - token) + 1 : len;
}

/* Anywhere in the file, whole, perhaps with Status lines that a reader has
 * added in the middle. */
static bool search_whole(const struct finder *f, bool *there_r,
	struct err *err)
{
	uint64_t at = 0;
	char token[TOKEN];
	size_t head;
	bool more = true;

	if (!stage_read(f->item, token, TOKEN, 0, &head, err))
		return false;
	head = cut_header(token, head);
	for (*there_r = false; more && !*there_r; at++) {
		if (!search(f, token, head, at, &at, &more, err))
			return false;
		if (more && !whole_at(f, at, there_r, err))
			return false;
	}
	return true;
}

/* Does a message, or a gzip member, begin about here? Our torn bytes may agree
 * with the first ones of the foreign mail, and a program may have put a
 * newline in front of its own. */
static bool begins_near(const struct finder *f, uint64_t near, uint64_t at,
	uint64_t *begin_r, bool *there_r, struct err *err)
{
	static const char gzip[] = "\x1f\x8b\x08";
	char block[16];
	const char *hit;
	uint64_t from = near > at + 6 ? near - 6 : at + 1;
	size_t got;

	if (!fsx_pread(f->mbox, block, sizeof(block), from, &got, f->path,
		err))
		return false;
	hit = memmem(block, got, "From ", 5);
	if (hit == NULL)
		hit = memmem(block, got, gzip, 3);
	*there_r = hit != NULL;
	if (*there_r)
		*begin_r = from + (uint64_t)(hit - block);
	return true;
}

/* What is at the offset where we began to append? */
static bool look_at(const struct finder *f, uint64_t at, uint64_t end,
	enum mbox_found *found_r, uint64_t *foreign_r, struct err *err)
{
	uint64_t common;
	bool zero, there;

	if (!common_prefix(f, at, &common, &zero, err))
		return false;
	*found_r = MBOX_THERE;
	if (common == f->item->stored)
		return true;
	*found_r = MBOX_TORN;
	if (at + common == f->size)
		return true;
	if (zero && f->size <= end) {
		*found_r = MBOX_HOLES;
		if (!mbox_is_ours(f->mbox, f->path, f->item, at, &there, err))
			return false;
		if (there)
			return true;
	}
	*found_r = MBOX_ABSENT;
	if (common == 0)
		return true;
	if (!begins_near(f, zero ? end : at + common, at, foreign_r, &there,
		err))
		return false;
	if (there)
		*found_r = MBOX_TORN_INSIDE;
	return true;
}

bool mbox_find(int fd, const char *path, const struct item *item, uint64_t at,
	uint64_t end, enum mbox_found *found_r, uint64_t *foreign_r,
	struct err *err)
{
	struct finder f = { fd, path, item, 0 };
	struct stat st;
	bool there;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "cannot look at %s", path);
	f.size = (uint64_t)st.st_size;
	*found_r = MBOX_ABSENT;
	if (at <= f.size && !look_at(&f, at, end, found_r, foreign_r, err))
		return false;
	/* An end where it was to begin may be there by chance. */
	if (*found_r != MBOX_ABSENT && !(*found_r == MBOX_TORN && at == f.size))
		return true;
	if (!search_whole(&f, &there, err))
		return false;
	if (there)
		*found_r = MBOX_MOVED;
	return true;
}
