/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_STATE_MEMORY_H
#define AGENT_STATE_MEMORY_H

#include "agent/base/digest.h"
#include "agent/net/net.h"
#include "agent/pop3/recall.h"
#include "agent/state/ledger/seal.h"
#include "agent/state/report.h"

/*
 * What the passes of an account left behind for the next one and for whoever
 * asks how it is: the file `memory` in its state directory. It is of use where
 * it is there: a file that is missing, damaged or of another version is as good
 * as an empty one, and it is written whole but never flushed.
 *
 * The file is text: "postrider memory 1", then a line "KEY VALUE" for each
 * member that is not zero, then "check" and a digest of all before it. A key
 * that is not known is passed over.
 */

/* How the account fares. Times are seconds since 1970; 0 is never. A pass is
 * bad when the account could not be polled; one that went through but for
 * single messages (ERR_MSG) is a good one, with an error of its own. */
struct outcome {
	int64_t tried;			/* end of the last pass */
	int64_t succeeded;		/* end of the last good one */
	int64_t failing_since;		/* the first bad one after it, or 0 */
	int64_t noticed;		/* when the owner was told of that */
	int64_t failed;			/* end of the last one with an error */
	int64_t cert_expiry;		/* of the server's certificate */
	uint64_t passes, messages, bytes;	/* all that were, delivered */
	uint64_t failures[ERR_CONFIG + 1];	/* passes by class */
	uint64_t streak;		/* bad passes in a row */
	enum err_class class;		/* of the last error... */
	enum err_code code;
	char text[512], server[256];	/* ...with its words, printable */
};

/* A maildrop as the last full listing left it, so that a look is enough to
 * tell that nothing has changed. */
struct glance {
	int64_t listed;			/* when; 0: there was none */
	int64_t due;			/* something is to be done then */
	uint64_t count, size;		/* messages left, octets */
	uint64_t skipped;		/* of these: too large for us */
	char uid[DIGEST_LEN + 1];	/* digest of the last one's */
	char policy[DIGEST_LEN + 1];	/* of where, and what is wanted done */
};

struct memory {
	struct outcome outcome;
	struct recall recall;
	struct found found;
	struct glance glance;
	/* How far the ledger was after the last delivery: where there is no
	 * marker, this tells a ledger whose end is missing. */
	struct ledger_seal ledger;
	/* A ledger of an older version cannot note that the destination's
	 * folder has our marker: digest of both. */
	char marked[DIGEST_LEN + 1];
	int64_t clock;			/* agent/pass/clock.c: judged then */
	uint64_t settled;		/* struct plan_past, of the... */
	char epoch[17];			/* ...ledger of this epoch */
	/* agent/pass/audit.c: the last one looked at, when, and when it went wrong. */
	uint64_t audited;
	int64_t audit_last, audit_off;
	/* When a person was last warned that the server keeps messages for
	 * too short a time, says that it is broken for good, or has a
	 * certificate that ends soon. */
	int64_t expire_warned, fault_warned, cert_warned;
};

/* Adds a pass that ended now. False if it is no news: it met a lock of ours
 * (ERR_CODE_BUSY) or was stopped; what it delivered counts all the same. */
bool outcome_add(struct outcome *outcome, const struct report *report,
	int64_t now);

/* After outcome_add(): has the account failed for `after` seconds now, or
 * come back after that was told? Each is answered once. */
enum report_turn outcome_turn(struct outcome *outcome, uint64_t after,
	int64_t now);

/* Reads the file in an open state directory, or in state/ACCOUNT. */
void memory_read(int dir, struct memory *memory_r);
void memory_load(const char *state, const char *account,
	struct memory *memory_r);
/* Replaces the file. The caller has the account's lock. A failure is logged
 * as a warning and forgotten. */
void memory_write(int dir, const struct memory *memory);

#endif
