/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_COMMAND_PROGRESS_H
#define AGENT_COMMAND_PROGRESS_H

#include "agent/parent/parent.h"

/*
 * What a person sees while accounts are polled: on a terminal one live line
 * for each running account, redrawn in place; elsewhere nothing until an
 * account is done. Results go to standard output, a line an account.
 */

struct progress {
	bool live;			/* standard error is a terminal */
	bool quiet;
	clock_ms next;			/* when to redraw */
};

/* `may_be_live`: nothing else is written to standard error all the time. */
void progress_init(struct progress *progress, bool quiet, bool may_be_live);
/* Redraws if it is time. */
void progress_draw(struct progress *progress, const struct parent *parent);
/* When progress_draw() is next needed, or `otherwise`. */
clock_ms progress_next(const struct progress *progress, clock_ms otherwise);
/* An account is done: its line, and its error if there was one. */
void progress_result(struct progress *progress, const struct proc *proc);
/* Clears what is live. */
void progress_end(struct progress *progress);

#endif
