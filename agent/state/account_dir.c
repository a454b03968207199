/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/state/account_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/sysmacros.h>
#endif

#include "agent/base/fsx.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "agent/base/num.h"

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

static long pid_in_file(const struct account_dir *d)
{
	int fd = openat(d->dir, "lock", O_RDONLY | O_NOFOLLOW | O_NONBLOCK
		| O_CLOEXEC);
	char text[24] = "";
	uint64_t pid = 0;

	if (fd < 0)
		return 0;
	if (pread(fd, text, sizeof(text) - 1, 0) <= 0
	    || !num_u64(text, strcspn(text, " \n"), INT32_MAX, &pid))
		pid = 0;
	close(fd);
	return (long)pid;
}

/* The lock file may be gone or another's; the system knows as well, on Linux:
 * "1: FLOCK  ADVISORY  WRITE 4711 fe:01:1234 0 EOF". */
static long pid_in_system(int fd)
{
	FILE *file = fopen("/proc/locks", "re");
	unsigned int major_no, minor_no;
	unsigned long long inode;
	char line[200];
	long pid = 0, one;
	struct stat st;

	if (file == NULL)
		return 0;
	while (pid == 0 && fstat(fd, &st) == 0
	       && fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "%*s FLOCK %*s WRITE %ld %x:%x:%llu", &one,
			&major_no, &minor_no, &inode) == 4
		    && inode == st.st_ino && major_no == major(st.st_dev)
		    && minor_no == minor(st.st_dev))
			pid = one;
	fclose(file);
	return pid;
}

/* `fd` is what could not be locked. */
static bool held_by_other(const struct account_dir *d, int fd, struct err *err)
{
	long pid = pid_in_system(fd);

	if (pid <= 0)
		pid = pid_in_file(d);
	if (pid > 0)
		err_set(err, ERR_RETRY,
			"process %ld is working on this account in %s", pid, d->path);
	else
		err_set(err, ERR_RETRY,
			"another process is working on this account in %s", d->path);
	err->code = ERR_CODE_BUSY;
	return false;
}

/* Only what cannot be done at all there. */
static bool cannot_lock(int error)
{
	return error == EBADF || error == ENOLCK || error == EOPNOTSUPP
		|| error == ENOSYS || error == EINVAL;
}

static bool lock_dir(struct account_dir *d, struct err *err)
{
	if (fsx_lock(d->dir, LIMIT_ACCOUNT_LOCK_MS))
		return true;
	if (errno == EWOULDBLOCK)
		return held_by_other(d, d->dir, err);
	d->by_file = cannot_lock(errno);
	return d->by_file || err_sys(err, errno, "cannot lock %s", d->path);
}

static bool lock_file(struct account_dir *d, int ms, struct err *err)
{
	d->lock = openat(d->dir, "lock", O_RDWR | O_CREAT | O_NOFOLLOW
		| O_CLOEXEC, 0600);
	if (d->lock < 0)
		return err_sys(err, errno, "cannot open %s/lock", d->path);
	if (fsx_lock(d->lock, ms)) {
		write_pid(d->lock);
		return true;
	}
	if (errno == EWOULDBLOCK)
		return held_by_other(d, d->lock, err);
	return err_sys(err, errno, "cannot lock %s/lock", d->path);
}

static bool is_ours(const struct account_dir *d)
{
	struct stat own, there;

	return fstat(d->lock, &own) == 0
		&& fstatat(d->dir, "lock", &there, AT_SYMLINK_NOFOLLOW) == 0
		&& own.st_ino == there.st_ino && own.st_dev == there.st_dev;
}

bool account_dir_check(struct account_dir *d, struct err *err)
{
	if (is_ours(d))
		return true;
	if (d->by_file)
		return err_set(err, ERR_RETRY,
			"the lock of %s was removed while it was held: another process may be working on this account now", d->path);
	/* The directory is ours still, but an older version would not see. */
	log_info("somebody removed the lock file of %s; it is made again",
		d->path);
	close(d->lock);
	return lock_file(d, 0, err);
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
	d->by_file = false;
	if ((size_t)snprintf(d->path, sizeof(d->path), "%s/%s", state,
		account) >= sizeof(d->path))
		return err_set(err, ERR_CONFIG, "state: the path %s is too long", state);
	snprintf(d->stage_path, sizeof(d->stage_path), "%s/stage", d->path);
	d->dir = fsx_makedir(d->path, err);
	if (d->dir < 0) {
		err_prefix(err, "state directory %s", d->path);
		return false;
	}
	return check_owner(d, err) && lock_dir(d, err)
		&& lock_file(d, LIMIT_ACCOUNT_LOCK_MS, err)
		&& open_stage(d, err);
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

static bool is_locked(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);
	bool locked;

	if (fd < 0)
		return false;
	locked = !fsx_lock(fd, 0) && errno == EWOULDBLOCK;
	close(fd);
	return locked;
}

bool account_dir_busy(const char *state, const char *account)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s", state, account);
	if (is_locked(path, O_RDONLY | O_DIRECTORY))
		return true;
	snprintf(path, sizeof(path), "%s/%s/lock", state, account);
	/* Writable, or NFS would not lock it. */
	return is_locked(path, O_RDWR | O_NOFOLLOW);
}
