/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Preloaded: the wall clock is $CLOCK_AHEAD seconds ahead (or behind, if that
 * is negative), which what runs by the monotonic clock does not notice. That one
 * is as many milliseconds ahead as the file $CLOCK_SKIPS says, a 64-bit number
 * that a test makes larger, so that a time limit passes when the test wants it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* How long a skip may go unnoticed by who sleeps. */
#define LOOK_MS 20

static long ahead;
static atomic_llong *skips;

__attribute__((constructor)) static void start(void)
{
	const char *text = getenv("CLOCK_AHEAD");
	const char *path = getenv("CLOCK_SKIPS");
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *at = MAP_FAILED;

	ahead = text != NULL ? atol(text) : 0;
	if (fd >= 0) {
		at = mmap(NULL, sizeof(*skips), PROT_READ, MAP_SHARED, fd, 0);
		close(fd);
	}
	skips = at != MAP_FAILED ? at : NULL;
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, ts);
	long long ms;

	if (rc == 0 && (clock == CLOCK_REALTIME
		|| clock == CLOCK_REALTIME_COARSE))
		ts->tv_sec += ahead;
	if (rc == 0 && skips != NULL && (clock == CLOCK_MONOTONIC
		|| clock == CLOCK_MONOTONIC_COARSE)) {
		ms = atomic_load(skips) + ts->tv_nsec / 1000000;
		ts->tv_sec += ms / 1000;
		ts->tv_nsec = ts->tv_nsec % 1000000 + ms % 1000 * 1000000;
	}
	return rc;
}

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int wait_for(struct pollfd *fds, nfds_t n, int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	return (int)syscall(SYS_ppoll, fds, n, ms < 0 ? NULL : &ts, NULL, 0);
}

int poll(struct pollfd *fds, nfds_t n, int ms)
{
	int64_t left = ms, end = ms > 0 && skips != NULL ? now() + ms : 0;
	int rc;

	if (end == 0)
		return wait_for(fds, n, ms);
	do {
		rc = wait_for(fds, n, left < LOOK_MS ? (int)left : LOOK_MS);
		left = end - now();
	} while (rc == 0 && left > 0);
	return rc;
}

/* What it becomes where the compiler knows the size of the array. */
int __poll_chk(struct pollfd *fds, nfds_t n, int ms, size_t size)
{
	(void)size;
	return poll(fds, n, ms);
}

time_t time(time_t *out)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (out != NULL)
		*out = ts.tv_sec;
	return ts.tv_sec;
}

int gettimeofday(struct timeval *tv, void *zone)
{
	struct timespec ts;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}
