/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/fsx.h"
#include "agent/base/log.h"

static bool open_intent(const struct ledger_entry *e)
{
	return e->state == LEDGER_INTENT;
}

static bool due(const struct ledger_entry *e)
{
	return open_intent(e) && !ledger_waits(e, clock_wall());
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
	slot->item.intended = e->time;
	slot->item.fd = -1;
	slot->item.state = ITEM_STAGED;
	slot->entry = e;
}

static bool settle(struct batch *batch, size_t n, struct err *err)
{
	struct item *items[LIMIT_BATCH_MESSAGES];
	size_t i;

	batch_items(batch, items, n);
	/* A pass that was killed may have handed them to the kernel alone. */
	if (!batch->dest->kind->hints_first
	    && !ledger_sync(batch->ledger, err))
		return false;
	if (batch->dest->kind->settle(batch->dest, items, n, err)
	    && batch_finish(batch, n, err))
		return true;
	for (i = 0; i < n; i++)
		stage_close(items[i]);
	return false;
}

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

/* All due intents for one destination. */
static bool settle_dest(struct batch *batch, const char *name, struct err *err)
{
	struct ledger_entry *e;
	size_t i, n = 0;

	for (i = 0; i < ledger_count(batch->ledger); i++) {
		e = ledger_at(batch->ledger, i);
		if (!due(e) || !same_dest(ledger_pending(e)->dest, name))
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

/* A staged message of a program as a source: it has LF line ends already. */
struct staged_source {
	struct source source;
	int fd;
	uint64_t at;
	const char *name;
};

static bool staged_pull(struct source *src, char *buf, size_t cap,
	size_t *len_r, struct err *err)
{
	struct staged_source *s = (struct staged_source *)(void *)src;

	if (!fsx_pread(s->fd, buf, cap, s->at, len_r, s->name, err))
		return false;
	s->at += *len_r;
	return true;
}

static bool copy_staged(struct dest *dest, int fd, struct batch_slot *slot,
	struct err *err)
{
	struct staged_source s = { { staged_pull }, fd, 0,
		ledger_pending(slot->entry)->name };
	struct sink *sink;
	uint64_t bytes;

	if (!dest->kind->stage(dest, &slot->item, &sink, err)
	    || pump(&s.source, sink, 0, &bytes, err) != PUMP_OK)
		return false;
	dest_seal(dest, &slot->item);
	return true;
}

/* The account delivers to a folder now. The server may have no copy left, so
 * what was staged for the program goes there. */
static bool redirect(struct batch *batch, const struct dest_env *env,
	struct ledger_entry *e, struct err *err)
{
	struct batch_slot *slot = batch_next(batch);
	char former[ITEM_NAME];
	bool ok;
	int fd;

	if (strcmp(ledger_pending(e)->hint, "ran") == 0)
		return ledger_delivered(batch->ledger, e, err);
	snprintf(former, sizeof(former), "%s", ledger_pending(e)->name);
	fd = openat(env->stage_dir, former, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return ledger_void(batch->ledger, e, err);
	if (fd < 0)
		return err_sys(err, errno, "cannot open %s/%s",
			env->stage_path, former);
	slot->entry = e;
	ok = copy_staged(batch->dest, fd, slot, err);
	close(fd);
	if (!ok)
		return false;
	batch_add(batch);
	return batch_commit(batch, err);
}

/* A folder that cannot be opened now may be there again tomorrow, and a full
 * disk have room; until then the rest of the account goes on. Not so after an
 * error of a disk, or a flush that failed for whatever reason: nothing is
 * deleted in a pass that saw one. */
static bool settle_former(struct batch *batch, const struct dest_env *env,
	const char *name, struct err *err)
{
	struct dest *current = batch->dest;
	struct err why = ERR_INIT;
	bool ok = false, fatal;

	batch->dest = dest_open(name, env, false, &why);
	if (batch->dest != NULL) {
		log_info("finishing deliveries to the former destination %s",
			name);
		ok = settle_dest(batch, name, &why);
		dest_close(batch->dest);
	}
	batch->dest = current;
	fatal = !ok && (why.sys == EIO || fsx_flush_failed());
	if (fatal)
		*err = why;
	else if (!ok)
		log_warn("deliveries to the former destination %s wait: %s",
			name, why.text);
	return !fatal;
}

static const char *dest_of(const struct batch *batch, size_t i)
{
	return ledger_pending(ledger_at(batch->ledger, i))->dest;
}

static bool seen_before(const struct batch *batch, size_t i)
{
	const char *name = dest_of(batch, i);

	while (i-- > 0)
		if (due(ledger_at(batch->ledger, i))
		    && strcmp(dest_of(batch, i), name) == 0)
			return true;
	return false;
}

static bool settle_others(struct batch *batch, const struct dest_env *env,
	struct err *err)
{
	struct ledger_entry *e;
	const char *name;
	bool ok = true;
	size_t i;

	for (i = 0; ok && i < ledger_count(batch->ledger); i++) {
		e = ledger_at(batch->ledger, i);
		name = ledger_pending(e)->dest;
		if (!due(e) || same_dest(name, batch->dest_name))
			continue;
		if (is_pipe(name))
			ok = redirect(batch, env, e, err);
		else if (!seen_before(batch, i))
			ok = settle_former(batch, env, name, err);
	}
	return ok;
}

struct sweeper {
	struct ledger *ledger;
	struct err err;
};

/* A staged file, or what is kept beside it under a longer name. */
static bool belongs_to(const struct ledger_entry *e, const char *name)
{
	const char *staged = ledger_pending(e)->name;

	return open_intent(e) && strncmp(name, staged, strlen(staged)) == 0;
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
		if (due(ledger_at(batch->ledger, i)))
			return settle_dest(batch, batch->dest_name, err)
				&& settle_others(batch, env, err)
				&& ledger_sync(batch->ledger, err);
	return true;
}

bool recover(struct batch *batch, const struct dest_env *env, struct err *err)
{
	return settle_all(batch, env, err) && sweep(batch, env, err);
}
