/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "delivery/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/arena.h"
#include "agent/base/clock.h"
#include "agent/base/digest.h"
#include "agent/base/fsx.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"

struct dest_lock {
	char dotlock[PATH_MAX];
	char temporary[PATH_MAX];
	bool has_dotlock;
	int fd;
};

static void host_name(char *out, size_t cap)
{
	if (gethostname(out, cap) < 0)
		out[0] = '\0';
	out[cap - 1] = '\0';
}

/* "PID:HOST" is what Dovecot writes and reads: it takes away at once the lock
 * of a process that is dead. */
static bool write_owner(const char *path, struct err *err)
{
	char host[64], text[96];
	int fd, n;
	bool ok;

	host_name(host, sizeof(host));
	n = snprintf(text, sizeof(text), "%ld:%s\n", (long)getpid(), host);
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		0644);
	if (fd < 0)
		return err_sys(err, errno, "cannot make %s", path);
	ok = fsx_write(fd, text, (size_t)n, path, err);
	if (!ok)
		unlink(path);
	close(fd);
	return ok;
}

/* Does it say that its owner was a process of this host, and is that dead?
 * Other programs write their pid alone, 0 or nothing. */
static bool owner_is_dead(int fd)
{
	char text[160] = "", owner_host[65] = "", host[64];
	long pid = 0;

	host_name(host, sizeof(host));
	return pread(fd, text, sizeof(text) - 1, 0) > 0
		&& sscanf(text, "%ld:%64s", &pid, owner_host) == 2 && pid > 1
		&& strcmp(owner_host, host) == 0
		&& kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

/* Is it the file that our account's passes link into place? */
static bool is_ours(const struct stat *lock, const char *temporary)
{
	struct stat st;

	return lstat(temporary, &st) == 0 && st.st_dev == lock->st_dev
		&& st.st_ino == lock->st_ino;
}

/* A dotlock is stale if it is our account's, left by a pass that was killed;
 * if the process that it names is dead; or after five minutes. The mbox is
 * protected by fcntl as well, so a race between two processes that both break
 * one costs nothing. */
static void break_if_stale(const char *path, const char *temporary)
{
	struct stat st, now;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && (is_ours(&st, temporary)
		|| owner_is_dead(fd)
		|| clock_wall() - st.st_mtime > LIMIT_DOTLOCK_STALE_S)
	    && lstat(path, &now) == 0 && st.st_ino == now.st_ino) {
		log_info("removing the stale lock %s", path);
		unlink(path);
	}
	close(fd);
}

void lock_clean(const char *path, const char *tag)
{
	char name[PATH_MAX], temporary[PATH_MAX];

	snprintf(temporary, sizeof(temporary), "%s.lock.%s", path, tag);
	snprintf(name, sizeof(name), "%s.lock", path);
	break_if_stale(name, temporary);
	unlink(temporary);
}

/* File systems without hard links get the lock in two steps. */
static bool link_or_create(const struct dest_lock *lock)
{
	int fd;

	if (link(lock->temporary, lock->dotlock) == 0)
		return true;
	if (errno == EEXIST)
		return false;
	fd = open(lock->dotlock, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW
		| O_CLOEXEC, 0644);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static bool wait_for_dotlock(struct dest_lock *lock, clock_ms deadline,
	struct err *err)
{
	while (!link_or_create(lock)) {
		if (errno != EEXIST)
			return err_sys(err, errno, "cannot make %s",
				lock->dotlock);
		break_if_stale(lock->dotlock, "");
		if (clock_left(deadline) == 0)
			return err_set(err, ERR_RETRY,
				"another program keeps the lock %s", lock->dotlock);
		clock_sleep(50);
	}
	lock->has_dotlock = true;
	return true;
}

static bool take_dotlock(struct dest_lock *lock, clock_ms deadline,
	struct err *err)
{
	if (!write_owner(lock->temporary, err)) {
		if (err->sys != EACCES && err->sys != EROFS
		    && err->sys != EPERM)
			return false;
		/* /var/mail of a system without sticky bit: readers there
		 * rely on fcntl. */
		log_debug("%s; locking with fcntl only", err->text);
		err_clear(err);
		return true;
	}
	if (wait_for_dotlock(lock, deadline, err))
		return true;
	unlink(lock->temporary);
	return false;
}

/* Without waiting; false without an error if another program has it. */
static bool take_fcntl(struct dest_lock *lock, const char *path, bool *busy_r,
	struct err *err)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	*busy_r = false;
	if (fcntl(lock->fd, F_SETLK, &whole) == 0)
		return true;
	*busy_r = errno == EAGAIN || errno == EACCES || errno == EINTR;
	return *busy_r ? false : err_sys(err, errno, "cannot lock %s", path);
}

static bool has_name(int fd, const char *path)
{
	struct stat st, now;

	return fstat(fd, &st) == 0 && lstat(path, &now) == 0
		&& now.st_dev == st.st_dev && now.st_ino == st.st_ino;
}

static bool check_file(int fd, const char *path, bool *same_r,
	struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "cannot look at %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_CONFIG, "%s is not a regular file; an mbox is", path);
	if (st.st_nlink > 1)
		return err_set(err, ERR_CONFIG,
			"%s has a second name (hard link); mail is not appended to it", path);
	*same_r = has_name(fd, path);
	return true;
}

static int open_mbox(const char *path, bool make, bool *created_r,
	struct err *err)
{
	int flags = O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
	int fd = make ? open(path, flags | O_CREAT | O_EXCL, 0600) : -1;

	*created_r = fd >= 0;
	if (!make || (fd < 0 && errno == EEXIST))
		fd = open(path, flags);
	if (fd >= 0)
		return fd;
	if (errno != ELOOP)
		err_sys(err, errno, "cannot open the mbox %s", path);
	else
		err_set(err, ERR_CONFIG,
			"%s is a symbolic link; give the path of the mbox itself", path);
	return -1;
}

/* Lets go of everything but what lock_mbox() allocated. */
static void let_go(struct dest_lock *lock)
{
	if (lock->fd >= 0)
		close(lock->fd);
	lock->fd = -1;
	if (!lock->has_dotlock)
		return;
	if (unlink(lock->dotlock) < 0)
		log_warn("cannot remove %s: %s", lock->dotlock, strerror(errno));
	/* Last: as long as it is there, the lock is known to be ours. */
	unlink(lock->temporary);
	lock->has_dotlock = false;
}

/* One try at the file, with the dotlock held: locked, and still the file that
 * has this name. */
static bool take_file(struct dest_lock *lock, const char *path, bool make,
	bool *created_r, bool *again_r, struct err *err)
{
	bool same;

	lock->fd = open_mbox(path, make, created_r, err);
	if (lock->fd < 0 || !take_fcntl(lock, path, again_r, err)
	    || !check_file(lock->fd, path, &same, err))
		return false;
	*again_r = !same;
	return same;
}

/* Some programs take the two locks in the other order. So neither is held
 * while we wait for the other. */
static bool take_both(struct dest_lock *lock, const char *path, bool make,
	bool *created_r, struct err *err)
{
	clock_ms deadline = clock_after(LIMIT_MBOX_LOCK_MS);
	bool again;

	for (;;) {
		again = false;
		if (!take_dotlock(lock, deadline, err)) {
			if (err->sys == ENOENT)
				err_prefix(err, "the folder of the mbox %s", path);
			return false;
		}
		if (take_file(lock, path, make, created_r, &again, err))
			return true;
		if (!again)
			return false;
		if (clock_left(deadline) == 0)
			return err_set(err, ERR_RETRY,
				"another program keeps %s locked", path);
		let_go(lock);
		clock_sleep(20 + (int64_t)(digest_random() % 60));
	}
}

struct dest_lock *lock_mbox(const char *path, const char *tag, bool make,
	bool *created_r, struct err *err)
{
	struct dest_lock *lock = mem_grow(NULL, 1, sizeof(*lock));
	size_t cap = sizeof(lock->temporary);

	lock->fd = -1;
	lock->has_dotlock = false;
	if ((size_t)snprintf(lock->temporary, cap, "%s.lock.%s", path, tag)
	    >= cap) {
		err_sys(err, ENAMETOOLONG, "%s", path);
		free(lock);
		return NULL;
	}
	snprintf(lock->dotlock, sizeof(lock->dotlock), "%s.lock", path);
	if (take_both(lock, path, make, created_r, err))
		return lock;
	lock_release(lock);
	return NULL;
}

bool lock_is_current(const struct dest_lock *lock, const char *path)
{
	return has_name(lock->fd, path);
}

int lock_fd(const struct dest_lock *lock)
{
	return lock->fd;
}

void lock_release(struct dest_lock *lock)
{
	if (lock == NULL)
		return;
	let_go(lock);
	free(lock);
}
