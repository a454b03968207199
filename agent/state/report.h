/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_STATE_REPORT_H
#define AGENT_STATE_REPORT_H

#include <stdint.h>

#include "agent/base/err.h"

/*
 * How far a pass is, what it did and how it ended: what a pass fills in, what
 * the parent gets in packets, and what outlasts both. Plain numbers and
 * texts of fixed size, so that it can be sent as it is.
 */

enum report_phase { PHASE_RECOVER, PHASE_CONNECT, PHASE_LOGIN, PHASE_LIST,
	PHASE_CHECK, PHASE_FETCH, PHASE_DELETE, PHASE_QUIT, PHASES };

struct report_progress {
	uint32_t phase;			/* enum report_phase */
	uint64_t messages, of_messages, bytes, of_bytes;
};

/* What a pass did. */
struct report_counts {
	uint64_t listed;		/* on the server */
	uint64_t fetched, fetched_bytes;	/* new, retrieved */
	uint64_t delivered;		/* new in the destination */
	uint64_t deferred;		/* retrieved, but refused by the MDA */
	uint64_t deleted;		/* on the server */
	uint64_t skipped;		/* too large */
	uint64_t later;			/* beyond limits of a pass */
	uint64_t failed;		/* the server would not hand them over */
	uint64_t waiting;		/* set aside: refused or failed before */
	uint64_t baselined;		/* marked as seen */
};

/* What the account's owner may be told of; see memory.h. */
enum report_turn { TURN_NONE, TURN_FAILING, TURN_RECOVERED, TURNS };

struct report {
	uint32_t class;			/* enum err_class */
	uint32_t code;			/* enum err_code */
	uint32_t turn;			/* enum report_turn */
	uint32_t login_delay;		/* seconds the server wants, or 0 */
	int64_t cert_expiry;		/* seconds since 1970, or 0 */
	struct report_counts counts;
	char text[512], server[256];	/* struct err */
};

/* Puts an error, or its absence, into a report. */
void report_err(struct report *report, const struct err *err);

#endif
