/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_SCHED_SCHED_H
#define AGENT_SCHED_SCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/clock.h"

/*
 * Which account is polled when: timers, slots, and what follows from how a
 * pass ended. It knows no processes and no clock: the caller says what has
 * happened and what time it is. Every step costs at most the logarithm of the
 * number of accounts.
 *
 * An account that fails has to wait longer each time. All that failed the last
 * time together get no more than half of the slots, and those that took long
 * to fail no more than a quarter: so the broken ones never keep a sound one
 * waiting, nor one that has failed only once.
 */

enum sched_state {
	SCHED_WAITING,		/* for its time */
	SCHED_READY,		/* for a slot */
	SCHED_RUNNING,
	SCHED_HELD,		/* a person must act, or an hour pass */
	SCHED_PAUSED,		/* until resumed */
	SCHED_STATES
};

enum sched_event {
	SCHED_DUE,		/* its timer has run out */
	SCHED_STARTED,		/* it was given a slot */
	/* A pass ended: */
	SCHED_OK,		/* well */
	SCHED_MISSED,		/* it learned nothing: asked to stop, or another
				 * process of ours has the account */
	SCHED_FAILED,		/* try again, later each time */
	SCHED_DELAYED,		/* the server wants a longer pause */
	SCHED_REFUSED,		/* the login; it may be a fault of the server */
	SCHED_STUCK,		/* not without a change: of secret, file, server */
	SCHED_UNCHANGED,	/* it was held and still is: nothing was tried */
	/* Somebody asked: */
	SCHED_POLL,		/* now, or again if it runs */
	SCHED_PAUSE,
	SCHED_RESUME,
	SCHED_CHANGED,		/* its configuration: what ailed it may be gone */
	SCHED_EVENTS
};

/* A held account is tried again after this, whatever else. */
#define SCHED_HOLD_MS (3600 * 1000)
/* A failing one at least this often. */
#define SCHED_BACKOFF_MS (3600 * 1000)

struct sched;

struct sched_limits {
	uint32_t parallel;		/* passes at once */
	uint32_t per_host;		/* of them, to one host */
};

/* How an account is to be polled. */
struct sched_plan {
	const char *host;		/* compared without case; copied */
	uint32_t interval;		/* seconds; 0: only when asked */
	uint32_t jitter;		/* seconds added at random, at most */
};

/* What an account brings along from an earlier life. */
struct sched_past {
	bool succeeded;			/* it has worked once */
	uint32_t streak;		/* bad passes in a row */
};

/* `seed` makes the jitter of a test repeatable. */
struct sched *sched_new(struct sched_limits limits, uint64_t seed);
void sched_free(struct sched *s);

/* Adds an account, waiting, and returns its id: 0, 1, 2... Its first poll is at
 * `first`. */
uint32_t sched_add(struct sched *s, const struct sched_plan *plan,
	const struct sched_past *past, clock_ms first);
/* The same for one that another scheduler knew: its state goes over, so that
 * a new configuration does not lose count. One that was ready is due. */
uint32_t sched_carry(struct sched *s, const struct sched_plan *plan,
	const struct sched *old, uint32_t old_id, clock_ms now);

/* Something happened to an account. What makes no sense in its state is
 * ignored. */
void sched_event(struct sched *s, uint32_t id, enum sched_event event,
	clock_ms now);
/* From now on never more often than every `seconds` (LOGIN-DELAY), unless
 * asked for; no server gets more than LIMIT_LOGIN_DELAY. 0: as often as the
 * plan says. */
void sched_delay(struct sched *s, uint32_t id, uint32_t seconds);

/* Lets time pass: those that are due become ready. */
void sched_advance(struct sched *s, clock_ms now);
/* The next one to start: it is running now. False if none may. *held_r: it was
 * held, so look whether anything has changed before trying. */
bool sched_take(struct sched *s, uint32_t *id_r, bool *held_r);
/* When sched_advance() is needed next; INT64_MAX: never. */
clock_ms sched_next(const struct sched *s);

/* Nothing runs, and nothing is ready to. */
bool sched_idle(const struct sched *s);
enum sched_state sched_state(const struct sched *s, uint32_t id);
bool sched_is_paused(const struct sched *s, uint32_t id);
/* When it is due; INT64_MAX when no timer runs for it. */
clock_ms sched_due(const struct sched *s, uint32_t id);
/* The same, but for a held account when it is tried although nothing changed:
 * what is due before that is only a look. */
clock_ms sched_next_poll(const struct sched *s, uint32_t id);
const char *sched_state_name(enum sched_state state);
/* Memory in use, in bytes. */
size_t sched_size(const struct sched *s);

#endif
