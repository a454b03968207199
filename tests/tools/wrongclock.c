/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Preloaded: the wall clock is $CLOCK_AHEAD seconds ahead (or behind, if that
 * is negative). What runs by the monotonic clock does not notice.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long ahead;

__attribute__((constructor)) static void start(void)
{
	const char *text = getenv("CLOCK_AHEAD");

	ahead = text != NULL ? atol(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, ts);

	if (rc == 0 && (clock == CLOCK_REALTIME
		|| clock == CLOCK_REALTIME_COARSE))
		ts->tv_sec += ahead;
	return rc;
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
