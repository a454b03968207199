/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/fsx.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "delivery/dest.h"
#include "delivery/maildir_find.h"

/*
 * Maildir. Its tmp/ is the stage; a rename to new/ delivers. Rename, not
 * link: as long as tmp/N exists the message is not delivered, whatever a mail
 * reader does to new/N meanwhile. When tmp/N is gone, that proves nothing: it
 * may have been renamed, or cleaned away, or its disk is another one. Then the
 * message must be seen to be believed.
 */

/* The size behind ",S=" is that of the message, also when it is compressed:
 * Dovecot takes it for the message's size. */
static void final_name(const struct item *item, char *out, size_t cap)
{
	snprintf(out, cap, "%s,S=%" PRIu64, item->name, item->size);
}

/* Opens cur, new or tmp; made if need be, then *made_r. */
static int open_sub(const struct dest *dest, const char *name, bool *made_r,
	struct err *err)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	int fd = openat(dest->fd, name, flags);

	if (fd < 0 && errno == ENOENT && dest->may_make
	    && (mkdirat(dest->fd, name, 0700) == 0 || errno == EEXIST)) {
		*made_r = true;
		fd = openat(dest->fd, name, flags);
	}
	if (fd < 0)
		err_sys(err, errno, "cannot open or make %s/%s", dest->path,
			name);
	return fd;
}

/* Makes the Maildir itself, but not its parents: a parent that is missing is
 * more likely a disk that is not mounted. */
static bool make_root(const char *path, struct err *err)
{
	char parent[PATH_MAX], *slash;
	int fd;

	snprintf(parent, sizeof(parent), "%s", path);
	while ((slash = strrchr(parent, '/')) != NULL && slash[1] == '\0'
	       && slash != parent)
		*slash = '\0';
	if (slash == NULL)
		snprintf(parent, sizeof(parent), ".");
	else
		slash[slash == parent] = '\0';
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		err_sys(err, errno, "the folder for the Maildir %s: cannot open %s", path, parent);
		return false;
	}
	if (mkdir(path, 0700) < 0 && errno != EEXIST) {
		err_sys(err, errno, "cannot make the Maildir %s", path);
		close(fd);
		return false;
	}
	if (!fsx_sync_dir(fd, path, err)) {
		close(fd);
		return false;
	}
	close(fd);
	return true;
}

static bool maildir_open(struct dest *dest, struct err *err)
{
	static const struct filter_options plain = { false, false, false };
	static const struct filter_options packed = { false, true, false };
	bool made = false;
	int cur;

	if (dest->may_make && access(dest->path, F_OK) < 0 && errno == ENOENT
	    && !make_root(dest->path, err))
		return false;
	dest->fd = fsx_opendir(dest->path, err);
	if (dest->fd < 0)
		return false;
	cur = open_sub(dest, "cur", &made, err);
	if (cur < 0)
		return false;
	close(cur);
	dest->dir = open_sub(dest, "new", &made, err);
	if (dest->dir < 0)
		return false;
	dest->stage.dir = open_sub(dest, "tmp", &made, err);
	dest->stage.path = dest->path;
	if (dest->stage.dir < 0
	    || (made && !fsx_sync_dir(dest->fd, dest->path, err)))
		return false;
	stage_init(&dest->stage, dest->stage.dir, dest->path, dest->env->tag);
	dest->chain = filter_new(dest->gzip ? &packed : &plain);
	return true;
}

static bool maildir_stage(struct dest *dest, struct item *item,
	struct sink **sink_r, struct err *err)
{
	if (!stage_create(&dest->stage, item, err))
		return false;
	*sink_r = filter_start(dest->chain, item->fd, dest->path, "", "", err);
	return *sink_r != NULL;
}

/* Is one item anywhere in the Maildir? */
static bool find_one(struct dest *dest, struct item *item, bool *found_r,
	struct err *err)
{
	*found_r = false;
	return maildir_find(dest->fd, dest->path, &item, 1, found_r, err);
}

static bool deliver_one(struct dest *dest, struct item *item, struct err *err)
{
	char name[ITEM_NAME + 32];
	bool found;

	final_name(item, name, sizeof(name));
	stage_close(item);
	if (fsx_rename_new(dest->stage.dir, item->name, dest->dir, name)) {
		item->state = ITEM_DELIVERED;
		return true;
	}
	if (errno != ENOENT)
		return err_sys(err, errno, "cannot deliver to %s/new",
			dest->path);
	/* NFS may answer so to the second try of a rename that happened. Else
	 * somebody cleaned tmp/. */
	if (!find_one(dest, item, &found, err))
		return false;
	item->state = found ? ITEM_DELIVERED : ITEM_VOID;
	return true;
}

static bool maildir_commit(struct dest *dest, struct item *const *items,
	size_t n, struct err *err)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!deliver_one(dest, items[i], err))
			return false;
	return true;
}

static bool maildir_sync(struct dest *dest, struct err *err)
{
	return fsx_sync_dir(dest->dir, dest->path, err);
}

static void maildir_release(struct dest *dest, struct item *const *items,
	size_t n)
{
	(void)dest;
	(void)items;
	(void)n;
}

/* In tmp/ alone: not delivered. A file of the wrong size is swept away when the
 * ledger has given it up for certain. */
static void look_staged(struct item *item, const struct stat *st)
{
	item->state = S_ISREG(st->st_mode)
		&& (uint64_t)st->st_size == item->stored
		? ITEM_STAGED : ITEM_VOID;
}

/* What is in tmp/ may be delivered as well: the rename happened, and the file
 * system kept the old entry through a power cut; since then a reader may have
 * moved the new one, and a restored copy made two files of them. So all are
 * looked for. */
struct doubt {
	struct stat staged[LIMIT_BATCH_MESSAGES];	/* st_nlink 0: gone */
	bool found[LIMIT_BATCH_MESSAGES];
};

static bool look_one(const struct dest *dest, const struct item *item,
	struct stat *st, struct err *err)
{
	if (fstatat(dest->stage.dir, item->name, st, AT_SYMLINK_NOFOLLOW) == 0)
		return true;
	if (errno != ENOENT)
		return err_sys(err, errno, "cannot look at %s/tmp/%s",
			dest->path, item->name);
	st->st_nlink = 0;
	return true;
}

static bool settle_doubt(struct dest *dest, struct item *item,
	const struct doubt *doubt, size_t i, struct err *err)
{
	if (doubt->found[i]) {
		item->state = ITEM_DELIVERED;
		return stage_remove(&dest->stage, item, err);
	}
	if (doubt->staged[i].st_nlink != 0) {
		look_staged(item, &doubt->staged[i]);
		return true;
	}
	log_warn("%s/tmp/%s is gone, and the message is nowhere in the Maildir: it cannot be shown to have arrived",
		dest->path, item->name);
	item->state = ITEM_VOID;
	return true;
}

static bool maildir_look(struct dest *dest, struct item *const *items,
	size_t n, struct err *err)
{
	struct doubt doubt;
	size_t i;

	for (i = 0; i < n; i++) {
		doubt.found[i] = false;
		if (!look_one(dest, items[i], &doubt.staged[i], err))
			return false;
	}
	if (!maildir_find(dest->fd, dest->path, items, n, doubt.found, err))
		return false;
	for (i = 0; i < n; i++)
		if (!settle_doubt(dest, items[i], &doubt, i, err))
			return false;
	return true;
}

static void maildir_close(struct dest *dest)
{
	if (dest->stage.dir >= 0 && dest->stage.dir != dest->env->stage_dir)
		close(dest->stage.dir);
}

const struct dest_kind dest_maildir = {
	"maildir", true, false, maildir_open, maildir_stage, maildir_commit,
	maildir_sync, maildir_release, maildir_look, maildir_close,
};
