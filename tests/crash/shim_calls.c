/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE
#include "tests/crash/shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/*
 * Wrappers of calls that leave nothing on the disk, in the form of shim.c:
 * what goes to the server and between our processes, what starts programs,
 * what only looks, and time and memory.
 */

/* ---- the wire, and the channel between our processes ---- */

EXPORT ssize_t send(int fd, const void *data, size_t len, int flags)
{
	struct call call = shim_begin(KIND_SEND);

	call.data = data;
	plant_watch_send(fd, data, len);
	return DO(call, syscall(SYS_sendto, fd, data, shim_part(&call, len),
		flags, NULL, 0));
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	struct call call = shim_begin(KIND_CHANNEL);

	return DO(call, syscall(SYS_sendmsg, fd, msg, flags));
}

EXPORT ssize_t recv(int fd, void *data, size_t len, int flags)
{
	struct call call = shim_begin(KIND_RECV);

	return shim_fails(&call) ? -1 : syscall(SYS_recvfrom, fd, data, len,
		flags, NULL, NULL);
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	struct call call = shim_begin(KIND_RECV);

	return shim_fails(&call) ? -1 : syscall(SYS_recvmsg, fd, msg, flags);
}

EXPORT int poll(struct pollfd *fds, nfds_t n, int ms)
{
	struct call call = shim_begin(KIND_POLL);
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	return shim_fails(&call) ? -1 : (int)syscall(SYS_ppoll, fds, n,
		ms < 0 ? NULL : &ts, NULL, 0);
}

/* What it becomes where the compiler knows the size of the array. */
EXPORT int __poll_chk(struct pollfd *fds, nfds_t n, int ms, size_t size)
{
	(void)size;
	return poll(fds, n, ms);
}

EXPORT int socket(int domain, int type, int protocol)
{
	struct call call = shim_begin(KIND_SOCKET);

	return shim_fails(&call) ? -1 : (int)syscall(SYS_socket, domain, type,
		protocol);
}

EXPORT int socketpair(int domain, int type, int protocol, int fds[2])
{
	struct call call = shim_begin(KIND_SOCKET);

	return shim_fails(&call) ? -1 : (int)syscall(SYS_socketpair, domain,
		type, protocol, fds);
}

EXPORT int pipe2(int fds[2], int flags)
{
	struct call call = shim_begin(KIND_SOCKET);

	return shim_fails(&call) ? -1 : (int)syscall(SYS_pipe2, fds, flags);
}

/* ---- looking: only to make it fail ---- */

/* $CRASH_INODE is A:B: the file with the number A is one that had B before it
 * was put back as a power cut left it, and a disk would not have changed that. */
static void set_inode(struct stat *st)
{
	const char *text = getenv("CRASH_INODE");
	unsigned long long is, was;

	if (text != NULL && sscanf(text, "%llu:%llu", &is, &was) == 2
	    && st->st_ino == is)
		st->st_ino = was;
}

static int look(int dir, const char *path, struct stat *st, int flags)
{
	struct call call = shim_begin(KIND_STAT);

	if (shim_fails(&call) || syscall(SYS_newfstatat, dir, path, st, flags)
	    < 0)
		return -1;
	set_inode(st);
	return 0;
}

EXPORT ssize_t read(int fd, void *data, size_t len)
{
	struct call call = shim_begin(KIND_READ);

	return shim_fails(&call) ? -1 : syscall(SYS_read, fd, data, len);
}

EXPORT ssize_t pread(int fd, void *data, size_t len, off_t at)
{
	struct call call = shim_begin(KIND_READ);

	return shim_fails(&call) ? -1 : syscall(SYS_pread64, fd, data,
		shim_part(&call, len), at);
}

EXPORT ssize_t pread64(int fd, void *data, size_t len, off64_t at)
{
	return pread(fd, data, len, at);
}

EXPORT int fstat(int fd, struct stat *st)
{
	return look(fd, "", st, AT_EMPTY_PATH);
}

EXPORT int fstatat(int dir, const char *path, struct stat *st, int flags)
{
	return look(dir, path, st, flags);
}

EXPORT int stat(const char *path, struct stat *st)
{
	return fstatat(AT_FDCWD, path, st, 0);
}

EXPORT int lstat(const char *path, struct stat *st)
{
	return fstatat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

EXPORT int access(const char *path, int mode)
{
	struct call call = shim_begin(KIND_STAT);

	return shim_fails(&call) ? -1 : (int)syscall(SYS_faccessat, AT_FDCWD,
		path, mode);
}

/* ---- processes ---- */

EXPORT pid_t fork(void)
{
	static pid_t (*real)(void);
	struct call call = shim_begin(KIND_FORK);
	pid_t pid;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "fork");
	pid = shim_fails(&call) ? -1 : real();
	if (pid == 0) {
		shim_role = ROLE_WORKER;
		shim_enlist((pid_t)syscall(SYS_getpid), ROLE_WORKER);
		return 0;
	}
	return (pid_t)shim_end(&call, pid);
}

/* Only what is about to become another program makes a group of its own. */
EXPORT int setpgid(pid_t pid, pid_t group)
{
	if (pid == 0 && shim_role == ROLE_WORKER && shim_control != NULL) {
		shim_role = ROLE_MDA;
		shim_enlist((pid_t)syscall(SYS_getpid), ROLE_MDA);
	}
	return (int)syscall(SYS_setpgid, pid, group);
}

static char *variable(const char *name, const char *value, char *out)
{
	snprintf(out, PATH_MAX, "%s=%s", name, value);
	return out;
}

EXPORT int execvpe(const char *file, char *const argv[], char *const envp[])
{
	static int (*real)(const char *, char *const [], char *const []);
	static char text[3][PATH_MAX];
	struct call call = shim_begin(KIND_EXEC);
	char *list[256];
	size_t n = 0, i;

	*(void **)&real = dlsym(RTLD_NEXT, "execvpe");
	for (i = 0; i < 3; i++)
		variable("CRASH_ROLE", "2", text[i]);
	for (i = 0; envp[i] != NULL && n < 250; i++)
		list[n++] = envp[i];
	if (shim_control != NULL && (shim_control->flags & FLAG_MDA) != 0) {
		list[n++] = text[0];
		list[n++] = variable("LD_PRELOAD", getenv("LD_PRELOAD"),
			text[1]);
		list[n++] = variable("CRASH_CONTROL", getenv("CRASH_CONTROL"),
			text[2]);
	}
	list[n] = NULL;
	return (int)DO(call, real(file, argv, list));
}

/* ---- time and memory ---- */

EXPORT int clock_gettime(clockid_t clock, struct timespec *ts)
{
	struct control *c = shim_control;
	long result = syscall(SYS_clock_gettime, clock, ts);
	uint64_t ms;

	if (c == NULL || result < 0)
		return (int)result;
	if (clock == CLOCK_REALTIME)
		ts->tv_sec += (time_t)c->later;
	/* The program asks the coarse one, where there is one. */
	if (clock != CLOCK_MONOTONIC && clock != CLOCK_MONOTONIC_COARSE)
		return 0;
	ms = atomic_fetch_add(&c->clock, c->clock_step) + c->clock_step
		+ (uint64_t)ts->tv_nsec / 1000000;
	ts->tv_sec += (time_t)(ms / 1000);
	ts->tv_nsec = ts->tv_nsec % 1000000 + (long)(ms % 1000) * 1000000;
	return 0;
}

/* With $CRASH_SECOND it is always the same second. */
EXPORT time_t time(time_t *out)
{
	const char *second = getenv("CRASH_SECOND");
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (second != NULL && shim_control != NULL)
		ts.tv_sec = atoll(second) + (time_t)shim_control->later;
	if (out != NULL)
		*out = ts.tv_sec;
	return ts.tv_sec;
}

EXPORT int nanosleep(const struct timespec *want, struct timespec *left)
{
	if (shim_control == NULL
	    || (shim_control->flags & FLAG_FAST_SLEEP) == 0)
		return (int)syscall(SYS_nanosleep, want, left);
	atomic_fetch_add(&shim_control->clock, (uint64_t)want->tv_sec * 1000
		+ (uint64_t)want->tv_nsec / 1000000);
	return 0;
}

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);

EXPORT void *malloc(size_t size)
{
	struct call call = shim_begin(KIND_MALLOC);

	return shim_fails(&call) ? NULL : __libc_malloc(size);
}

EXPORT void *calloc(size_t n, size_t size)
{
	struct call call = shim_begin(KIND_MALLOC);

	return shim_fails(&call) ? NULL : __libc_calloc(n, size);
}

EXPORT void *realloc(void *p, size_t size)
{
	struct call call = shim_begin(KIND_MALLOC);

	return shim_fails(&call) ? NULL : __libc_realloc(p, size);
}
