/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_SCHED_MODEL_H
#define TESTS_UNIT_SCHED_MODEL_H

#include "tests/unit/sched/help.h"

/*
 * What the scheduler promises, said once more without heaps and queues: an
 * account is a struct, and whoever wants to know something looks at all.
 */

#define MODEL_HOSTS 64

enum model_kind { MODEL_SOUND, MODEL_SUSPECT, MODEL_SLOW };

struct model_account {
	enum sched_state state;
	clock_ms due;			/* waiting, held; or NEVER */
	clock_ms base;			/* its place in the round */
	clock_ms hold_end, since;	/* held; in this state */
	uint32_t interval, jitter, delay, host, streak, refusals;
	bool worked, slow, paused, again;
	bool look;			/* ready, running: was held, and is */
	bool broken;			/* it fails, and takes long */
	uint32_t name, passes;
};

struct model_limits {
	uint32_t parallel, per_host;
};

static inline enum model_kind model_kind(const struct model_account *a)
{
	if (a->streak == 0)
		return MODEL_SOUND;
	return a->slow ? MODEL_SLOW : MODEL_SUSPECT;
}

static inline uint32_t model_at_least_one(uint32_t n)
{
	return n != 0 ? n : 1;
}

/* Whether so many may run with one more of that kind. */
static inline bool model_fits(uint32_t limit, const uint32_t *running,
	enum model_kind kind)
{
	uint32_t slow = running[MODEL_SLOW];
	uint32_t bad = slow + running[MODEL_SUSPECT];
	uint32_t all = bad + running[MODEL_SOUND];

	if (all >= limit)
		return false;
	if (kind >= MODEL_SUSPECT && bad >= model_at_least_one(limit / 2))
		return false;
	return kind < MODEL_SLOW || slow < model_at_least_one(limit / 4);
}

static inline void model_enter(struct model_account *a, enum sched_state state,
	clock_ms now)
{
	a->state = state;
	a->since = now;
}

static inline void model_due(struct model_account *a, clock_ms now)
{
	a->look = a->state == SCHED_HELD && now < a->hold_end;
	model_enter(a, SCHED_READY, now);
}

static inline clock_ms model_gap(const struct model_account *a)
{
	uint32_t gap = a->interval > a->delay ? a->interval : a->delay;

	return gap * SECOND;
}

/* The first of the moments `gap` apart, of which `base` is one, from `least`
 * on. */
static inline clock_ms model_step(clock_ms base, clock_ms gap, clock_ms least)
{
	while (base >= least + gap)
		base -= gap;
	while (base < least)
		base += gap;
	return base;
}

static inline void model_ask(struct model_account *a, clock_ms now)
{
	a->look = false;
	a->due = now;
	a->base = model_step(a->base, model_gap(a), now - model_gap(a) + 1);
	model_enter(a, SCHED_READY, now);
}

/* Waits until `due` and a jitter that only the scheduler knows. Whether it can
 * be right. */
static inline bool model_wait(struct model_account *a, clock_ms due,
	clock_ms now, clock_ms observed)
{
	clock_ms earliest = now + a->delay * SECOND;
	clock_ms latest = due + a->jitter * SECOND;

	model_enter(a, SCHED_WAITING, now);
	a->due = observed;
	a->base = due;
	if (latest < earliest)
		latest = earliest;
	return observed >= due && observed >= earliest && observed <= latest;
}

static inline bool model_failed(struct model_account *a, bool delayed,
	clock_ms now, clock_ms observed)
{
	clock_ms wait = model_gap(a), most = wait > HOUR ? wait : HOUR;
	uint32_t i, doublings = a->streak + delayed;

	if (delayed && a->delay != 0 && a->delay >= a->interval)
		doublings = 0;
	for (i = 0; i < doublings && i < 6u + delayed; i++)
		wait *= 2;
	a->streak++;
	a->slow = now - a->since > 5 * MINUTE;
	return model_wait(a, now + (wait < most ? wait : most), now, observed);
}

static inline bool model_hold(struct model_account *a, clock_ms now,
	clock_ms observed)
{
	clock_ms look = now + model_gap(a);

	model_enter(a, SCHED_HELD, now);
	a->due = a->base = clock_min(look, a->hold_end);
	return a->due == observed;
}

static inline bool model_stuck(struct model_account *a, clock_ms now,
	clock_ms observed)
{
	a->streak++;
	a->slow = now - a->since > 5 * MINUTE;
	a->hold_end = now + HOUR;
	return model_hold(a, now, observed);
}

static inline bool model_next(struct model_account *a, clock_ms now,
	clock_ms observed)
{
	clock_ms gap = model_gap(a), due = a->base + gap;

	if (due < now)
		due = model_step(due, gap, now + gap / 2);
	return model_wait(a, due, now, observed);
}

/* A pass has ended. `observed` is when the scheduler wants the next, unless
 * it was asked for or is paused: those make of it what they like. */
static inline bool model_end(struct model_account *a, enum sched_event how,
	clock_ms now, clock_ms observed)
{
	if (how == SCHED_REFUSED && a->worked && a->refusals < 3) {
		a->refusals++;
		how = SCHED_FAILED;
	}
	if (how == SCHED_OK) {
		a->worked = true;
		a->streak = a->refusals = 0;
	}
	if (how == SCHED_OK || how == SCHED_MISSED)
		return model_next(a, now, observed);
	if (how == SCHED_FAILED || how == SCHED_DELAYED)
		return model_failed(a, how == SCHED_DELAYED, now, observed);
	if (how == SCHED_UNCHANGED)
		return model_hold(a, now, observed);
	return model_stuck(a, now, observed);
}

#endif
