/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_PASS_RECOVER_H
#define AGENT_PASS_RECOVER_H

#include "agent/pass/batch.h"

/*
 * Finishes what an earlier pass began: every open intent of the ledger is
 * settled, and staged files that belong to no intent are removed. Runs under
 * the account's lock, needs no network, and twice is the same as once.
 *
 * What it believes, on what evidence, and what it does without it:
 *
 * destination   it has arrived, if            it has not, if
 * Maildir       its unique name is in new/,   tmp/N is there, and the name is
 *               cur/ or a folder of it        nowhere else: renamed now
 * mbox, grown   the whole message is at the   the file ends before it, or has a
 *               noted offset, byte by byte    part of it, or zeros, taken out in
 *                                             front of others' mail: appended
 * mbox, as it   -                             size, inode and last bytes are
 * was                                         those of before: appended now
 * mbox, else    a message has its From_       there is none, or a part of it,
 *               line and all its bytes, less  which is taken out: appended now
 *               what readers add
 * program       it ended with 0, noted        anything else: run again, marked
 *                                             as a doubt if it was running
 *
 * A part of an append is what has its bytes, or zeros, from the noted offset on;
 * others' mail behind it, perhaps in the same line, begins with a From_ line or
 * a gzip member. Without either nothing is taken out; nor is what a reader has
 * written anew with others' mail or zeros in it.
 *
 * Without evidence of either kind (tmp/N is gone and the name is nowhere) the
 * message is given up and fetched again, and the log says so: it then comes
 * twice if a reader deleted, edited or took it away since the crash. What
 * waited for a former destination is held against that, if it is there, and
 * against the present one, in case it was moved; what is in neither goes to the
 * present one. A former one is never made again.
 */

/* Uses the batch's ledger, counts and destination; `env` opens former ones. One
 * that is there but cannot be looked into is warned of, and counted as
 * deferred. Intents that were refused and whose time has not come stay as they
 * are. */
bool recover(struct batch *batch, const struct dest_env *env,
	struct err *err) MUST_USE;

#endif
