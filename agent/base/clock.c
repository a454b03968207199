/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/base/clock.h"

#include <errno.h>
#include <limits.h>
#include <time.h>

clock_ms clock_now(void)
{
	struct timespec ts;

#ifdef CLOCK_MONOTONIC_COARSE
	/* It is asked for each piece that comes, and a tick is fine enough. */
	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
#else
	clock_gettime(CLOCK_MONOTONIC, &ts);
#endif
	return (clock_ms)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_wall(void)
{
	return (int64_t)time(NULL);
}

void clock_wall_us(int64_t *seconds_r, long *micros_r)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	*seconds_r = (int64_t)ts.tv_sec;
	*micros_r = ts.tv_nsec / 1000;
}

clock_ms clock_after(int64_t ms)
{
	return clock_now() + ms;
}

int clock_left(clock_ms at)
{
	clock_ms left = at - clock_now();

	if (left <= 0)
		return 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}

clock_ms clock_min(clock_ms a, clock_ms b)
{
	return a < b ? a : b;
}

void clock_sleep(int64_t ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}
