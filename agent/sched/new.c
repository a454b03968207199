/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "agent/base/arena.h"
#include "agent/sched/priv.h"

struct sched *sched_new(struct sched_limits limits, uint64_t seed)
{
	struct sched *s = mem_grow(NULL, 1, sizeof(*s));
	int kind;

	memset(s, 0, sizeof(*s));
	s->limits = limits;
	s->random = seed;
	for (kind = 0; kind < QUEUES; kind++)
		s->rings[kind].first = NOBODY;
	return s;
}

void sched_free(struct sched *s)
{
	if (s == NULL)
		return;
	hosts_free(&s->names);
	timers_free(&s->timers);
	free(s->hosts);
	free(s->entries);
	free(s);
}

static uint32_t new_entry(struct sched *s, const struct sched_plan *plan)
{
	struct entry *e;

	if (s->count == s->room) {
		s->room = s->room < 16 ? 16 : s->room + s->room / 2;
		s->entries = mem_grow(s->entries, s->room, sizeof(*e));
		/* As many again may be stale. Nothing is left to be taken when
		 * it runs. */
		timers_reserve(&s->timers, 2 * s->room);
	}
	e = &s->entries[s->count];
	memset(e, 0, sizeof(*e));
	e->host = sched_host(s, plan->host);
	e->interval = plan->interval;
	e->jitter = plan->jitter;
	e->due = NEVER;
	return (uint32_t)s->count++;
}

uint32_t sched_add(struct sched *s, const struct sched_plan *plan,
	const struct sched_past *past, clock_ms first)
{
	uint32_t id = new_entry(s, plan);

	s->entries[id].succeeded = past->succeeded;
	s->entries[id].streak = past->streak;
	/* Nobody has noted how long it took. Expect the worst of one that has
	 * failed for long. */
	s->entries[id].slow = past->streak >= BACKOFF_DOUBLINGS;
	sched_arm(s, id, plan->interval == 0 ? NEVER : first);
	return id;
}

/* When one that waits is due with its new plan. What it has to wait for is
 * kept, unless the new interval is shorter. */
static clock_ms carried_due(const struct entry *e, const struct entry *was,
	clock_ms now)
{
	clock_ms latest = now + sched_pause_ms(e) + (clock_ms)e->jitter * 1000;
	bool shorter = e->interval < was->interval || e->jitter < was->jitter;

	if (e->interval == 0)
		return NEVER;
	return shorter || was->due == NEVER ? clock_min(was->due, latest)
		: was->due;
}

/* Who was ready is put where it came from, with its time: so the new queues
 * are in the order of the old ones. */
static enum sched_state carried_state(const struct entry *was)
{
	if (was->state == SCHED_READY)
		return was->held ? SCHED_HELD : SCHED_WAITING;
	return (enum sched_state)was->state;
}

uint32_t sched_carry(struct sched *s, const struct sched_plan *plan,
	const struct sched *old, uint32_t old_id, clock_ms now)
{
	const struct entry *was = &old->entries[old_id];
	uint32_t id = new_entry(s, plan);
	struct entry *e = &s->entries[id];
	const struct entry fresh = *e;

	*e = *was;
	e->host = fresh.host;
	e->interval = fresh.interval;
	e->jitter = fresh.jitter;
	e->queued = false;
	e->state = (uint8_t)carried_state(was);
	if (was->state == SCHED_READY)
		sched_arm(s, id, was->due);
	else if (e->state == SCHED_WAITING || e->state == SCHED_HELD)
		sched_arm(s, id, carried_due(e, was, now));
	if (e->due == was->due)
		e->offset = was->offset;
	if (e->state == SCHED_RUNNING)
		sched_take_slot(s, e);
	return id;
}

size_t sched_size(const struct sched *s)
{
	return sizeof(*s) + s->room * sizeof(*s->entries)
		+ s->host_room * sizeof(*s->hosts)
		+ s->timers.room * sizeof(*s->timers.heap)
		+ hosts_size(&s->names);
}
