/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_PARENT_MDA_H
#define AGENT_PARENT_MDA_H

#include <stdbool.h>
#include <sys/types.h>

#include "agent/base/clock.h"
#include "agent/base/err.h"
#include "agent/base/limits.h"

/*
 * A program that the parent runs for an account: an MDA with a message, or a
 * hook. It is in a process group of its own, has a deadline, and of what it
 * writes only the last bytes are kept, so it harms nobody but its account.
 */

struct mda {
	pid_t pid;			/* or 0 */
	int output;			/* or -1 */
	clock_ms deadline;
	bool terminated;		/* TERM was sent, KILL comes next */
	size_t flood;			/* bytes it wrote since the last rest */
	clock_ms rest;			/* its output is not read before this */
	size_t len;
	char text[LIMIT_MDA_OUTPUT];	/* the last of its output */
};

/* What it gets to know: these variables (NULL-terminated, "NAME=value") and
 * a few of ours, nothing of a message. */
#define MDA_VARIABLES 5

void mda_init(struct mda *mda);
/* Starts argv with `in` (or -1 for nothing) as its standard input, which stays
 * open here. Errors of spawn_program(). */
bool mda_start(struct mda *mda, const char *const *argv, int in,
	const char *const *variables, struct err *err) MUST_USE;
/* Is there output to wait for? */
bool mda_speaks(const struct mda *mda);
/* Its output is readable. */
void mda_read(struct mda *mda);
/* When something is to be done about it, or `otherwise`: it is late, or has
 * rested. */
clock_ms mda_next(const struct mda *mda, clock_ms otherwise);
/* It is told to end: TERM the first time, then KILL. */
void mda_end(struct mda *mda);
/* Is it past its deadline? */
bool mda_is_late(const struct mda *mda);
/* It was reaped with this wait status: takes the last of its output and puts
 * the slot in order for the next. Returns the status that counts: one that had
 * to be ended has failed, however it took the signal. */
int mda_reaped(struct mda *mda, int status);

#endif
