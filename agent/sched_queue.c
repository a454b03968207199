/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "agent/base/arena.h"
#include "agent/sched_priv.h"

uint32_t sched_host(struct sched *s, const char *name)
{
	uint32_t number = hosts_number(&s->names, name);
	struct host *host;

	if (number < s->host_count)
		return number;
	if (s->host_count == s->host_room) {
		s->host_room = s->host_room < 16 ? 16
			: s->host_room + s->host_room / 2;
		s->hosts = mem_grow(s->hosts, s->host_room, sizeof(*s->hosts));
	}
	host = &s->hosts[s->host_count++];
	memset(host, 0, sizeof(*host));
	host->queues[SOUND].first = host->queues[SUSPECT].first = NOBODY;
	return number;
}

static uint32_t half(uint32_t limit)
{
	return limit / 2 != 0 ? limit / 2 : 1;
}

static bool host_has_room(const struct sched *s, const struct host *host,
	enum queue_kind kind)
{
	if (host->running[SOUND] + host->running[SUSPECT] >= s->limits.per_host)
		return false;
	return kind == SOUND
		|| host->running[SUSPECT] < half(s->limits.per_host);
}

static bool room(const struct sched *s, enum queue_kind kind)
{
	if (s->running[SOUND] + s->running[SUSPECT] >= s->limits.parallel)
		return false;
	return kind == SOUND || s->running[SUSPECT] < half(s->limits.parallel);
}

static void join_ring(struct sched *s, uint32_t number, enum queue_kind kind)
{
	struct ring *ring = &s->rings[kind];
	struct queue *queue = &s->hosts[number].queues[kind];

	if (queue->in_ring || queue->first == NOBODY
	    || !host_has_room(s, &s->hosts[number], kind))
		return;
	queue->in_ring = true;
	queue->next_host = NOBODY;
	if (ring->first == NOBODY)
		ring->first = number;
	else
		s->hosts[ring->last].queues[kind].next_host = number;
	ring->last = number;
}

static uint32_t leave_ring(struct sched *s, enum queue_kind kind)
{
	struct ring *ring = &s->rings[kind];
	uint32_t number = ring->first;
	struct queue *queue = &s->hosts[number].queues[kind];

	ring->first = queue->next_host;
	queue->in_ring = false;
	return number;
}

void sched_enqueue(struct sched *s, uint32_t id)
{
	struct entry *e = &s->entries[id];
	enum queue_kind kind = e->streak == 0 ? SOUND : SUSPECT;
	struct queue *queue = &s->hosts[e->host].queues[kind];

	if (e->queued)
		return;
	e->queued = true;
	e->slot_of = (uint8_t)kind;
	e->behind = NOBODY;
	if (queue->first == NOBODY)
		queue->first = id;
	else
		s->entries[queue->last].behind = id;
	queue->last = id;
	join_ring(s, e->host, kind);
}

/* Those that are not ready any more still stand there. */
static uint32_t dequeue(struct sched *s, struct queue *queue)
{
	uint32_t id;

	while ((id = queue->first) != NOBODY) {
		queue->first = s->entries[id].behind;
		s->entries[id].queued = false;
		if (s->entries[id].state == SCHED_READY)
			break;
	}
	return id;
}

/* The next one of a kind, or NOBODY. */
static uint32_t next_ready(struct sched *s, enum queue_kind kind)
{
	uint32_t number, id;

	while (s->rings[kind].first != NOBODY) {
		number = leave_ring(s, kind);
		if (!host_has_room(s, &s->hosts[number], kind))
			continue;	/* it comes back when one ends */
		id = dequeue(s, &s->hosts[number].queues[kind]);
		if (id != NOBODY)
			return id;
	}
	return NOBODY;
}

void sched_take_slot(struct sched *s, const struct entry *e)
{
	s->hosts[e->host].running[e->slot_of]++;
	s->running[e->slot_of]++;
	join_ring(s, e->host, SOUND);
	join_ring(s, e->host, SUSPECT);
}

void sched_free_slot(struct sched *s, const struct entry *e)
{
	s->hosts[e->host].running[e->slot_of]--;
	s->running[e->slot_of]--;
	join_ring(s, e->host, SOUND);
	join_ring(s, e->host, SUSPECT);
}

/* The two kinds take turns, so that neither starves the other. */
uint32_t sched_next_ready(struct sched *s)
{
	enum queue_kind kind;
	uint32_t id = NOBODY;
	int tries;

	for (tries = 0; tries < QUEUES && id == NOBODY; tries++) {
		kind = s->turn;
		s->turn = kind == SOUND ? SUSPECT : SOUND;
		if (room(s, kind))
			id = next_ready(s, kind);
	}
	return id;
}
