/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pass/recover_priv.h"

#include <string.h>

static bool is_pipe(const char *dest)
{
	return strncmp(dest, "pipe:", 5) == 0;
}

/* An intent for one program is as good as one for another: what is staged is
 * the message itself. */
static bool same_dest(const char *a, const char *b)
{
	return strcmp(a, b) == 0 || (is_pipe(a) && is_pipe(b));
}

static size_t keep_staged(struct item **items, size_t n)
{
	size_t i, count = 0;

	for (i = 0; i < n; i++)
		if (items[i]->state == ITEM_STAGED)
			items[count++] = items[i];
	return count;
}

static bool settle(struct batch *batch, size_t n, struct err *err)
{
	const struct dest_kind *kind = batch->dest->kind;
	struct item *items[LIMIT_BATCH_MESSAGES];
	size_t i;

	batch_items(batch, items, n);
	/* A pass that was killed may have handed them to the kernel alone. */
	if (!kind->hints_first && !ledger_sync(batch->ledger, err))
		return false;
	if (kind->look(batch->dest, items, n, err)
	    && kind->commit(batch->dest, items, keep_staged(items, n), err)
	    && batch_finish(batch, n, err))
		return true;
	for (i = 0; i < n; i++)
		stage_close(&batch->slots[i].item);
	return false;
}

/* All due intents for the present destination. */
static bool settle_present(struct batch *batch, struct err *err)
{
	size_t n, next = 0;

	while ((n = recover_load(batch, batch->dest_name, same_dest, &next))
	       != 0)
		if (!settle(batch, n, err))
			return false;
	return true;
}

static const char *dest_of(const struct batch *batch, size_t i)
{
	return ledger_pending(ledger_at(batch->ledger, i))->dest;
}

static bool seen_before(const struct batch *batch, size_t i)
{
	const char *name = dest_of(batch, i);

	while (i-- > 0)
		if (recover_due(ledger_at(batch->ledger, i))
		    && strcmp(dest_of(batch, i), name) == 0)
			return true;
	return false;
}

static bool settle_former(struct batch *batch, const struct dest_env *env,
	struct err *err)
{
	size_t i;

	for (i = 0; i < ledger_count(batch->ledger); i++)
		if (recover_due(ledger_at(batch->ledger, i))
		    && !same_dest(dest_of(batch, i), batch->dest_name)
		    && !seen_before(batch, i)
		    && !recover_former(batch, env, dest_of(batch, i), err))
			return false;
	return true;
}

struct sweeper {
	struct ledger *ledger;
	struct err err;
};

/* A staged file, or what is kept beside it under a longer name. */
static bool belongs_to(const struct ledger_entry *e, const char *name)
{
	const char *staged = ledger_pending(e)->name;

	return e->state == LEDGER_INTENT
		&& strncmp(name, staged, strlen(staged)) == 0;
}

/* What says that a file is not needed must outlast it, so that comes first. */
static bool wanted(void *arg, const char *name)
{
	struct sweeper *s = arg;
	size_t i;

	for (i = ledger_count(s->ledger); i-- > 0;)
		if (belongs_to(ledger_at(s->ledger, i), name))
			return true;
	return s->err.class != ERR_NONE || !ledger_sync(s->ledger, &s->err);
}

static bool sweep(struct batch *batch, const struct dest_env *env,
	struct err *err)
{
	struct sweeper sweeper = { batch->ledger, ERR_INIT };
	struct stage own;

	/* Redirecting may have left it, empty: nothing would want it, and what
	 * comes next would be staged in a file without a name. */
	stage_end(&batch->dest->stage);
	stage_init(&own, env->stage_dir, env->stage_path, env->tag);
	if (!stage_sweep(&own, wanted, &sweeper, err)
	    || (batch->dest->stage.dir != env->stage_dir && !stage_sweep(
		    &batch->dest->stage, wanted, &sweeper, err)))
		return false;
	if (sweeper.err.class != ERR_NONE)
		*err = sweeper.err;
	return sweeper.err.class == ERR_NONE;
}

static bool settle_all(struct batch *batch, const struct dest_env *env,
	struct err *err)
{
	size_t i = ledger_count(batch->ledger);

	while (i-- > 0)
		if (recover_due(ledger_at(batch->ledger, i)))
			return settle_present(batch, err)
				&& settle_former(batch, env, err)
				&& ledger_sync(batch->ledger, err);
	return true;
}

bool recover(struct batch *batch, const struct dest_env *env, struct err *err)
{
	return settle_all(batch, env, err) && sweep(batch, env, err);
}
