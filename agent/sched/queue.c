/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "agent/base/arena.h"
#include "agent/sched/priv.h"

uint32_t sched_host(struct sched *s, const char *name)
{
	uint32_t number = hosts_number(&s->names, name);
	struct host *host;
	int kind;

	if (number < s->host_count)
		return number;
	if (s->host_count == s->host_room) {
		s->host_room = s->host_room < 16 ? 16
			: s->host_room + s->host_room / 2;
		s->hosts = mem_grow(s->hosts, s->host_room, sizeof(*s->hosts));
	}
	host = &s->hosts[s->host_count++];
	memset(host, 0, sizeof(*host));
	for (kind = 0; kind < QUEUES; kind++)
		host->queues[kind].first = NOBODY;
	return number;
}

static uint32_t share(uint32_t limit, int kind)
{
	return limit >> kind != 0 ? limit >> kind : 1;
}

/* Whether one more of that kind may run beside these. */
static bool has_room(const uint32_t running[QUEUES], uint32_t limit,
	enum queue_kind kind)
{
	uint32_t sum = 0;
	int k;

	for (k = QUEUES - 1; k >= 0; k--) {
		sum += running[k];
		if (k <= (int)kind && sum >= share(limit, k))
			return false;
	}
	return true;
}

static bool host_has_room(const struct sched *s, const struct host *host,
	enum queue_kind kind)
{
	return has_room(host->running, s->limits.per_host, kind);
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

static void join_rings(struct sched *s, uint32_t number)
{
	int kind;

	for (kind = 0; kind < QUEUES; kind++)
		join_ring(s, number, (enum queue_kind)kind);
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

static enum queue_kind kind_of(const struct entry *e)
{
	if (e->streak == 0)
		return SOUND;
	return e->slow ? SLOW : SUSPECT;
}

void sched_enqueue(struct sched *s, uint32_t id)
{
	struct entry *e = &s->entries[id];
	enum queue_kind kind = kind_of(e);
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
	join_rings(s, e->host);
}

void sched_free_slot(struct sched *s, const struct entry *e)
{
	s->hosts[e->host].running[e->slot_of]--;
	s->running[e->slot_of]--;
	join_rings(s, e->host);
}

/* Each kind has its turn, so that none starves; by chance, so that no rhythm
 * of the passes makes it always the same one's. */
uint32_t sched_next_ready(struct sched *s)
{
	uint32_t id = NOBODY, turn = (uint32_t)sched_random(s, QUEUES), tries;
	enum queue_kind kind;

	for (tries = 0; tries < QUEUES && id == NOBODY; tries++) {
		kind = (enum queue_kind)((turn + tries) % QUEUES);
		if (has_room(s->running, s->limits.parallel, kind))
			id = next_ready(s, kind);
	}
	return id;
}
