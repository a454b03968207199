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
#include "agent/base/limits.h"
#include "agent/base/log.h"

struct dest_lock {
	char dotlock[PATH_MAX];
	bool has_dotlock;
	int fd;
};

/* Our dotlocks hold "PID HOST"; other programs write their pid, 0 or
 * nothing. */
static bool write_owner(int fd)
{
	char host[64] = "", text[96];
	int n;

	gethostname(host, sizeof(host) - 1);
	n = snprintf(text, sizeof(text), "%ld %s\n", (long)getpid(), host);
	return write(fd, text, (size_t)n) == n;
}

/* Is the process that made this dotlock known to be gone? */
static bool owner_is_dead(int fd, bool *ours_r)
{
	char host[64] = "", text[96] = "", owner_host[65] = "";
	long pid = 0;

	*ours_r = false;
	gethostname(host, sizeof(host) - 1);
	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		return false;
	if (sscanf(text, "%ld %64s", &pid, owner_host) < 1 || pid <= 1)
		return false;
	*ours_r = strcmp(host, owner_host) == 0;
	return kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

/* A dotlock of ours whose process is dead goes at once, a foreign one after
 * five minutes. The mbox is protected by fcntl as well, so a race between
 * two processes that both break it costs nothing. */
static void break_if_stale(const char *path)
{
	struct stat st, now;
	bool ours, dead;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	dead = owner_is_dead(fd, &ours);
	if (fstat(fd, &st) == 0 && stat(path, &now) == 0
	    && st.st_ino == now.st_ino && dead
	    && (ours || clock_wall() - st.st_mtime > LIMIT_DOTLOCK_STALE_S)) {
		log_warn("removing the stale lock %s: its owner is gone", path);
		unlink(path);
	}
	close(fd);
}

static bool take_dotlock(struct dest_lock *lock, clock_ms deadline,
	struct err *err)
{
	bool written;
	int fd;

	for (;;) {
		fd = open(lock->dotlock, O_WRONLY | O_CREAT | O_EXCL
			| O_NOFOLLOW | O_CLOEXEC, 0644);
		if (fd >= 0)
			break;
		if (errno == EACCES || errno == EROFS || errno == EPERM) {
			/* /var/mail of a system without sticky bit: readers
			 * there rely on fcntl. */
			log_debug("cannot make %s: %s; locking with fcntl "
				"only", lock->dotlock, strerror(errno));
			return true;
		}
		if (errno != EEXIST)
			return err_sys(err, errno, "cannot make %s",
				lock->dotlock);
		break_if_stale(lock->dotlock);
		if (clock_left(deadline) == 0)
			return err_set(err, ERR_RETRY, "another program keeps "
				"the lock %s", lock->dotlock);
		clock_sleep(50);
	}
	lock->has_dotlock = true;
	written = write_owner(fd);
	close(fd);
	if (written)
		return true;
	return err_sys(err, errno, "cannot write %s", lock->dotlock);
}

static bool take_fcntl(struct dest_lock *lock, const char *path,
	clock_ms deadline, struct err *err)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	while (fcntl(lock->fd, F_SETLK, &whole) < 0) {
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return err_sys(err, errno, "cannot lock %s", path);
		if (clock_left(deadline) == 0)
			return err_set(err, ERR_RETRY,
				"another program keeps %s locked", path);
		clock_sleep(20);
	}
	return true;
}

static bool check_file(int fd, const char *path, bool *same_r,
	struct err *err)
{
	struct stat st, now;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "cannot look at %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_CONFIG, "%s is not a regular file; an "
			"mbox is", path);
	if (st.st_nlink > 1)
		return err_set(err, ERR_CONFIG, "%s has a second name (hard "
			"link); mail is not appended to it", path);
	*same_r = lstat(path, &now) == 0 && now.st_dev == st.st_dev
		&& now.st_ino == st.st_ino;
	return true;
}

static int open_mbox(const char *path, bool *created_r, struct err *err)
{
	int flags = O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
	int fd = open(path, flags | O_CREAT | O_EXCL, 0600);

	*created_r = fd >= 0;
	if (fd < 0 && errno == EEXIST)
		fd = open(path, flags);
	if (fd >= 0)
		return fd;
	if (errno != ELOOP)
		err_sys(err, errno, "cannot open the mbox %s", path);
	else
		err_set(err, ERR_CONFIG, "%s is a symbolic link; give the "
			"path of the mbox itself", path);
	return -1;
}

static bool take_both(struct dest_lock *lock, const char *path,
	bool *created_r, struct err *err)
{
	clock_ms deadline = clock_after(LIMIT_MBOX_LOCK_MS);
	bool same = false;

	if (!take_dotlock(lock, deadline, err))
		return false;
	while (!same) {
		if (lock->fd >= 0)
			close(lock->fd);
		lock->fd = open_mbox(path, created_r, err);
		if (lock->fd < 0 || !take_fcntl(lock, path, deadline, err)
		    || !check_file(lock->fd, path, &same, err))
			return false;
		if (!same && clock_left(deadline) == 0)
			return err_set(err, ERR_RETRY, "%s is being replaced "
				"again and again", path);
	}
	return true;
}

struct dest_lock *lock_mbox(const char *path, bool *created_r,
	struct err *err)
{
	struct dest_lock *lock = mem_grow(NULL, 1, sizeof(*lock));

	lock->fd = -1;
	lock->has_dotlock = false;
	if ((size_t)snprintf(lock->dotlock, sizeof(lock->dotlock), "%s.lock",
		path) >= sizeof(lock->dotlock)) {
		err_sys(err, ENAMETOOLONG, "%s", path);
		free(lock);
		return NULL;
	}
	if (take_both(lock, path, created_r, err))
		return lock;
	lock_release(lock);
	return NULL;
}

int lock_fd(const struct dest_lock *lock)
{
	return lock->fd;
}

void lock_release(struct dest_lock *lock)
{
	if (lock == NULL)
		return;
	if (lock->fd >= 0)
		close(lock->fd);
	if (lock->has_dotlock && unlink(lock->dotlock) < 0)
		log_warn("cannot remove %s: %s", lock->dotlock,
			strerror(errno));
	free(lock);
}
