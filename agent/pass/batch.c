/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pass/batch.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/base/nofile.h"

struct batch_slot *batch_next(struct batch *batch)
{
	struct batch_slot *slot = &batch->slots[batch->count];

	memset(slot, 0, sizeof(*slot));
	slot->item.fd = -1;
	return slot;
}

void batch_add(struct batch *batch)
{
	if (batch->count == 0)
		batch->since = clock_now();
	batch->bytes += batch->slots[batch->count].item.stored;
	batch->count++;
	/* Each has its file open until it is committed; those of a pack share
	 * one. */
	if (batch->most == 0)
		batch->most = batch->dest->stage.packs ? LIMIT_BATCH_MESSAGES
			: batch->count + nofile_room(LIMIT_BATCH_MESSAGES,
				LIMIT_FILES_RESERVE);
}

bool batch_full(const struct batch *batch)
{
	return batch->count == LIMIT_BATCH_MESSAGES
		|| batch->count >= batch->most
		|| batch->bytes >= LIMIT_BATCH_BYTES
		|| (batch->count != 0
			&& clock_now() - batch->since >= LIMIT_BATCH_MS);
}

static const struct batch_slot *slot_of(const struct item *item)
{
	return (const struct batch_slot *)(const void *)
		((const char *)item - offsetof(struct batch_slot, item));
}

bool batch_hint(struct batch *batch, struct item *item, const char *text,
	struct err *err)
{
	snprintf(item->hint, sizeof(item->hint), "%s", text);
	return ledger_hint(batch->ledger, slot_of(item)->entry, text, err);
}

static bool write_intents(struct batch *batch, struct err *err)
{
	struct batch_slot *slot;
	size_t i;

	for (i = 0; i < batch->count; i++) {
		slot = &batch->slots[i];
		slot->what.name = slot->item.name;
		slot->what.dest = batch->dest_name;
		slot->what.size = slot->item.size;
		slot->what.stored = slot->item.stored;
		slot->what.place = slot->item.place;
		slot->what.at = slot->item.at;
		if (!(slot->entry == NULL ? ledger_intent(batch->ledger,
				&slot->what, &slot->entry, err)
			: ledger_redirect(batch->ledger, slot->entry,
				&slot->what, err)))
			return false;
		slot->item.id = slot->entry->id;
	}
	/* Hints, which come next in the same file, take them along. */
	return batch->dest->kind->hints_first
		? ledger_flush(batch->ledger, err)
		: ledger_sync(batch->ledger, err);
}

static bool note_one(struct batch *batch, struct batch_slot *slot,
	struct err *err)
{
	switch (slot->item.state) {
	case ITEM_DELIVERED:
		batch->counts->delivered++;
		return ledger_delivered(batch->ledger, slot->entry, err);
	case ITEM_DEFERRED:
		batch->counts->deferred++;
		log_err(LOG_LEVEL_WARN, &slot->item.err);
		return ledger_deferred(batch->ledger, slot->entry,
			slot->item.err.text, err);
	case ITEM_VOID:
		log_warn(
			"nothing usable is left of the staged file %s; the message will be fetched again",
			slot->item.name);
		return ledger_void(batch->ledger, slot->entry, err);
	case ITEM_STAGED:
		break;
	}
	return true;
}

static bool note_all(struct batch *batch, size_t n, struct err *err)
{
	bool given_up = false;
	size_t i;

	for (i = 0; i < n; i++) {
		given_up |= batch->slots[i].item.state == ITEM_VOID;
		if (!note_one(batch, &batch->slots[i], err))
			return false;
		if (batch->done != NULL)
			batch->done(batch->arg, &batch->slots[i]);
	}
	/* A Maildir shows by itself what was delivered; elsewhere the note is
	 * all there is, and comes before the lock is let go. */
	if (batch->dest->kind->shows_delivery && !given_up)
		return ledger_flush(batch->ledger, err);
	return ledger_sync(batch->ledger, err);
}

void batch_items(struct batch *batch, struct item **items, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		items[i] = &batch->slots[i].item;
}

bool batch_finish(struct batch *batch, size_t n, struct err *err)
{
	struct item *items[LIMIT_BATCH_MESSAGES];
	const struct dest_kind *kind = batch->dest->kind;

	batch_items(batch, items, n);
	if (!kind->sync(batch->dest, err) || !note_all(batch, n, err))
		return false;
	kind->release(batch->dest, items, n);
	batch->count = 0;
	batch->bytes = 0;
	return true;
}

bool batch_commit(struct batch *batch, struct err *err)
{
	struct item *items[LIMIT_BATCH_MESSAGES];
	size_t n = batch->count;

	if (n == 0)
		return true;
	batch_items(batch, items, n);
	return (batch->may_commit == NULL
			|| batch->may_commit(batch->arg, err))
		&& stage_sync(&batch->dest->stage, items, n, err)
		&& write_intents(batch, err)
		&& batch->dest->kind->commit(batch->dest, items, n, err)
		&& batch_finish(batch, n, err);
}
