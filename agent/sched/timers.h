/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_SCHED_TIMERS_H
#define AGENT_SCHED_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/clock.h"

/*
 * A heap of timers, the earliest first. A timer is never taken out: whoever
 * set it gives it a stamp, and one whose stamp is no longer the present one is
 * stale. So setting a timer touches nothing but the heap's own few lines of
 * cache, also with a million of them.
 */

struct timer {
	clock_ms due;
	uint32_t id, stamp;
};

struct timers {
	struct timer *heap;
	size_t count, room;
};

/* Takes memory for so many timers, stale ones included. */
void timers_reserve(struct timers *t, size_t room);
void timers_push(struct timers *t, struct timer timer);
/* The earliest, or NULL. */
const struct timer *timers_first(const struct timers *t);
/* Takes the earliest out. There must be one. */
struct timer timers_pop(struct timers *t);
/* Drops those that `keep` says no to. */
void timers_sweep(struct timers *t,
	bool (*keep)(const void *arg, const struct timer *timer),
	const void *arg);
void timers_free(struct timers *t);

#endif
