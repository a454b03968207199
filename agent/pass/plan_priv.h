/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_PASS_PLAN_PRIV_H
#define AGENT_PASS_PLAN_PRIV_H

#include "agent/pass/plan.h"

/*
 * What plan.c (by UID) and, below it, plan_lost.c (by content) and plan_audit.c
 * share.
 */

/* plan_entry.c: may a listed message turn out to be this entry? */
bool plan_candidate(const struct ledger_entry *e);

/* plan_audit.c: a message that is known and stays may be looked at; when all
 * are there, which ones are. */
void plan_offer(struct plan *plan, const struct plan_message *m);
void plan_choose(struct plan *plan);
/* Is there a suspicion that another message has taken this entry's place? Does
 * a second look clear it? */
const struct plan_suspect *plan_suspects(const struct plan *plan,
	const struct ledger_entry *e);
bool plan_clears(struct plan *plan, const struct plan_suspect *suspect,
	const struct ledger_entry *e, const struct identity *identity);

/* Collects the entries that no listed message claims by its UID, and judges by
 * them whether the server has given out new UIDs: whose header is then asked
 * for becomes PLAN_CHECK. */
void plan_find_lost(struct plan *plan, struct arena *arena);
/* The one of them that this identity proves to be the message; `read` if all of
 * the message was, else its header alone. */
struct ledger_entry *plan_match_lost(const struct plan *plan,
	const struct plan_message *m, const struct identity *identity,
	bool read);

#endif
