/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_PASS_BATCH_H
#define AGENT_PASS_BATCH_H

#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/state/ledger/ledger.h"
#include "agent/state/report.h"
#include "delivery/dest.h"

/*
 * Messages that share their flushes on the way from stage to destination.
 * batch_commit() holds the order of durable effects on which "exactly once"
 * rests; recover.h picks it up where a crash left it.
 */

struct batch_slot {
	struct item item;
	struct ledger_what what;	/* for the intent; strings not owned */
	struct ledger_entry *entry;	/* in the ledger; before batch_commit()
					 * only if it is to be redirected */
	void *owner;			/* whatever the pass wants to know */
};

struct batch {
	struct ledger *ledger;
	struct dest *dest;
	const char *dest_name;
	struct report_counts *counts;
	/* Asked before each commit; NULL: nobody. */
	bool (*may_commit)(void *arg, struct err *err);
	/* Told about each message whose fate is written down. */
	void (*done)(void *arg, struct batch_slot *slot);
	void *arg;
	size_t count;
	size_t most;			/* so many files may be open; or 0 */
	uint64_t bytes;
	clock_ms since;			/* when the first one was sealed */
	struct batch_slot slots[LIMIT_BATCH_MESSAGES];
};

/* The slot for the next message, its item cleared. It counts only after
 * batch_add(). */
struct batch_slot *batch_next(struct batch *batch);
/* The message in it is sealed. */
void batch_add(struct batch *batch);
/* Is it time to commit? */
bool batch_full(const struct batch *batch);

/* Delivers all that was added, in this order: may_commit; staged files durable,
 * staging directory durable, intents durable (with the first hints, where a
 * destination begins with them), destination, destination durable, outcome
 * noted. On an error the pass must end without QUIT; whatever was
 * reached, recovery finishes it. */
bool batch_commit(struct batch *batch, struct err *err) MUST_USE;

/* The second half of that order, for the first n slots: destination durable,
 * outcome noted, locks let go. Recovery comes in here, after settle. */
bool batch_finish(struct batch *batch, size_t n, struct err *err) MUST_USE;

/* The items of the first n slots, as destinations take them. */
void batch_items(struct batch *batch, struct item **items, size_t n);

/* For struct dest_env: notes in the ledger for the slot an item is in. */
bool batch_hint(struct batch *batch, struct item *item, const char *text,
	struct err *err) MUST_USE;

#endif
