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

#include "agent/base/digest.h"
#include "agent/base/fsx.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "delivery/filter.h"
#include "delivery/lock.h"
#include "delivery/mbox_priv.h"

/*
 * mbox (the mboxrd variety, RFC 4155). A message is staged as the very bytes
 * that are appended: From_ line, quoted message, blank line; or one gzip
 * member with all three; in a pack, since they are copied from there. A note
 * of the place, and of the mbox as it was, is durable before the first byte is
 * written (mbox_place.h); after a crash, or when others disturb us, it says
 * where to look (mbox_look.c).
 */

/* So often others may spoil what we append before we give up for now. */
#define TRIES 3

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

/* A former one may have been moved, or read and removed. */
static bool is_there(const struct dest *dest)
{
	struct stat st;

	return lstat(dest->path, &st) < 0 ? errno != ENOENT && errno != ENOTDIR
		: S_ISREG(st.st_mode);
}

static bool mbox_open(struct dest *dest, struct err *err)
{
	const struct filter_options options = { true, dest->gzip, false };

	if (!dest->may_make && !is_there(dest))
		return err_sys(err, ENOENT, "the mbox %s", dest->path);
	if (!check_form(dest, err))
		return false;
	dest->chain = filter_new(&options);
	dest->stage.packs = true;
	dest->mark = digest_random();
	lock_clean(dest->path, dest->env->tag);
	return true;
}

/* No two messages have the same From_ line, so that recovery can tell one of
 * ours, and a part of it, from all that resembles it. */
static void from_line(struct dest *dest, char *line, size_t cap)
{
	time_t now = time(NULL);
	char date[40];
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%a %b %e %T %Y", &tm);
	snprintf(line, cap, "From MAILER-DAEMON@%016" PRIx64 " %s\n",
		dest->mark++, date);
}

static bool mbox_stage(struct dest *dest, struct item *item,
	struct sink **sink_r, struct err *err)
{
	char lead[96];

	if (!stage_pack(&dest->stage, item, err))
		return false;
	from_line(dest, lead, sizeof(lead));
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

	if (dest->lock != NULL)
		return true;
	dest->lock = lock_mbox(dest->path, dest->env->tag, dest->may_make,
		&created, err);
	return dest->lock != NULL && (!created || sync_new(dest, err));
}

/* A pass that was killed may have made the file and written to it, and flushed
 * neither. */
static bool sync_found(struct dest *dest, struct err *err)
{
	return fsx_sync(lock_fd(dest->lock), dest->path, err)
		&& sync_new(dest, err);
}

/* Those that are still to be delivered. */
static size_t still_staged(struct item *const *items, size_t n,
	struct item **left)
{
	size_t i, count = 0;

	for (i = 0; i < n; i++)
		if (items[i]->state == ITEM_STAGED)
			left[count++] = items[i];
	return count;
}

/* It did not arrive as it was appended: what is there of it, and where? */
static bool look_again(struct dest *dest, struct item *const *items, size_t n,
	struct err *err)
{
	log_warn("another program wrote to %s while we had it locked; looking for what we appended",
		dest->path);
	if (!lock_is_current(dest->lock, dest->path)) {
		lock_release(dest->lock);
		dest->lock = NULL;
		if (!lock_file(dest, err))
			return false;
	}
	return sync_found(dest, err) && mbox_look_for(dest, items, n, err);
}

static bool mbox_commit(struct dest *dest, struct item *const *items, size_t n,
	struct err *err)
{
	struct item *left[LIMIT_BATCH_MESSAGES];
	size_t count = still_staged(items, n, left), i, tries;
	bool done = false;

	for (tries = 0; count != 0 && tries < TRIES; tries++) {
		if (!lock_file(dest, err)
		    || !mbox_append(dest, left, count, &done, err))
			return false;
		for (i = 0; done && i < count; i++)
			left[i]->state = ITEM_DELIVERED;
		if (!done && !look_again(dest, left, count, err))
			return false;
		count = still_staged(left, count, left);
	}
	return count == 0 || err_set(err, ERR_RETRY,
		"another program keeps writing to %s without a lock",
		dest->path);
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

static bool mbox_look(struct dest *dest, struct item *const *items, size_t n,
	struct err *err)
{
	return lock_file(dest, err) && sync_found(dest, err)
		&& mbox_look_for(dest, items, n, err);
}

static void mbox_close(struct dest *dest)
{
	mbox_release(dest, NULL, 0);
}

const struct dest_kind dest_mbox = {
	"mbox", false, true, mbox_open, mbox_stage, mbox_commit, mbox_sync,
	mbox_release, mbox_look, mbox_close,
};
