/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_PARENT_PRIV_H
#define AGENT_PARENT_PRIV_H

#include "agent/base/clock.h"
#include "agent/parent/parent.h"

/*
 * What the files of the parent share: parent.c (which passes run), loop.c (what
 * they wait for).
 */

struct parent {
	struct parent_options options;
	struct roster *roster;
	struct tls_trust *trust;
	struct parent_slot **slots;	/* the first `running` are in use */
	size_t capacity, running;
	struct pollfd *fds;		/* signals, guests, two for each slot */
	size_t guests;
	int *foreign;			/* for workers; see struct worker_start */
	bool stopping;
	clock_ms stop_deadline;
	clock_ms breather;		/* no worker is started before this; or 0 */
	clock_ms next_word;		/* about that, in the log */
	bool blind;			/* it was told that poll(2) fails */
};

/* A pass is over: the scheduler and the owner hear of it. */
void parent_ended(struct parent *p, struct parent_slot *slot);

#endif
