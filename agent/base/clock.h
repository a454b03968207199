/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_BASE_CLOCK_H
#define AGENT_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Two clocks that are never mixed: monotonic milliseconds for deadlines,
 * wall-clock seconds for what a person reads and for ages of messages.
 */

/* A moment on the monotonic clock, in milliseconds. */
typedef int64_t clock_ms;

clock_ms clock_now(void);
/* Seconds and microseconds since 1970. */
int64_t clock_wall(void);
void clock_wall_us(int64_t *seconds_r, long *micros_r);

/* The moment `ms` from now. */
clock_ms clock_after(int64_t ms);
/* Milliseconds until `at` for poll(2): at least 0, at most INT_MAX. */
int clock_left(clock_ms at);
/* The earlier of two moments. */
clock_ms clock_min(clock_ms a, clock_ms b);

/* Sleeps through interruptions. For lock retries only. */
void clock_sleep(int64_t ms);

#endif
