/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_RECOVER_H
#define AGENT_RECOVER_H

#include "agent/batch.h"

/*
 * Finishes what an earlier pass began: every open intent of the ledger is
 * settled with its destination, and staged files that belong to no intent are
 * removed. Runs under the account's lock, needs no network, only rolls
 * forward, and twice is the same as once.
 */

/* Uses the batch's ledger and counts, and its destination for the intents
 * that name it; others are opened with `env`. Intents that were refused and
 * whose time has not come stay as they are. */
bool recover(struct batch *batch, const struct dest_env *env,
	struct err *err) MUST_USE;

#endif
