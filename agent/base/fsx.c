/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/base/fsx.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/vfs.h>
#endif

#include "agent/base/arena.h"
#include "agent/base/clock.h"
#include "agent/base/limits.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

int fsx_opendir(const char *path, struct err *err)
{
	int fd = open(path, DIR_FLAGS);

	if (fd < 0)
		err_sys(err, errno, "cannot open the directory %s", path);
	return fd;
}

static bool make_in(int dir, const char *name, const char *path,
	struct err *err)
{
	if (mkdirat(dir, name, 0700) < 0) {
		if (errno == EEXIST)
			return true;
		return err_sys(err, errno, "cannot make the directory %s", path);
	}
	return fsx_sync_dir(dir, path, err);
}

bool fsx_mkdirat(int dir, const char *name, struct err *err)
{
	return make_in(dir, name, name, err);
}

static int step_into(int dir, const char *name, const char *path,
	struct err *err)
{
	int next = openat(dir, name, DIR_FLAGS);

	if (next < 0 && errno == ENOENT) {
		if (!make_in(dir, name, path, err)) {
			close(dir);
			return -1;
		}
		next = openat(dir, name, DIR_FLAGS);
	}
	if (next < 0)
		err_sys(err, errno, "cannot open the directory %s", path);
	close(dir);
	return next;
}

static int make_each(const char *path, struct err *err)
{
	char copy[PATH_MAX], here[PATH_MAX], *name, *rest;
	int dir;

	if (strlen(path) >= sizeof(copy)) {
		err_sys(err, ENAMETOOLONG, "%s", path);
		return -1;
	}
	snprintf(copy, sizeof(copy), "%s", path);
	dir = open(copy[0] == '/' ? "/" : ".", DIR_FLAGS);
	if (dir < 0) {
		err_sys(err, errno, "cannot open the directory %s", path);
		return -1;
	}
	for (name = strtok_r(copy, "/", &rest); name != NULL && dir >= 0;
	     name = strtok_r(NULL, "/", &rest)) {
		snprintf(here, sizeof(here), "%.*s",
			(int)(name - copy + (ptrdiff_t)strlen(name)), path);
		dir = step_into(dir, name, here, err);
	}
	return dir;
}

int fsx_makedir(const char *path, struct err *err)
{
	int dir = open(path, DIR_FLAGS);

	return dir >= 0 ? dir : make_each(path, err);
}

bool fsx_write(int fd, const void *data, size_t len, const char *what,
	struct err *err)
{
	const char *p = data;
	ssize_t n;

	while (len != 0) {
		n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == ENOSPC || errno == EDQUOT))
			return err_sys(err, errno,
				"cannot write %s (at least %zu more bytes are needed)", what, len);
		if (n < 0)
			return err_sys(err, errno, "cannot write %s", what);
		p += n;
		len -= (size_t)n;
	}
	return true;
}

bool fsx_pread(int fd, void *data, size_t len, uint64_t at, size_t *got_r,
	const char *what, struct err *err)
{
	char *p = data;
	ssize_t n;

	*got_r = 0;
	while (*got_r < len) {
		n = pread(fd, p + *got_r, len - *got_r,
			(off_t)(at + *got_r));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, errno, "cannot read %s", what);
		if (n == 0)
			break;
		*got_r += (size_t)n;
	}
	return true;
}

bool fsx_copy(int from, uint64_t at, uint64_t len, int to, const char *what,
	struct err *err)
{
	char buf[LIMIT_PUMP_BUFFER] UNFILLED;
	uint64_t end = at + len;
	size_t want, got;

	for (; at < end; at += got) {
		want = end - at < sizeof(buf) ? (size_t)(end - at)
			: sizeof(buf);
		if (!fsx_pread(from, buf, want, at, &got, what, err))
			return false;
		if (got == 0)
			return err_set(err, ERR_RETRY,
				"a file has become shorter while it was copied to %s", what);
		if (!fsx_write(to, buf, got, what, err))
			return false;
	}
	return true;
}

static bool read_all(int fd, const char *path, size_t max, char **data_r,
	size_t *len_r, struct err *err)
{
	size_t cap = 4096, len = 0;
	char *data = mem_grow(NULL, cap, 1);
	ssize_t n;

	for (;;) {
		n = read(fd, data + len, cap - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
		if (len > max)
			break;
		if (len + 1 == cap)
			data = mem_grow(data, cap *= 2, 1);
	}
	if (n >= 0 && len <= max) {
		data[len] = '\0';
		*data_r = data;
		*len_r = len;
		return true;
	}
	free(data);
	if (n < 0)
		return err_sys(err, errno, "cannot read %s", path);
	return err_set(err, ERR_CONFIG, "%s is larger than %zu bytes", path,
		max);
}

bool fsx_read_file(const char *path, size_t max, char **data_r, size_t *len_r,
	struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return err_sys(err, errno, "cannot open %s", path);
	ok = read_all(fd, path, max, data_r, len_r, err);
	close(fd);
	return ok;
}

/* A file of that name is left over, or somebody's trap: not ours to open. */
static int create_new(int dir, const char *name, mode_t mode)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
	int fd = openat(dir, name, flags, mode);

	if (fd >= 0 || errno != EEXIST || unlinkat(dir, name, 0) < 0)
		return fd;
	return openat(dir, name, flags, mode);
}

static bool replace(int dir, const char *name, const void *data, size_t len,
	mode_t mode, bool durably, struct err *err)
{
	char fresh[PATH_MAX];
	bool ok;
	int fd;

	snprintf(fresh, sizeof(fresh), "%.*s.new", PATH_MAX - 8, name);
	fd = create_new(dir, fresh, mode);
	if (fd < 0)
		return err_sys(err, errno, "cannot make %s", fresh);
	/* Others are to read it, whatever the umask says. */
	ok = (mode & 077) == 0 || fchmod(fd, mode) == 0
		|| err_sys(err, errno, "cannot set the mode of %s", fresh);
	ok = ok && fsx_write(fd, data, len, fresh, err)
		&& (!durably || fsx_sync(fd, fresh, err));
	if (close(fd) < 0 && ok)
		ok = err_sys(err, errno, "cannot write %s", fresh);
	if (ok && renameat(dir, fresh, dir, name) < 0)
		ok = err_sys(err, errno, "cannot rename %s", fresh);
	if (!ok)
		unlinkat(dir, fresh, 0);
	return ok && (!durably || fsx_sync_dir(dir, name, err));
}

bool fsx_replace(int dir, const char *name, const void *data, size_t len,
	mode_t mode, struct err *err)
{
	return replace(dir, name, data, len, mode, false, err);
}

bool fsx_replace_durably(int dir, const char *name, const void *data,
	size_t len, mode_t mode, struct err *err)
{
	return replace(dir, name, data, len, mode, true, err);
}

static bool flush_failed;

bool fsx_sync(int fd, const char *what, struct err *err)
{
	if (fdatasync(fd) == 0)
		return true;
	flush_failed = true;
	return err_sys(err, errno, "cannot flush %s to disk", what);
}

bool fsx_sync_dir(int fd, const char *what, struct err *err)
{
	if (fsync(fd) == 0 || errno == EINVAL || errno == EBADF)
		return true;
	flush_failed = true;
	return err_sys(err, errno, "cannot flush the directory of %s", what);
}

bool fsx_flush_failed(void)
{
	return flush_failed;
}

void fsx_start_writeback(int fd)
{
#ifdef SYNC_FILE_RANGE_WRITE
	sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
#else
	(void)fd;
#endif
}

bool fsx_rename_new(int from_dir, const char *from, int to_dir, const char *to)
{
	struct stat st;

#ifdef RENAME_NOREPLACE
	if (renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE) == 0)
		return true;
	if (errno != EINVAL && errno != ENOSYS)
		return false;
#endif
	/* NFS and old systems: the names hold 64 random bits, so looking first
	 * is enough. */
	if (fstatat(to_dir, to, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return false;
	}
	return renameat(from_dir, from, to_dir, to) == 0;
}

static uint64_t above_reserve(const struct statvfs *fs)
{
	uint64_t room = (uint64_t)fs->f_bavail * fs->f_frsize;
	uint64_t reserve = (uint64_t)fs->f_blocks * fs->f_frsize / 20;

	if (fs->f_blocks == 0)
		return UINT64_MAX;
	if (reserve > LIMIT_DISK_RESERVE)
		reserve = LIMIT_DISK_RESERVE;
	return room > reserve ? room - reserve : 0;
}

uint64_t fsx_room(int fd)
{
	struct statvfs fs;

	return fstatvfs(fd, &fs) < 0 ? UINT64_MAX : above_reserve(&fs);
}

uint64_t fsx_room_for(const char *path)
{
	char folder[PATH_MAX], *slash;
	struct statvfs fs;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash == NULL)
		return UINT64_MAX;
	slash[slash == folder] = '\0';
	return statvfs(folder, &fs) < 0 ? UINT64_MAX : above_reserve(&fs);
}

bool fsx_is_volatile(int fd)
{
#ifdef __linux__
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && ((unsigned long)fs.f_type == 0x01021994
		|| (unsigned long)fs.f_type == 0x858458f6);
#else
	(void)fd;
	return false;
#endif
}

bool fsx_lock(int fd, int ms)
{
	clock_ms deadline = clock_after(ms);

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK || clock_left(deadline) == 0)
			return false;
		clock_sleep(10);
	}
	return true;
}
