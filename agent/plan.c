/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/plan.h"

bool plan_due(const struct account *account, const struct ledger_entry *entry,
	int64_t now)
{
	switch (account->keep.kind) {
	case KEEP_NEVER:
		return true;
	case KEEP_ALWAYS:
		return false;
	case KEEP_FOR:
		break;
	}
	return entry->time <= now
		&& (uint64_t)(now - entry->time) >= account->keep.seconds;
}

/* Entries that a listed message may turn out to be. A message without a UID
 * that is gone for certain tells nothing about the next one without. */
static bool candidate(const struct ledger_entry *e)
{
	return !e->claimed && !(e->uid_len == 0 && e->state == LEDGER_GONE);
}

/* The entry that UID and size point to; one of the same size if there is a
 * choice (some servers list a UID twice). */
static struct ledger_entry *lookup(const struct plan *plan,
	const struct listed *listed)
{
	struct ledger_entry *e = NULL, *best = NULL;

	while ((e = ledger_find(plan->ledger, listed->uid, listed->uid_len, e))
	       != NULL)
		if (candidate(e) && (best == NULL
			|| (best->listed != listed->size
				&& e->listed == listed->size)))
			best = e;
	return best;
}

static enum plan_action fetch(const struct plan *plan,
	const struct listed *listed)
{
	uint64_t limit = plan->account->limits.message;

	return limit != 0 && listed->size > limit ? PLAN_SKIP : PLAN_FETCH;
}

static void decide(const struct plan *plan, struct plan_message *m)
{
	struct ledger_entry *e = lookup(plan, m->listed);

	if (e == NULL) {
		m->action = fetch(plan, m->listed);
		return;
	}
	if (e->state == LEDGER_INTENT && e->uid_len != 0) {
		e->claimed = true;
		m->entry = e;
		m->action = PLAN_STAGED;
		return;
	}
	/* Deleted before but there again; of another size; without a UID; or
	 * about to be deleted: the header decides. */
	if (e->state != LEDGER_DELIVERED || e->listed != m->listed->size
	    || e->uid_len == 0 || plan_due(plan->account, e, plan->now)) {
		m->action = PLAN_CHECK;
		return;
	}
	e->claimed = true;
	m->entry = e;
	m->action = PLAN_KEEP;
}

static void settle(const struct plan *plan, struct plan_message *m,
	struct ledger_entry *e)
{
	e->claimed = true;
	m->entry = e;
	if (e->state == LEDGER_INTENT)
		m->action = PLAN_STAGED;
	else
		m->action = plan_due(plan->account, e, plan->now)
			? PLAN_DELETE : PLAN_KEEP;
}

/* An unclaimed entry of the message's UID that `same` recognises. */
static struct ledger_entry *match(const struct plan *plan,
	const struct plan_message *m, const struct identity *identity,
	bool (*same)(const struct identity *, const struct identity *))
{
	struct ledger_entry *e = NULL;

	while ((e = ledger_find(plan->ledger, m->listed->uid,
		m->listed->uid_len, e)) != NULL)
		if (candidate(e) && same(&e->identity, identity))
			return e;
	return NULL;
}

void plan_checked(struct plan *plan, struct plan_message *m,
	const struct identity *identity)
{
	struct ledger_entry *e = NULL;

	if (identity != NULL)
		e = match(plan, m, identity, identity_same_header);
	if (e != NULL)
		settle(plan, m, e);
	else
		m->action = fetch(plan, m->listed);
}

bool plan_recognise(struct plan *plan, struct plan_message *m,
	const struct identity *identity)
{
	struct ledger_entry *e = match(plan, m, identity, identity_same);

	if (e == NULL)
		return false;
	settle(plan, m, e);
	return true;
}

void plan_make(struct plan *plan_r, const struct listing *listing,
	struct ledger *ledger, const struct account *account, uint64_t last,
	int64_t now, struct arena *arena)
{
	struct plan_message *m;
	size_t i;

	*plan_r = (struct plan){ NULL, listing->count, account, ledger, now };
	plan_r->messages = arena_array(arena, listing->count, sizeof(*m));
	for (i = 0; i < listing->count; i++) {
		m = &plan_r->messages[i];
		m->listed = &listing->messages[i];
		if (m->listed->number <= last
		    && account->keep.kind == KEEP_ALWAYS)
			m->action = PLAN_KEEP;
		else
			decide(plan_r, m);
	}
}

void plan_limit(struct plan *plan)
{
	const struct account_limits *limits = &plan->account->limits;
	uint64_t messages = 0, bytes = 0;
	struct plan_message *m;
	size_t i;

	for (i = 0; i < plan->count; i++) {
		m = &plan->messages[i];
		if (m->action != PLAN_FETCH)
			continue;
		if ((limits->messages != 0 && messages >= limits->messages)
		    || (limits->bytes != 0 && messages != 0
			&& bytes + m->listed->size > limits->bytes)) {
			m->action = PLAN_LATER;
			continue;
		}
		messages++;
		bytes += m->listed->size;
	}
}
