/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_PASS_RECOVER_PRIV_H
#define AGENT_PASS_RECOVER_PRIV_H

#include "agent/pass/recover.h"

/*
 * What the files of recovery share: recover.c (the course, and the present
 * destination), recover_former.c (others), and below both recover_load.c.
 */

/* An intent that is open, and whose time has come. */
bool recover_due(const struct ledger_entry *e);

/* Fills the batch's slots with due intents for which same(dest, name) holds, at
 * most LIMIT_BATCH_MESSAGES of them, from entry *next of the ledger on, which
 * then stands behind them; returns how many. */
size_t recover_load(struct batch *batch, const char *name,
	bool (*same)(const char *dest, const char *name), size_t *next);

/* What waits for the former destination `name` is settled there, as far as it
 * was delivered, and else goes to the present one. */
bool recover_former(struct batch *batch, const struct dest_env *env,
	const char *name, struct err *err) MUST_USE;

#endif
