/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "delivery/mbox_find.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/arena.h"
#include "agent/base/fsx.h"

#define BLOCK 32768
/* How far from the last byte that agrees another program's mail may begin: our
 * bytes may agree with its first ones, and it may put line ends in front. */
#define NEAR 6
#define FROM_ROOM 256

struct finder {
	int mbox;
	const char *path;
	const struct item *item;
	uint64_t size;			/* of the mbox */
};

/* *zero_r tells whether the first byte that differs is NUL (a block the disk
 * never got). */
static bool common_prefix(const struct finder *f, uint64_t at,
	uint64_t *common_r, bool *zero_r, struct err *err)
{
	char ours[BLOCK] UNFILLED, theirs[BLOCK] UNFILLED;
	size_t got, there, i;

	*common_r = 0;
	*zero_r = false;
	do {
		if (!stage_read(f->item, ours, BLOCK, *common_r, &got, err)
		    || !fsx_pread(f->mbox, theirs, got, at + *common_r, &there,
			f->path, err))
			return false;
		i = there;
		if (memcmp(ours, theirs, there) != 0)
			for (i = 0; ours[i] == theirs[i]; i++)
				;
		*common_r += i;
		if (i < there) {
			*zero_r = theirs[i] == '\0';
			return true;
		}
	} while (got == BLOCK && there == got);
	return true;
}

bool mbox_common(int fd, const char *path, const struct item *item,
	uint64_t at, uint64_t *common_r, struct err *err)
{
	const struct finder f = { fd, path, item, 0 };
	bool zero;

	return common_prefix(&f, at, common_r, &zero, err);
}

bool mbox_is_ours(int fd, const char *path, const struct item *item,
	uint64_t at, bool *yes_r, struct err *err)
{
	char ours[BLOCK] UNFILLED, theirs[BLOCK] UNFILLED;
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

/* RFC 4155: a sender, and the time as asctime(3) writes it. */
static bool is_from_line(const char *line)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char day[4], month[4];
	int date, hour, minute;

	return sscanf(line, "From %*s %3s %3s %d %d:%d", day, month, &date,
			&hour, &minute) == 5
		&& strstr(days, day) != NULL && strstr(months, month) != NULL;
}

/* Does a message, or a gzip member, begin about here? */
static bool begins_near(const struct finder *f, uint64_t near, uint64_t at,
	uint64_t *begin_r, bool *there_r, struct err *err)
{
	static const char gzip[] = "\x1f\x8b\x08";
	char text[FROM_ROOM + 1];
	const char *hit;
	uint64_t from = near > at + NEAR ? near - NEAR : at + 1;
	size_t got;

	if (!fsx_pread(f->mbox, text, FROM_ROOM, from, &got, f->path, err))
		return false;
	text[got] = '\0';
	hit = memmem(text, got < 16 ? got : 16, gzip, 3);
	if (hit == NULL)
		hit = memmem(text, got < 16 ? got : 16, "From ", 5);
	*there_r = hit != NULL && (*hit != 'F' || is_from_line(hit));
	if (*there_r)
		*begin_r = from + (uint64_t)(hit - text);
	return true;
}

static bool look_torn(const struct finder *f, uint64_t at, uint64_t near,
	enum mbox_found *found_r, uint64_t *foreign_r, struct err *err)
{
	bool there;

	if (!begins_near(f, near, at, foreign_r, &there, err))
		return false;
	*found_r = there ? MBOX_TORN_INSIDE : MBOX_FOREIGN;
	return true;
}

bool mbox_find(int fd, const char *path, const struct item *item, uint64_t at,
	uint64_t end, enum mbox_found *found_r, uint64_t *foreign_r,
	struct err *err)
{
	struct finder f = { fd, path, item, 0 };
	struct stat st;
	uint64_t common;
	bool zero, yes;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "cannot look at %s", path);
	f.size = (uint64_t)st.st_size;
	*found_r = MBOX_END;
	if (at >= f.size)
		return true;
	if (!common_prefix(&f, at, &common, &zero, err))
		return false;
	*found_r = MBOX_THERE;
	if (common == item->stored)
		return true;
	*found_r = MBOX_TORN;
	if (at + common == f.size)
		return true;
	if (zero && f.size <= end) {
		*found_r = MBOX_HOLES;
		if (!mbox_is_ours(fd, path, item, at, &yes, err))
			return false;
		if (yes)
			return true;
	}
	*found_r = MBOX_FOREIGN;
	return common == 0 || look_torn(&f, at, zero ? end : at + common,
		found_r, foreign_r, err);
}
