/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pass/plan_priv.h"

/*
 * Which of the messages that are known by UID and size, and just stay, are
 * looked at all the same: the last one listed, where what is new stands, and
 * the next few behind those of the last pass.
 */

/* Something to compare is needed. */
static bool may_be_audited(const struct ledger_entry *e)
{
	return (e->has_header || e->is_weak)
		&& (e->state == LEDGER_DELIVERED
			|| e->state == LEDGER_BASELINE);
}

void plan_offer(struct plan *plan, const struct plan_message *m)
{
	const struct plan_past *past = &plan->past;
	struct plan_audit offer = { m->listed, m->entry };

	if (past->audit == 0 || !may_be_audited(m->entry))
		return;
	plan->last = offer;
	if (plan->audit_count + 1 < past->audit && m->entry->id > past->audited)
		plan->audit[plan->audit_count++] = offer;
	else if (plan->early_count + 1 < past->audit)
		plan->early[plan->early_count++] = offer;
}

static bool has_audit(const struct plan *plan, const struct ledger_entry *e)
{
	size_t i;

	for (i = 0; i < plan->audit_count; i++)
		if (plan->audit[i].entry == e)
			return true;
	return false;
}

void plan_choose(struct plan *plan)
{
	size_t i;

	for (i = 0; i < plan->early_count
	     && plan->audit_count + 1 < plan->past.audit; i++)
		plan->audit[plan->audit_count++] = plan->early[i];
	plan->audited = plan->audit_count == 0 ? 0
		: plan->audit[plan->audit_count - 1].entry->id;
	if (plan->last.entry != NULL && !has_audit(plan, plan->last.entry))
		plan->audit[plan->audit_count++] = plan->last;
}

const struct plan_suspect *plan_suspects(const struct plan *plan,
	const struct ledger_entry *e)
{
	size_t i;

	for (i = 0; i < plan->past.suspect_count; i++)
		if (plan->past.suspects[i].id == e->id)
			return &plan->past.suspects[i];
	return NULL;
}

/* It had another header than the message that is known: if it has the same one
 * again, it is another message; if neither, the server makes them up. */
bool plan_clears(struct plan *plan, const struct plan_suspect *suspect,
	const struct ledger_entry *e, const struct identity *identity)
{
	struct identity own = ledger_identity(e);

	if (identity == NULL || identity_like(&own, identity))
		return true;
	if (identity_like(&suspect->seen, identity))
		return false;
	plan->unstable = true;
	return true;
}
