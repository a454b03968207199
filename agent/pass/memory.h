/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_PASS_MEMORY_H
#define AGENT_PASS_MEMORY_H

#include "agent/pass/priv.h"

/*
 * What a pass takes from the one before it, and leaves to the next: see
 * memory.c, clock.c and audit.c.
 */

/* Reads `memory`; the lock is held. */
void pass_recall(struct pass *pass);
/* The ledger is open and nothing is written yet: takes the time, and notes in
 * the ledger if it cannot follow that of the last pass. */
bool pass_judge_clock(struct pass *pass, struct err *err) MUST_USE;
/* After the login: what the server announces about itself. */
void pass_learn_server(struct pass *pass);
/* A pass that failed: what it remembered does not count any more. One that
 * failed for single messages alone has found the server as it was. */
void pass_forget(struct pass *pass);
void pass_forget_glance(struct pass *pass);
/* After a pass that went through and has listed all: for plan_past. */
void pass_note_settled(struct pass *pass);
/* The report is complete but for its turn: fills that in, and leaves all of
 * it to the next pass. */
void pass_remember(struct pass *pass);

/* How many known messages may be looked at; then with QUIT, where nothing was to
 * be deleted: what fails there fails nothing. And no more of it for a day. */
size_t pass_audit_size(const struct pass *pass);
bool pass_audit(struct pass *pass, struct err *err) MUST_USE;
void pass_audit_off(struct pass *pass, const char *why);
#endif
