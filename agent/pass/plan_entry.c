/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pass/plan_priv.h"

bool plan_due(const struct account *account, const struct ledger *ledger,
	const struct ledger_entry *entry, int64_t now)
{
	int64_t since = ledger_since(ledger, entry, now);

	/* Never fetched: there is no copy but the server's. */
	if (entry->state == LEDGER_BASELINE)
		return false;
	switch (account->keep.kind) {
	case KEEP_NEVER:
		return true;
	case KEEP_ALWAYS:
		return false;
	case KEEP_FOR:
		break;
	}
	return since <= now
		&& (uint64_t)(now - since) >= account->keep.seconds;
}

/* Entries that a listed message may turn out to be. A message without a UID
 * that is gone for certain tells nothing about the next one without. */
bool plan_candidate(const struct ledger_entry *e)
{
	return !e->claimed && e->state != LEDGER_FAILED
		&& !(e->uid_len == 0 && e->state == LEDGER_GONE);
}
