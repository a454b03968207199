/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/account_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/fsx.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"

static bool check_owner(const struct account_dir *d, struct err *err)
{
	struct stat st;

	if (fstat(d->dir, &st) < 0)
		return err_sys(err, errno, "cannot look at %s", d->path);
	if (st.st_uid != geteuid())
		return err_set(err, ERR_CONFIG, "%s belongs to another user",
			d->path);
	if ((st.st_mode & 022) != 0)
		return err_set(err, ERR_CONFIG,
			"others may write to %s: run chmod 700 %s", d->path, d->path);
	return true;
}

/* For people and for the second process; the kernel's lock is what counts. The
 * text is as long as the longest pid, so it covers that of the last pass. */
static void write_pid(int fd)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%-20ld\n", (long)getpid());

	if (pwrite(fd, text, (size_t)n, 0) != n)
		log_debug("cannot write the pid into the lock file");
}

static bool held_by_other(const struct account_dir *d, struct err *err)
{
	char text[24] = "";
	ssize_t n = pread(d->lock, text, sizeof(text) - 1, 0);

	if (n > 0)
		text[strcspn(text, " \n")] = '\0';
	err_set(err, ERR_RETRY,
		"process %s is working on this account (it holds %s/lock)",
		n > 0 ? text : "?", d->path);
	err->code = ERR_CODE_BUSY;
	return false;
}

static bool take_lock(struct account_dir *d, struct err *err)
{
	d->lock = openat(d->dir, "lock", O_RDWR | O_CREAT | O_NOFOLLOW
		| O_CLOEXEC, 0600);
	if (d->lock < 0)
		return err_sys(err, errno, "cannot open %s/lock", d->path);
	if (fsx_lock(d->lock, LIMIT_ACCOUNT_LOCK_MS)) {
		write_pid(d->lock);
		return true;
	}
	if (errno == EWOULDBLOCK)
		return held_by_other(d, err);
	return err_sys(err, errno, "cannot lock %s/lock", d->path);
}

static bool open_stage(struct account_dir *d, struct err *err)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

	d->stage = openat(d->dir, "stage", flags);
	if (d->stage < 0 && errno == ENOENT) {
		if (!fsx_mkdirat(d->dir, "stage", err))
			return false;
		d->stage = openat(d->dir, "stage", flags);
	}
	return d->stage >= 0
		|| err_sys(err, errno, "cannot open %s", d->stage_path);
}

bool account_dir_open(struct account_dir *d, const char *state,
	const char *account, struct err *err)
{
	d->dir = d->stage = d->lock = -1;
	if ((size_t)snprintf(d->path, sizeof(d->path), "%s/%s", state,
		account) >= sizeof(d->path))
		return err_set(err, ERR_CONFIG, "state: the path %s is too long", state);
	snprintf(d->stage_path, sizeof(d->stage_path), "%s/stage", d->path);
	d->dir = fsx_makedir(d->path, err);
	if (d->dir < 0) {
		err_prefix(err, "state directory %s", d->path);
		return false;
	}
	if (!check_owner(d, err) || !take_lock(d, err))
		return false;
	return open_stage(d, err);
}

void account_dir_close(struct account_dir *d)
{
	if (d->stage >= 0)
		close(d->stage);
	if (d->lock >= 0)
		close(d->lock);
	if (d->dir >= 0)
		close(d->dir);
}

bool account_dir_busy(const char *state, const char *account)
{
	char path[600];
	bool busy;
	int fd;

	snprintf(path, sizeof(path), "%s/%s/lock", state, account);
	/* Writable, or NFS would not lock it. */
	fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return false;
	busy = !fsx_lock(fd, 0) && errno == EWOULDBLOCK;
	close(fd);
	return busy;
}
