/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_RECOVER_H
#define AGENT_RECOVER_H

#include "agent/batch.h"

/*
 * Finishes what an earlier pass began: every open intent of the ledger is
 * settled with its destination, and staged files that belong to no intent are
 * removed. Runs under the account's lock, needs no network, and twice is the
 * same as once. It rolls forward; only a message whose staged file is lost is
 * given up, to be fetched again.
 */

/* Uses the batch's ledger and counts, and its destination for the intents
 * that name it; former ones are opened with `env`, where one that cannot take
 * its mail is only warned of, and what waits for a former program goes to the
 * present destination. Intents that were refused and whose time has not come
 * stay as they are. */
bool recover(struct batch *batch, const struct dest_env *env,
	struct err *err) MUST_USE;

#endif
