/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_MEMORY_H
#define AGENT_MEMORY_H

#include "agent/chan.h"

/*
 * What the passes of an account left behind for the next one and for whoever
 * asks how it is: the file `memory` in its state directory. Nothing depends on
 * it but comfort: a file that is missing, damaged or of another version is as
 * good as an empty one, and it is written whole but never flushed.
 */

/* How the account fares. Times are seconds since 1970; 0 is never. */
struct outcome {
	int64_t tried;			/* end of the last pass */
	int64_t succeeded;		/* end of the last good one */
	int64_t failing_since;		/* the first bad one after it */
	int64_t noticed;		/* when the owner was told of that */
	int64_t cert_expiry;		/* of the server's certificate */
	uint64_t passes, messages, bytes;	/* all that were, delivered */
	uint64_t failures[ERR_CONFIG + 1];	/* passes by class */
	uint64_t streak;		/* bad passes in a row */
	enum err_class class;		/* of the last pass */
	enum err_code code;
	char text[256], server[128];	/* of the last bad one, printable */
};

struct memory {
	struct outcome outcome;
};

/* Adds a pass that ended now. One that met a lock of ours (ERR_CODE_BUSY) or
 * was stopped is no news. */
void outcome_add(struct outcome *outcome, const struct chan_report *report,
	int64_t now);

/* Reads the file in an open state directory, or in state/ACCOUNT. */
void memory_read(int dir, struct memory *memory_r);
void memory_load(const char *state, const char *account,
	struct memory *memory_r);
/* Replaces the file. The caller has the account's lock. A failure is logged
 * as a warning and forgotten. */
void memory_write(int dir, const struct memory *memory);

#endif
