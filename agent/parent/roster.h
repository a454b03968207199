/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_PARENT_ROSTER_H
#define AGENT_PARENT_ROSTER_H

#include "agent/sched/sched.h"
#include "config/config.h"

/*
 * The accounts of one configuration, by the number that the scheduler knows
 * them by. A new configuration is a new roster; passes that still run keep the
 * old one alive.
 */

struct roster {
	struct arena *arena;		/* holds the configuration; NULL: not ours */
	const struct config *config;
	const struct account **accounts;	/* by id */
	uint32_t *by_name;		/* ids, sorted */
	uint64_t *notes;		/* by id: the owner's, carried over */
	uint32_t count;
	struct sched *sched;
	unsigned int users;		/* passes, and the parent */
};

#define ROSTER_NOBODY UINT32_MAX

/* How an account enters the scheduler: gives its past, returns the moment of
 * its first poll. `nth` counts those that are new. */
typedef clock_ms roster_enter(const struct config *config,
	const struct account *account, uint32_t nth, struct sched_past *past_r);

/* A roster of these accounts. What `old` (or NULL) knows keeps its place in
 * time. `once`: no intervals, all wait to be asked. `arena` is taken over. */
struct roster *roster_new(struct arena *arena, const struct config *config,
	const struct account *const *accounts, uint32_t count, bool once,
	const struct roster *old, roster_enter *enter);

/* The id of an account, or ROSTER_NOBODY. */
uint32_t roster_find(const struct roster *roster, const char *name);

/* Another user; one less. The last one takes the roster along. */
struct roster *roster_use(struct roster *roster);
void roster_drop(struct roster *roster);

#endif
