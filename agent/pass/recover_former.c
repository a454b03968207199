/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pass/recover_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/fsx.h"
#include "agent/base/log.h"
#include "delivery/unfilter.h"

/*
 * The account delivers elsewhere now. A former destination is never made again,
 * and nothing more is delivered to it: it only tells what has arrived there.
 * Somebody may have moved it, with what is in it, to where the present one is.
 */

struct former {
	struct batch *batch;
	const struct dest_env *env;
	const char *name;
	struct dest *dest;		/* NULL when it is gone */
	struct filter_options form;
	struct unfilter *unfilter;
	/* Of the batch: not delivered, and staged under these names. */
	struct ledger_entry *left[LIMIT_BATCH_MESSAGES];
	char names[LIMIT_BATCH_MESSAGES][ITEM_NAME];
	size_t count;
};

static bool is_same(const char *dest, const char *name)
{
	return strcmp(dest, name) == 0;
}

static bool is_gone(const struct err *why)
{
	return why->sys == ENOENT || why->sys == ENOTDIR;
}

/* Is a staged file of the one a staged file of the other? */
static bool same_form(const struct former *f)
{
	const char *now = f->batch->dest_name;
	size_t len = strcspn(f->name, ":");

	return strncmp(f->name, now, len + 1) == 0;
}

/* In the present destination, too, if it may be the former one: what has not
 * been seen in the former one. */
static bool look_in_present(struct former *f, size_t n, struct err *err)
{
	struct dest *dest = f->batch->dest;
	struct item *items[LIMIT_BATCH_MESSAGES], *item;
	size_t i, count = 0;
	bool ok;

	for (i = 0; same_form(f) && i < n; i++) {
		item = &f->batch->slots[i].item;
		if (item->state == ITEM_DELIVERED)
			continue;
		/* A Maildir has its stage within it: staged in the former one
		 * is not delivered in any. */
		if (item->state == ITEM_STAGED && dest->kind == &dest_maildir
		    && f->dest != NULL)
			continue;
		item->state = ITEM_STAGED;
		items[count++] = item;
	}
	if (count == 0)
		return true;
	ok = dest->kind->look(dest, items, count, err);
	dest->kind->release(dest, NULL, 0);
	return ok;
}

/* Notes what was delivered, or lost; keeps in mind what is left. */
static bool note(struct former *f, size_t n, struct err *err)
{
	struct dest *present = f->batch->dest;
	struct batch_slot *slot = f->batch->slots;
	bool ok;
	size_t i;

	f->count = 0;
	for (i = 0; i < n; i++, slot++) {
		if (slot->item.state != ITEM_STAGED)
			continue;
		memcpy(f->names[f->count], slot->item.name, ITEM_NAME);
		f->left[f->count++] = slot->entry;
	}
	if (f->dest != NULL)
		f->batch->dest = f->dest;
	ok = batch_finish(f->batch, n, err);
	f->batch->dest = present;
	return ok;
}

/* Where a message may be staged: in the former Maildir, in the present one if
 * it was moved there, or below the account's state. */
static int open_staged(const struct former *f, const char *name)
{
	const int dirs[] = { f->dest != NULL ? f->dest->stage.dir : -1,
		f->batch->dest->stage.dir, f->env->stage_dir };
	size_t i;
	int fd = -1;

	for (i = 0; fd < 0 && i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (dirs[i] >= 0)
			fd = openat(dirs[i], name,
				O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return fd;
}

static bool copy(struct former *f, const struct item *from,
	struct batch_slot *slot, struct err *err)
{
	struct dest *dest = f->batch->dest;
	struct err ignored = ERR_INIT;
	struct sink *sink;
	uint64_t bytes;

	if (!dest->kind->stage(dest, &slot->item, &sink, err))
		return false;
	if (pump(unfilter_start(f->unfilter, from, f->form), sink, 0, &bytes,
		err) == PUMP_OK) {
		dest_seal(dest, &slot->item);
		return true;
	}
	if (!stage_remove(&dest->stage, &slot->item, &ignored))
		log_err(LOG_LEVEL_WARN, &ignored);
	return false;
}

/* Stages a message anew, for the present destination. */
static bool restage(struct former *f, struct ledger_entry *e, struct err *err)
{
	const struct ledger_pending *p = ledger_pending(e);
	struct batch_slot *slot = batch_next(f->batch);
	struct item from = { .at = p->at, .size = p->size,
		.stored = p->stored };
	bool ok;

	snprintf(from.name, sizeof(from.name), "%s", p->name);
	from.fd = open_staged(f, from.name);
	if (from.fd < 0 && errno == ENOENT)
		return ledger_void(f->batch->ledger, e, err);
	if (from.fd < 0)
		return err_sys(err, errno, "cannot open the staged file %s",
			from.name);
	slot->entry = e;
	ok = copy(f, &from, slot, err);
	close(from.fd);
	if (!ok && err->class == ERR_MSG) {
		err_clear(err);
		return ledger_void(f->batch->ledger, e, err);
	}
	if (!ok)
		return false;
	batch_add(f->batch);
	return !batch_full(f->batch) || batch_commit(f->batch, err);
}

/* Below the account's state recovery sweeps; a former Maildir it does not. */
static void remove_staged(const struct former *f)
{
	size_t i;

	for (i = 0; i < f->count; i++)
		if (f->dest != NULL && f->dest->kind == &dest_maildir
		    && unlinkat(f->dest->stage.dir, f->names[i], 0) < 0
		    && errno != ENOENT)
			log_warn("cannot remove %s/tmp/%s: %s", f->dest->path,
				f->names[i], strerror(errno));
}

static bool redirect(struct former *f, struct err *err)
{
	size_t i;

	if (f->count != 0)
		log_info("%zu messages that waited for %s go to %s", f->count,
			f->name, f->batch->dest_name);
	for (i = 0; i < f->count; i++)
		if (!restage(f, f->left[i], err))
			return false;
	if (!batch_commit(f->batch, err))
		return false;
	remove_staged(f);
	return true;
}

static void close_items(struct batch *batch, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		stage_close(&batch->slots[i].item);
}

/* *apart_r: the former destination alone is to blame. */
static bool settle_some(struct former *f, size_t n, bool *apart_r,
	struct err *err)
{
	struct item *items[LIMIT_BATCH_MESSAGES];

	batch_items(f->batch, items, n);
	if (f->dest != NULL && !f->dest->kind->look(f->dest, items, n, err)) {
		*apart_r = true;
		close_items(f->batch, n);
		return false;
	}
	if (look_in_present(f, n, err) && note(f, n, err))
		return redirect(f, err);
	close_items(f->batch, n);
	return false;
}

static bool settle_all(struct former *f, bool *apart_r, struct err *err)
{
	size_t n, next = 0;

	*apart_r = true;
	f->dest = dest_open(f->name, f->env, false, err);
	if (f->dest == NULL && !is_gone(err))
		return false;
	*apart_r = false;
	err_clear(err);
	while ((n = recover_load(f->batch, f->name, is_same, &next)) != 0)
		if (!settle_some(f, n, apart_r, err))
			return false;
	return true;
}

/* A folder that cannot be opened now may be there again tomorrow; until then
 * the rest of the account goes on. Not so after an error of a disk, or a flush
 * that failed for whatever reason: nothing is deleted in a pass that saw one. */
static bool let_wait(struct former *f, struct err *err)
{
	size_t n = 0, next = 0, more;

	while ((more = recover_load(f->batch, f->name, is_same, &next)) != 0)
		n += more;
	if (err->sys == EIO || fsx_flush_failed())
		return false;
	log_warn("%zu messages for the former destination %s wait: %s", n,
		f->name, err->text);
	f->batch->counts->deferred += n;
	err_clear(err);
	return true;
}

bool recover_former(struct batch *batch, const struct dest_env *env,
	const char *name, struct err *err)
{
	struct former f = { .batch = batch, .env = env, .name = name,
		.form = dest_form(name), .unfilter = unfilter_new() };
	bool apart, ok = settle_all(&f, &apart, err);

	dest_close(f.dest);
	unfilter_free(f.unfilter);
	return ok || (apart && let_wait(&f, err));
}
