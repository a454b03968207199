/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/fsx.h"
#include "agent/base/limits.h"
#include "delivery/dest.h"
#include "delivery/filter.h"

/*
 * Maildir. Its tmp/ is the stage; a rename to new/ delivers. Rename, not
 * link: tmp/N exists exactly as long as the message is not delivered, whatever
 * a mail reader does to new/N meanwhile.
 */

/* The size behind ",S=" is that of the message, also when it is compressed:
 * Dovecot takes it for the message's size. */
static void final_name(const struct item *item, char *out, size_t cap)
{
	snprintf(out, cap, "%s,S=%" PRIu64, item->name, item->size);
}

/* Opens cur, new or tmp, made if need be; then *made_r. */
static int open_sub(const struct dest *dest, const char *name, bool *made_r,
	struct err *err)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	int fd = openat(dest->fd, name, flags);

	if (fd < 0 && errno == ENOENT
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
	static const struct filter_options plain = { false, false };
	static const struct filter_options packed = { false, true };
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

static bool deliver_one(struct dest *dest, struct item *item, struct err *err)
{
	char name[ITEM_NAME + 32];

	final_name(item, name, sizeof(name));
	stage_close(item);
	if (fsx_rename_new(dest->stage.dir, item->name, dest->dir, name)) {
		item->state = ITEM_DELIVERED;
		return true;
	}
	if (errno == ENOENT) {
		/* NFS may answer so to the second try of a rename that
		 * happened. Else somebody cleaned tmp/. */
		item->state = faccessat(dest->dir, name, F_OK,
			AT_SYMLINK_NOFOLLOW) == 0 ? ITEM_DELIVERED : ITEM_VOID;
		return true;
	}
	return err_sys(err, errno, "cannot deliver to %s/new", dest->path);
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

/* Is there a file whose name begins with the item's name? */
static bool find_in(const struct dest *dest, const char *sub,
	const struct item *item, bool *found_r, struct err *err)
{
	struct dirent *entry;
	size_t len = strlen(item->name);
	DIR *dir;
	int fd;

	fd = openat(dest->fd, sub, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || (dir = fdopendir(fd)) == NULL) {
		err_sys(err, errno, "cannot read %s/%s", dest->path, sub);
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (!*found_r && (entry = readdir(dir)) != NULL)
		*found_r = strncmp(entry->d_name, item->name, len) == 0;
	closedir(dir);
	return true;
}

/* Twice: readdir can miss a file that is renamed meanwhile. */
static bool find(struct dest *dest, const struct item *item, bool *found_r,
	struct err *err)
{
	*found_r = false;
	return find_in(dest, "new", item, found_r, err)
		&& find_in(dest, "cur", item, found_r, err)
		&& find_in(dest, "new", item, found_r, err)
		&& find_in(dest, "cur", item, found_r, err);
}

/* tmp/N is gone. Within 36 hours only our rename can have done that; later a
 * reader may have cleaned tmp/. In another directory than the one it was
 * staged in (a disk that is not mounted) it says nothing at all. Then the
 * message must be seen to be believed. */
static bool settle_missing(struct dest *dest, struct item *item,
	struct err *err)
{
	bool found;

	item->state = ITEM_DELIVERED;
	if (item->place == dest->stage.place
	    && clock_wall() - item->intended < LIMIT_TMP_EVIDENCE_S)
		return true;
	if (!find(dest, item, &found, err))
		return false;
	if (!found)
		item->state = ITEM_VOID;
	return true;
}

static bool settle_one(struct dest *dest, struct item *item, struct err *err)
{
	bool renamed = false;
	struct stat st;

	if (fstatat(dest->stage.dir, item->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno == ENOENT)
			return settle_missing(dest, item, err);
		return err_sys(err, errno, "cannot look at %s/tmp/%s",
			dest->path, item->name);
	}
	/* A second name: perhaps a snapshot made of hard links, perhaps the
	 * rename happened and the file system kept the old entry through a
	 * power cut. */
	if (st.st_nlink > 1 && !find(dest, item, &renamed, err))
		return false;
	if (renamed) {
		item->state = ITEM_DELIVERED;
		return stage_remove(&dest->stage, item, err);
	}
	if (!stage_reopen(&dest->stage, item, err))
		return false;
	/* A file of the wrong size is swept away when the ledger has given it
	 * up for certain: gone before, it would look delivered. */
	return item->state != ITEM_STAGED || deliver_one(dest, item, err);
}

static bool maildir_settle(struct dest *dest, struct item *const *items,
	size_t n, struct err *err)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!settle_one(dest, items[i], err))
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
	maildir_sync, maildir_release, maildir_settle, maildir_close,
};
