/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_PARENT_WORKER_H
#define AGENT_PARENT_WORKER_H

#include "agent/pass/pass.h"

/*
 * The process of one pass: a fork of the parent that does one account's work,
 * reports over its channel, and exits.
 */

struct worker_start {
	struct session_options session;	/* stop_fd is filled in */
	struct pass_options options;
	int chan;			/* the worker's end */
	int parent_chan;		/* the other end, closed here: else the
					 * parent's death would go unnoticed */
	/* The parent's descriptors that must not live on here, sorted; -1
	 * ends. */
	const int *foreign;
};

/* For spawn_worker(): `arg` is a struct worker_start. Returns the exit
 * status. */
int worker_main(void *arg);

#endif
