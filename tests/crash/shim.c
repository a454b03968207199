/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE
#include "tests/crash/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/*
 * Wrappers of calls that change the disk or take a lock, all of one form:
 * begin (counted, may be killed), fail or do it, end (logged, may be killed).
 */

/* ---- opening and closing ---- */

static int open_any(int dir, const char *path, int flags, mode_t mode)
{
	bool lasting = (flags & (O_CREAT | O_TRUNC)) != 0;
	bool writable = (flags & O_ACCMODE) != O_RDONLY;
	struct call call = shim_begin(lasting ? KIND_OPEN : KIND_OPEN_READ);
	char name[PATH_MAX];
	int fd = -1;

	if (shim_control == NULL)
		return (int)syscall(SYS_openat, dir, path, flags, mode);
	call.path = shim_path(dir, path, name);
	call.a = flags;
	call.file = atomic_fetch_add(&shim_control->files, 1) + 1;
	if (!shim_fails(&call))
		fd = (int)syscall(SYS_openat, dir, path, flags, mode);
	if (fd >= 0)
		shim_opened(fd, call.file, name, writable);
	return (int)shim_end(&call, fd);
}

#define OPEN(name, params, dir) \
EXPORT int name params \
{ \
	mode_t mode = 0; \
	va_list ap; \
	va_start(ap, flags); \
	if ((flags & (O_CREAT | O_TMPFILE)) != 0) \
		mode = va_arg(ap, mode_t); \
	va_end(ap); \
	return open_any(dir, path, flags, mode); \
}
OPEN(open, (const char *path, int flags, ...), AT_FDCWD)
OPEN(open64, (const char *path, int flags, ...), AT_FDCWD)
OPEN(openat, (int dir, const char *path, int flags, ...), dir)
OPEN(openat64, (int dir, const char *path, int flags, ...), dir)

int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);
int __openat64_2(int dir, const char *path, int flags);

EXPORT int __open_2(const char *path, int flags)
{
	return open_any(AT_FDCWD, path, flags, 0);
}

EXPORT int __open64_2(const char *path, int flags)
{
	return open_any(AT_FDCWD, path, flags, 0);
}

EXPORT int __openat_2(int dir, const char *path, int flags)
{
	return open_any(dir, path, flags, 0);
}

EXPORT int __openat64_2(int dir, const char *path, int flags)
{
	return open_any(dir, path, flags, 0);
}

EXPORT int creat(const char *path, mode_t mode)
{
	return open_any(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* A close that fails has closed all the same. */
EXPORT int close(int fd)
{
	struct shim_file *f = shim_file(fd);
	struct call call = { .kind = KIND_CLOSE };
	int result;

	if (f->id == 0 || !f->writable) {
		shim_closed(fd);
		return (int)syscall(SYS_close, fd);
	}
	call = shim_begin(KIND_CLOSE);
	call.file = f->id;
	shim_closed(fd);
	result = (int)syscall(SYS_close, fd);
	return (int)shim_end(&call, shim_fails(&call) ? -1 : result);
}

/* ---- bytes ---- */

EXPORT ssize_t write(int fd, const void *data, size_t len)
{
	struct call call;

	/* Pipes and terminals: nothing that lasts. */
	if (shim_file(fd)->id == 0)
		return syscall(SYS_write, fd, data, len);
	call = shim_begin(KIND_WRITE);
	call.file = shim_file(fd)->id;
	call.data = data;
	return DO(call, syscall(SYS_write, fd, data, shim_part(&call, len)));
}

EXPORT ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
	struct call call = shim_begin(KIND_PWRITE);

	call.file = shim_file(fd)->id;
	call.data = data;
	call.a = at;
	return DO(call, syscall(SYS_pwrite64, fd, data,
		shim_part(&call, len), at));
}

EXPORT ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at)
{
	return pwrite(fd, data, len, at);
}

/* Joined into one buffer, so that a part of it can be written and logged. */
EXPORT ssize_t writev(int fd, const struct iovec *iov, int n)
{
	struct call call;
	char room[65536];
	size_t len = 0;
	int i;

	if (shim_file(fd)->id == 0)
		return syscall(SYS_writev, fd, iov, n);
	for (i = 0; i < n && len + iov[i].iov_len <= sizeof(room); i++) {
		memcpy(room + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	call = shim_begin(KIND_WRITEV);
	call.file = shim_file(fd)->id;
	call.data = room;
	return DO(call, syscall(SYS_write, fd, room, shim_part(&call, len)));
}

EXPORT int ftruncate(int fd, off_t len)
{
	struct call call = shim_begin(KIND_TRUNCATE);

	call.file = shim_file(fd)->id;
	call.a = len;
	return (int)DO(call, syscall(SYS_ftruncate, fd, len));
}

EXPORT int ftruncate64(int fd, off64_t len)
{
	return ftruncate(fd, len);
}

/* ---- names ---- */

EXPORT int renameat2(int from_dir, const char *from, int to_dir,
	const char *to, unsigned int flags)
{
	char a[PATH_MAX], b[PATH_MAX];
	struct call call;

	if (shim_control != NULL && (shim_control->flags & FLAG_LINK) != 0)
		return (int)plant_link_unlink(from_dir, from, to_dir, to);
	call = shim_begin(KIND_RENAME);
	call.path = shim_path(from_dir, from, a);
	call.other = shim_path(to_dir, to, b);
	return (int)DO(call, syscall(SYS_renameat2, from_dir, from, to_dir, to,
		flags));
}

EXPORT int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return renameat2(from_dir, from, to_dir, to, 0);
}

EXPORT int rename(const char *from, const char *to)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

EXPORT int linkat(int from_dir, const char *from, int to_dir, const char *to,
	int flags)
{
	struct call call = shim_begin(KIND_LINK);
	char a[PATH_MAX], b[PATH_MAX];

	call.path = shim_path(from_dir, from, a);
	call.other = shim_path(to_dir, to, b);
	return (int)DO(call, syscall(SYS_linkat, from_dir, from, to_dir, to,
		flags));
}

EXPORT int link(const char *from, const char *to)
{
	return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

EXPORT int unlinkat(int dir, const char *path, int flags)
{
	struct call call = shim_begin(KIND_UNLINK);
	char name[PATH_MAX];

	call.path = shim_path(dir, path, name);
	return (int)DO(call, syscall(SYS_unlinkat, dir, path, flags));
}

EXPORT int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

EXPORT int mkdirat(int dir, const char *path, mode_t mode)
{
	struct call call = shim_begin(KIND_MKDIR);
	char name[PATH_MAX];

	call.path = shim_path(dir, path, name);
	return (int)DO(call, syscall(SYS_mkdirat, dir, path, mode));
}

EXPORT int mkdir(const char *path, mode_t mode)
{
	return mkdirat(AT_FDCWD, path, mode);
}

EXPORT int futimens(int fd, const struct timespec times[2])
{
	struct call call = shim_begin(KIND_TIMES);

	call.file = shim_file(fd)->id;
	return (int)DO(call, syscall(SYS_utimensat, fd, NULL, times, 0));
}

/* ---- flushes ---- */

static int flush(enum kind kind, int fd, long number)
{
	struct call call;

	plant_early_dele();
	call = shim_begin(kind);
	call.file = shim_file(fd)->id;
	call.path = shim_file(fd)->path;
	call.skipped = plant_skips_sync();
	return (int)DO(call, call.skipped ? 0 : syscall(number, fd));
}

EXPORT int fsync(int fd)
{
	return flush(KIND_FSYNC, fd, SYS_fsync);
}

EXPORT int fdatasync(int fd)
{
	return flush(KIND_FDATASYNC, fd, SYS_fdatasync);
}

EXPORT int syncfs(int fd)
{
	return flush(KIND_SYNCFS, fd, SYS_syncfs);
}

EXPORT int sync_file_range(int fd, off64_t at, off64_t len, unsigned int flags)
{
	struct call call = shim_begin(KIND_SYNC_RANGE);

	call.file = shim_file(fd)->id;
	return (int)DO(call, syscall(SYS_sync_file_range, fd, at, len, flags));
}

/* ---- locks ---- */

EXPORT int flock(int fd, int operation)
{
	struct call call = shim_begin(KIND_LOCK);

	call.file = shim_file(fd)->id;
	return (int)DO(call, syscall(SYS_flock, fd, operation));
}

static int fcntl_any(int fd, int command, void *arg)
{
	struct call call = { .kind = KIND_LOCK };
	int result;

	switch (command) {
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		call = shim_begin(KIND_LOCK);
		call.file = shim_file(fd)->id;
		return (int)DO(call, syscall(SYS_fcntl, fd, command, arg));
	default:
		result = (int)syscall(SYS_fcntl, fd, command, arg);
	}
	if ((command == F_DUPFD || command == F_DUPFD_CLOEXEC) && result >= 0
	    && shim_file(fd)->id != 0)
		shim_opened(result, shim_file(fd)->id, shim_file(fd)->path,
			shim_file(fd)->writable);
	return result;
}

#define FCNTL(name) \
EXPORT int name(int fd, int command, ...) \
{ \
	void *arg; \
	va_list ap; \
	va_start(ap, command); \
	arg = va_arg(ap, void *); \
	va_end(ap); \
	return fcntl_any(fd, command, arg); \
}
FCNTL(fcntl)
FCNTL(fcntl64)
