/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/fsx.h"
#include "agent/base/limits.h"
#include "delivery/dest.h"
#include "delivery/filter.h"
#include "delivery/lock.h"
#include "delivery/mbox_excise.h"
#include "delivery/mbox_find.h"

/*
 * mbox (the mboxrd variety, RFC 4155). A message is staged as the very bytes
 * that are appended: From_ line, quoted message, blank line; or one gzip
 * member with all three; in a pack, since they are copied from there. The note
 * "at OFFSET" is durable before the first byte is written, so after a crash
 * the bytes there are compared with the staged ones.
 */

/* The first bytes of the mbox; fewer if it has no more, or if looking would set
 * its access time, by which readers tell new mail. */
static size_t peek(const struct dest *dest, char *start, size_t len)
{
	ssize_t n = -1;
#ifdef O_NOATIME
	int fd = open(dest->path, O_RDONLY | O_NOATIME | O_NOFOLLOW
		| O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return 0;
	n = read(fd, start, len);
	close(fd);
#else
	(void)dest;
	(void)start;
	(void)len;
#endif
	return n < 0 ? 0 : (size_t)n;
}

/* What is appended to a file of the other kind no reader would find. Only what
 * is certain counts: a power cut may have left anything at the beginning. */
static bool check_form(const struct dest *dest, struct err *err)
{
	char start[5];
	size_t n = peek(dest, start, sizeof(start));

	if (dest->gzip && n == 5 && memcmp(start, "From ", 5) == 0)
		return err_set(err, ERR_CONFIG,
			"%s is an mbox that is not compressed: with compress: gzip, give another path, or compress the file", dest->path);
	if (!dest->gzip && n >= 3 && memcmp(start, "\x1f\x8b\x08", 3) == 0)
		return err_set(err, ERR_CONFIG,
			"%s is compressed: give another path, or uncompress the file, or set compress: gzip", dest->path);
	return true;
}

static bool mbox_open(struct dest *dest, struct err *err)
{
	const struct filter_options options = { true, dest->gzip };

	if (!check_form(dest, err))
		return false;
	dest->chain = filter_new(&options);
	dest->stage.packs = true;
	lock_clean(dest->path, dest->env->tag);
	return true;
}

static bool mbox_stage(struct dest *dest, struct item *item,
	struct sink **sink_r, struct err *err)
{
	char lead[64];
	time_t now = time(NULL);
	struct tm tm;

	if (!stage_pack(&dest->stage, item, err))
		return false;
	gmtime_r(&now, &tm);
	strftime(lead, sizeof(lead), "From MAILER-DAEMON %a %b %e %T %Y\n",
		&tm);
	*sink_r = filter_start(dest->chain, item->fd, dest->stage.path, lead,
		"\n", err);
	return *sink_r != NULL;
}

/* A new file must be found again after a power cut as well. */
static bool sync_new(struct dest *dest, struct err *err)
{
	char copy[PATH_MAX];
	bool ok;
	int dir;

	snprintf(copy, sizeof(copy), "%s", dest->path);
	dir = fsx_opendir(dirname(copy), err);
	if (dir < 0)
		return false;
	ok = fsx_sync_dir(dir, dest->path, err);
	close(dir);
	return ok;
}

static bool lock_file(struct dest *dest, struct err *err)
{
	bool created;

	dest->lock = lock_mbox(dest->path, dest->env->tag, &created, err);
	return dest->lock != NULL && (!created || sync_new(dest, err));
}

/* Another writer may have left no blank line at the end, and a From_ line is
 * one only behind a blank line: how many line ends are missing. */
static bool missing_ends(struct dest *dest, uint64_t size, size_t *missing_r,
	struct err *err)
{
	char tail[2] = { '\n', '\n' };
	size_t want = size < 2 ? (size_t)size : 2, got;

	*missing_r = 0;
	if (dest->gzip || size == 0)
		return true;
	if (!fsx_pread(lock_fd(dest->lock), tail + 2 - want, want,
		size - want, &got, dest->path, err))
		return false;
	*missing_r = tail[1] != '\n' ? 2 : tail[0] != '\n' ? 1 : 0;
	return true;
}

/* How many bytes of the first staged file are to follow one another in the
 * mbox; *items and *n then begin behind them. */
static uint64_t take_run(struct item *const **items, size_t *n)
{
	const struct item *item;
	uint64_t len = 0;

	do {
		item = **items;
		len += item->stored;
		++*items;
		--*n;
	} while (*n != 0 && strcmp((**items)->name, item->name) == 0
		&& (**items)->at == item->at + item->stored);
	return len;
}

static bool append_all(struct dest *dest, struct item *const *items, size_t n,
	size_t ends, struct err *err)
{
	const struct item *first;

	if (!fsx_write(lock_fd(dest->lock), "\n\n", ends, dest->path, err))
		return false;
	while (n != 0) {
		first = *items;
		if (!fsx_copy(first->fd, first->at, take_run(&items, &n),
			lock_fd(dest->lock), dest->path, err))
			return false;
	}
	return fsx_sync(lock_fd(dest->lock), dest->path, err);
}

/* The file as it was before we touched it. If even this fails, the notes of
 * the items let the next run tell our bytes from others'. */
static void cut_back(struct dest *dest, off_t size)
{
	struct err ignored = ERR_INIT;

	if (ftruncate(lock_fd(dest->lock), size) == 0
	    && !fsx_sync(lock_fd(dest->lock), dest->path, &ignored))
		return;
}

/* Readers tell new mail by an access time before the change time. */
static void keep_atime(int fd, const struct stat *before)
{
	struct timespec times[2] = { before->st_atim, { 0, UTIME_OMIT } };

	futimens(fd, times);
}

/* "at OFFSET", or for the first "at OFFSET behind ENDS": so many line ends
 * come before it. */
static bool note_offsets(struct dest *dest, struct item *const *items,
	size_t n, uint64_t at, size_t ends, struct err *err)
{
	const struct dest_env *env = dest->env;
	char text[60];
	size_t i;

	for (i = 0; i < n; i++) {
		if (i == 0 && ends != 0)
			snprintf(text, sizeof(text), "at %" PRIu64 " behind %zu",
				at, ends);
		else
			snprintf(text, sizeof(text), "at %" PRIu64, at);
		if (!env->hint(env->arg, items[i], text, err))
			return false;
		at += items[i]->stored;
	}
	return env->hint_sync(env->arg, err);
}

/* A pass that was killed may have made the file and written to it, and flushed
 * neither. */
static bool sync_found(struct dest *dest, struct err *err)
{
	return fsx_sync(lock_fd(dest->lock), dest->path, err)
		&& sync_new(dest, err);
}

/* The lock is held. */
static bool append(struct dest *dest, struct item *const *items, size_t n,
	struct err *err)
{
	struct stat before;
	size_t ends, i;

	if (n == 0)
		return true;
	if (fstat(lock_fd(dest->lock), &before) < 0)
		return err_sys(err, errno, "cannot look at %s", dest->path);
	if (!missing_ends(dest, (uint64_t)before.st_size, &ends, err)
	    || !note_offsets(dest, items, n, (uint64_t)before.st_size + ends,
		    ends, err))
		return false;
	if (!append_all(dest, items, n, ends, err)) {
		cut_back(dest, before.st_size);
		return false;
	}
	keep_atime(lock_fd(dest->lock), &before);
	for (i = 0; i < n; i++)
		items[i]->state = ITEM_DELIVERED;
	return true;
}

static bool mbox_commit(struct dest *dest, struct item *const *items, size_t n,
	struct err *err)
{
	return lock_file(dest, err) && append(dest, items, n, err);
}

static bool mbox_sync(struct dest *dest, struct err *err)
{
	/* commit flushed the file already: it can still cut it back. */
	(void)dest;
	(void)err;
	return true;
}

static void mbox_release(struct dest *dest, struct item *const *items,
	size_t n)
{
	stage_clear(&dest->stage, items, n);
	lock_release(dest->lock);
	dest->lock = NULL;
}

/* Where an item was to be; *start_r is where our bytes in front of it begin. */
static bool hint_offset(const struct item *item, uint64_t *at_r,
	uint64_t *start_r)
{
	uint64_t ends = 0;

	if (sscanf(item->hint, "at %" SCNu64 " behind %" SCNu64, at_r, &ends)
	    < 1 || ends > 2 || ends > *at_r)
		return false;
	*start_r = *at_r - ends;
	return true;
}

static bool cut_torn(struct dest *dest, uint64_t at, struct err *err)
{
	if (ftruncate(lock_fd(dest->lock), (off_t)at) < 0)
		return err_sys(err, errno, "cannot cut a torn message off %s",
			dest->path);
	return fsx_sync(lock_fd(dest->lock), dest->path, err);
}

/* What earlier items of a batch tell of the later ones. */
struct settling {
	struct item *const *items;
	size_t count;
	uint64_t end;		/* where the last append would have ended */
	bool cut;		/* the file ends before the rest: they are not in it */
	bool shifted;		/* it has changed: noted offsets mean nothing */
};

static bool rest_is_ours(struct dest *dest, struct settling *s, uint64_t from,
	bool *ours_r, struct err *err)
{
	uint64_t at, start;
	size_t i;

	for (i = 0, *ours_r = true; *ours_r && i < s->count; i++) {
		if (!hint_offset(s->items[i], &at, &start) || at <= from)
			continue;
		if (s->items[i]->fd < 0
		    && !stage_reopen(&dest->stage, s->items[i], err))
			return false;
		if (s->items[i]->fd < 0)
			*ours_r = false;
		else if (!mbox_is_ours(lock_fd(dest->lock), dest->path,
			s->items[i], at, ours_r, err))
			return false;
	}
	return true;
}

/* Blocks are missing in what we appended. It goes, if nobody else has written
 * where the rest of the batch was to be. */
static bool settle_holes(struct dest *dest, struct settling *s, uint64_t at,
	uint64_t start, struct err *err)
{
	bool ours;

	if (!rest_is_ours(dest, s, at, &ours, err))
		return false;
	s->cut = ours;
	s->shifted = !ours;
	return !ours || cut_torn(dest, start, err);
}

/* Is the end of the file among our one or two line ends? */
static bool ends_inside(const struct dest *dest, uint64_t start, uint64_t at)
{
	struct stat st;

	return fstat(lock_fd(dest->lock), &st) == 0
		&& (uint64_t)st.st_size > start && (uint64_t)st.st_size < at;
}

static bool settle_one(struct dest *dest, struct item *item,
	struct settling *s, struct err *err)
{
	uint64_t at, start, foreign;
	enum mbox_found found;

	if (item->fd < 0 && !stage_reopen(&dest->stage, item, err))
		return false;
	if (item->state != ITEM_STAGED)
		return true;
	if (!hint_offset(item, &at, &start))
		return mbox_excise_again(dest, item, err);
	if (s->cut)
		return true;
	if (start < at && ends_inside(dest, start, at)) {
		s->cut = true;
		return cut_torn(dest, start, err);
	}
	if (!mbox_find(lock_fd(dest->lock), dest->path, item,
		s->shifted ? MBOX_ANYWHERE : at, s->end, &found, &foreign,
		err))
		return false;
	switch (found) {
	case MBOX_MOVED:
		s->shifted = true;
		/* fall through */
	case MBOX_THERE:
		item->state = ITEM_DELIVERED;
		return true;
	case MBOX_TORN:
		s->cut = true;
		return cut_torn(dest, start, err);
	case MBOX_HOLES:
		return settle_holes(dest, s, at, start, err);
	case MBOX_TORN_INSIDE:
		s->shifted = true;
		return mbox_excise(dest, item, at, foreign, err);
	case MBOX_ABSENT:
		s->shifted = true;
		break;
	}
	return true;
}

static uint64_t last_end(struct item *const *items, size_t n)
{
	uint64_t end = 0, at, start;
	size_t i;

	for (i = 0; i < n; i++)
		if (hint_offset(items[i], &at, &start) && at + items[i]->stored > end)
			end = at + items[i]->stored;
	return end;
}

static bool mbox_settle(struct dest *dest, struct item *const *items, size_t n,
	struct err *err)
{
	struct item *again[LIMIT_BATCH_MESSAGES];
	struct settling settling = { items, n, last_end(items, n), false,
		false };
	size_t i, count = 0;

	if (!lock_file(dest, err) || !sync_found(dest, err))
		return false;
	for (i = 0; i < n; i++) {
		if (!settle_one(dest, items[i], &settling, err))
			return false;
		if (items[i]->state == ITEM_STAGED)
			again[count++] = items[i];
	}
	return append(dest, again, count, err);
}

static void mbox_close(struct dest *dest)
{
	mbox_release(dest, NULL, 0);
}

const struct dest_kind dest_mbox = {
	"mbox", false, true, mbox_open, mbox_stage, mbox_commit, mbox_sync,
	mbox_release, mbox_settle, mbox_close,
};
