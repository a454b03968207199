/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/recover.h"

#include <stdio.h>
#include <string.h>

#include "agent/base/log.h"

static bool open_intent(const struct ledger_entry *e)
{
	return e->state == LEDGER_INTENT;
}

static bool due(const struct ledger_entry *e)
{
	return open_intent(e) && e->next_try <= clock_wall();
}

static void load_slot(struct batch_slot *slot, struct ledger_entry *e)
{
	memset(slot, 0, sizeof(*slot));
	snprintf(slot->item.name, sizeof(slot->item.name), "%s", e->name);
	snprintf(slot->item.hint, sizeof(slot->item.hint), "%s", e->hint);
	slot->item.id = e->id;
	slot->item.size = e->size;
	slot->item.stored = e->stored;
	slot->item.intended = e->time;
	slot->item.fd = -1;
	slot->item.state = ITEM_STAGED;
	slot->entry = e;
}

/* The order is that of batch_commit(), from the destination on. */
static bool settle(struct batch *batch, size_t n, struct err *err)
{
	struct batch_slot *slots[LIMIT_BATCH_MESSAGES];
	struct item *items[LIMIT_BATCH_MESSAGES];
	const struct dest_kind *kind = batch->dest->kind;
	size_t i;

	for (i = 0; i < n; i++) {
		slots[i] = &batch->slots[i];
		items[i] = &batch->slots[i].item;
	}
	if (!kind->settle(batch->dest, items, n, err)
	    || !kind->sync(batch->dest, err)
	    || !batch_note(batch, slots, n, err))
		return false;
	kind->release(batch->dest, items, n);
	return true;
}

/* All due intents for one destination, from entry `from` on. */
static bool settle_dest(struct batch *batch, const char *name, size_t from,
	struct err *err)
{
	struct ledger_entry *e;
	size_t i, n = 0;

	for (i = from; i < ledger_count(batch->ledger); i++) {
		e = ledger_at(batch->ledger, i);
		if (!due(e) || strcmp(e->dest, name) != 0)
			continue;
		load_slot(&batch->slots[n++], e);
		if (n < LIMIT_BATCH_MESSAGES)
			continue;
		if (!settle(batch, n, err))
			return false;
		n = 0;
	}
	return n == 0 || settle(batch, n, err);
}

/* The program is no longer the one the message was staged for: the server
 * still has it, so it goes to the new destination from there. */
static bool forget_pipe(struct batch *batch, const char *name, struct err *err)
{
	struct ledger_entry *e;
	size_t i;

	for (i = 0; i < ledger_count(batch->ledger); i++) {
		e = ledger_at(batch->ledger, i);
		if (open_intent(e) && strcmp(e->dest, name) == 0
		    && !ledger_void(batch->ledger, e, err))
			return false;
	}
	return ledger_sync(batch->ledger, err);
}

static bool settle_other(struct batch *batch, const struct dest_env *env,
	const char *name, size_t from, struct err *err)
{
	struct dest *current = batch->dest;
	bool ok;

	if (strncmp(name, "pipe:", 5) == 0)
		return forget_pipe(batch, name, err);
	log_info("finishing deliveries to the former destination %s", name);
	batch->dest = dest_open(name, env, err);
	ok = batch->dest != NULL && settle_dest(batch, name, from, err);
	dest_close(batch->dest);
	batch->dest = current;
	return ok;
}

static bool wanted(void *arg, const char *name)
{
	const struct ledger *ledger = arg;
	size_t i;

	for (i = ledger_count(ledger); i-- > 0;)
		if (open_intent(ledger_at(ledger, i))
		    && strcmp(ledger_at(ledger, i)->name, name) == 0)
			return true;
	return false;
}

static bool sweep(struct batch *batch, const struct dest_env *env,
	struct err *err)
{
	struct stage own;

	stage_init(&own, env->stage_dir, env->stage_path, env->tag);
	return stage_sweep(&own, wanted, batch->ledger, err)
		&& (batch->dest->stage.dir == env->stage_dir
			|| stage_sweep(&batch->dest->stage, wanted,
				batch->ledger, err));
}

bool recover(struct batch *batch, const struct dest_env *env, struct err *err)
{
	struct ledger_entry *e;
	size_t i;

	if (!settle_dest(batch, batch->dest_name, 0, err))
		return false;
	for (i = 0; i < ledger_count(batch->ledger); i++) {
		e = ledger_at(batch->ledger, i);
		if (due(e) && strcmp(e->dest, batch->dest_name) != 0
		    && !settle_other(batch, env, e->dest, i, err))
			return false;
	}
	return sweep(batch, env, err);
}
