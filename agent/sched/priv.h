/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_SCHED_PRIV_H
#define AGENT_SCHED_PRIV_H

#include "agent/sched/hosts.h"
#include "agent/sched/sched.h"
#include "agent/sched/timers.h"

/*
 * What the files of the scheduler share: sched.c (time and states), new.c (who
 * is in it), and below them queue.c (slots) and random.c.
 *
 * Whoever is ready stands in one of the queues of its host, by the kind of its
 * last pass. A host whose queue has somebody and that has room stands in the
 * ring of that kind, so finding the next one to start takes no search.
 */

#define NOBODY UINT32_MAX
#define NEVER INT64_MAX

/* 2^6 times a minute is an hour already. */
#define BACKOFF_DOUBLINGS 6

/* Each kind and those below it get half of what the one above it may have. */
enum queue_kind {
	SOUND,
	SUSPECT,		/* it failed the last time */
	SLOW,			/* and took long to do so */
	QUEUES
};

struct entry {
	clock_ms due;			/* or NEVER */
	clock_ms hold_end;		/* SCHED_HELD */
	clock_ms started;
	uint32_t host;
	uint32_t behind;		/* the next in the queue */
	uint32_t stamp;			/* of its timer */
	uint32_t interval, jitter;	/* seconds */
	uint32_t delay;			/* seconds the server wants */
	uint32_t offset;		/* of `due` from its place in the round */
	uint32_t streak;		/* bad passes in a row */
	uint8_t refusals;
	uint8_t state;			/* enum sched_state */
	uint8_t queued;			/* it stands in a queue */
	uint8_t slot_of;		/* enum queue_kind, when it started */
	bool succeeded : 1, paused : 1, again : 1, held : 1, slow : 1;
};

struct queue {
	uint32_t first, last;
	uint32_t next_host;		/* in the ring of this kind */
	bool in_ring;			/* it may have somebody to start */
};

struct host {
	struct queue queues[QUEUES];
	uint32_t running[QUEUES];
};

struct ring {
	uint32_t first, last;
};

struct sched {
	struct sched_limits limits;
	uint64_t random;
	clock_ms now;			/* of the last sched_advance() */
	struct entry *entries;
	size_t count, room;
	struct host *hosts;
	size_t host_count, host_room;
	struct hosts names;
	struct timers timers;
	struct ring rings[QUEUES];
	uint32_t running[QUEUES];
	size_t ready;
};

/* random.c: a number below `limit`. */
uint64_t sched_random(struct sched *s, uint64_t limit);
/* Sets its timer, without jitter, or none (NEVER). */
void sched_arm(struct sched *s, uint32_t id, clock_ms due);
/* Milliseconds between two passes that went well. */
clock_ms sched_pause_ms(const struct entry *e);
/* The number of a host of that name. */
uint32_t sched_host(struct sched *s, const char *name);
/* A ready account waits for a slot. */
void sched_enqueue(struct sched *s, uint32_t id);
/* Whose turn it is, or NOBODY; it has left its queue. */
uint32_t sched_next_ready(struct sched *s);
/* It runs; it has ended. */
void sched_take_slot(struct sched *s, const struct entry *e);
void sched_free_slot(struct sched *s, const struct entry *e);

#endif
