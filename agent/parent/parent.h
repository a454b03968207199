/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_PARENT_PARENT_H
#define AGENT_PARENT_PARENT_H

#include <poll.h>

#include "agent/parent/proc.h"
#include "agent/parent/roster.h"

/*
 * The parent of all workers, for fetch and for the daemon: starts one for each
 * account that the scheduler hands out, runs its programs, collects its
 * report, and tells the scheduler. It never reads a byte from the network,
 * never waits for anything but all of its descriptors at once, and allocates
 * nothing for a pass once a slot has been used.
 */

/* A pass that runs, or has just ended. */
struct parent_slot {
	struct proc proc;
	struct roster *roster;		/* which its account belongs to */
	uint32_t id;			/* in the present roster, or ROSTER_NOBODY */
	bool output_watched;		/* its program's output is waited for */
};

/* What the loop leaves to its owner. */
struct parent_owner {
	void *arg;
	/* A pass is about to start; NULL: nobody wants to know. */
	void (*starting)(void *arg, const struct roster *roster, uint32_t id);
	/* A pass has ended, or could not be started. */
	void (*ended)(void *arg, const struct parent_slot *slot);
	/* A held account's turn: has anything changed, so that it is worth
	 * another try? NULL: always. */
	bool (*changed)(void *arg, const struct roster *roster, uint32_t id);
	/* More descriptors to wait for, at most PARENT_GUESTS; NULL: none. */
	size_t (*watch)(void *arg, struct pollfd *fds);
	/* They were waited for. Called in each round. */
	void (*react)(void *arg, const struct pollfd *fds, size_t count);
	/* When react() is needed at the latest, or `otherwise`. */
	clock_ms (*next)(void *arg, clock_ms otherwise);
	/* Descriptors of the owner that a worker must not keep, at most
	 * PARENT_FOREIGN; NULL: none. */
	size_t (*foreign)(void *arg, int *list);
	/* Signals that ask for something (enum signals); NULL: none. */
	void (*signalled)(void *arg, unsigned int signals);
};
#define PARENT_GUESTS 16
#define PARENT_FOREIGN 16

struct parent;

struct parent_options {
	struct roster *roster;		/* taken over */
	struct pass_options pass;
	FILE *trace;			/* the dialogue, or NULL */
	int stop_ms;			/* a worker has so long to end */
	/* A worker that cannot be started, for want of processes or
	 * descriptors, keeps its turn; else its account has failed. */
	bool patient;
	struct parent_owner owner;
	struct session_prompts *prompts;	/* what a person was asked, or NULL */
};

struct parent *parent_new(const struct parent_options *options);
/* When it is idle. NULL is allowed. */
void parent_free(struct parent *parent);

/* Starts what is due; once before the first round. */
void parent_start(struct parent *parent);
/* One round: waits, deals with what happened, starts what is due. */
void parent_turn(struct parent *parent);

/* No new passes; those that run are asked to end, and have stop_ms. */
void parent_stop(struct parent *parent);
bool parent_stopping(const struct parent *parent);
/* Nothing runs and, unless it is stopping, nothing is ready to. */
bool parent_idle(const struct parent *parent);

/* Another configuration (taken over): running passes go on with the old. Those
 * of accounts that are gone are asked to end. */
void parent_replace(struct parent *parent, struct roster *roster);
/* The system's certificates are read again for the next pass: they may be other
 * ones by now, and without them there is room for a second configuration. */
void parent_drop_trust(struct parent *parent);
struct roster *parent_roster(const struct parent *parent);

/* The slots that run, and how many. */
struct parent_slot *const *parent_active(const struct parent *parent,
	size_t *count_r);

#endif
