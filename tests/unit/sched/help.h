/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_SCHED_HELP_H
#define TESTS_UNIT_SCHED_HELP_H

#include "agent/sched/sched.h"
#include "tests/unit/tap.h"

/* What the tests of the scheduler share. */

#define NEVER INT64_MAX
#define SECOND ((clock_ms)1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

__attribute__((unused))
static const char *const help_events[] = {
	[SCHED_DUE] = "due", [SCHED_STARTED] = "started", [SCHED_OK] = "ok",
	[SCHED_MISSED] = "missed", [SCHED_FAILED] = "failed",
	[SCHED_DELAYED] = "delayed", [SCHED_REFUSED] = "refused",
	[SCHED_STUCK] = "stuck", [SCHED_UNCHANGED] = "unchanged",
	[SCHED_POLL] = "poll", [SCHED_PAUSE] = "pause",
	[SCHED_RESUME] = "resume", [SCHED_CHANGED] = "changed",
};

/* A repeatable number below `limit`. */
__attribute__((unused))
static uint64_t help_below(uint64_t *random, uint64_t limit)
{
	*random = *random * 6364136223846793005u + 1442695040888963407u;
	return (*random >> 33) % limit;
}

__attribute__((unused))
static struct sched *help_new(uint32_t parallel, uint32_t per_host)
{
	return sched_new((struct sched_limits){ parallel, per_host }, 1);
}

/* One account more, first due at `first`. */
__attribute__((unused))
static uint32_t help_add(struct sched *s, const char *host, clock_ms interval,
	clock_ms jitter, clock_ms first)
{
	return sched_add(s, &(struct sched_plan){ host,
			(uint32_t)(interval / 1000), (uint32_t)(jitter / 1000) },
		&(struct sched_past){ false, 0 }, first);
}

/* A scheduler with one account, first due at 0. */
__attribute__((unused))
static struct sched *help_one(clock_ms interval, clock_ms jitter)
{
	struct sched *s = help_new(1, 1);

	help_add(s, "h", interval, jitter, 0);
	return s;
}

/* Lets it become `now`. Whether account 0 was started. */
__attribute__((unused))
static bool help_start(struct sched *s, clock_ms now, bool *held_r)
{
	uint32_t id;

	sched_advance(s, now);
	return sched_take(s, &id, held_r);
}

/* Waits for account 0, runs it for `ms`, and ends it with `event`. When it was
 * started, or NEVER. */
__attribute__((unused))
static clock_ms help_pass(struct sched *s, clock_ms ms, enum sched_event event)
{
	clock_ms due = sched_due(s, 0);
	bool held;

	if (due == NEVER || !help_start(s, due, &held))
		return NEVER;
	sched_event(s, 0, event, due + ms);
	return due;
}

#endif
