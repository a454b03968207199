/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pass/recover_priv.h"

#include <stdio.h>
#include <string.h>

#include "agent/base/nofile.h"

bool recover_due(const struct ledger_entry *e)
{
	return e->state == LEDGER_INTENT && !ledger_waits(e, clock_wall());
}

static void load_slot(struct batch_slot *slot, struct ledger_entry *e)
{
	const struct ledger_pending *p = ledger_pending(e);

	memset(slot, 0, sizeof(*slot));
	snprintf(slot->item.name, sizeof(slot->item.name), "%s", p->name);
	snprintf(slot->item.hint, sizeof(slot->item.hint), "%s", p->hint);
	slot->item.id = e->id;
	slot->item.size = p->size;
	slot->item.stored = p->stored;
	slot->item.place = p->place;
	slot->item.at = p->at;
	slot->item.fd = -1;
	slot->item.state = ITEM_STAGED;
	slot->entry = e;
}

size_t recover_load(struct batch *batch, const char *name,
	bool (*same)(const char *dest, const char *name), size_t *next)
{
	/* Each has its file open until it is settled. */
	size_t most = nofile_room(LIMIT_BATCH_MESSAGES, LIMIT_FILES_RESERVE);
	struct ledger_entry *e;
	size_t n = 0;

	while (n < most && *next < ledger_count(batch->ledger)) {
		e = ledger_at(batch->ledger, (*next)++);
		if (recover_due(e) && same(ledger_pending(e)->dest, name))
			load_slot(&batch->slots[n++], e);
	}
	return n;
}
