/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_DELIVERY_DEST_HELP_H
#define TESTS_UNIT_DELIVERY_DEST_HELP_H

#include "tests/unit/scratch.h"

#include "delivery/dest.h"

/*
 * A destination whose owner is this file instead of a pass: hints are kept in
 * memory, in the order they were given, and can be made to fail.
 */

#define HELP __attribute__((unused)) static
#define TAG "00112233aabbccdd"
#define MAX_ITEMS 32

static struct {
	struct dest_env env;
	char stage_path[PATH_MAX];
	char log[4096];			/* what was asked for, a line each */
	const char *watch;		/* its size is logged at each flush */
	unsigned int hints, syncs;
	unsigned int fail_hint, fail_sync;	/* the so-manieth fails */
	bool stop;			/* we are asked to end */
	int status;			/* how the program ends */
} owner;

HELP bool owner_hint(void *arg, struct item *item, const char *text,
	struct err *err)
{
	size_t n = strlen(owner.log);

	(void)arg;
	if (++owner.hints == owner.fail_hint)
		return err_set(err, ERR_RETRY, "no hint");
	snprintf(item->hint, sizeof(item->hint), "%s", text);
	snprintf(owner.log + n, sizeof(owner.log) - n, "%s\n", text);
	return true;
}

HELP bool owner_flush(void *arg, struct err *err)
{
	(void)arg;
	(void)err;
	return true;
}

HELP bool owner_sync(void *arg, struct err *err)
{
	size_t n = strlen(owner.log);
	struct stat st = { .st_size = 0 };

	(void)arg;
	if (++owner.syncs == owner.fail_sync)
		return err_set(err, ERR_RETRY, "no flush");
	if (owner.watch != NULL)
		stat(owner.watch, &st);
	snprintf(owner.log + n, sizeof(owner.log) - n, "flush at %lld\n",
		(long long)st.st_size);
	return true;
}

HELP bool owner_may_go_on(void *arg, struct err *err)
{
	(void)arg;
	return !owner.stop || err_set(err, ERR_STOP, "asked to end");
}

HELP bool owner_spawn(void *arg, struct item *item, const struct dest_run *run,
	int *status_r, char *output, size_t cap, struct err *err)
{
	size_t n = strlen(owner.log);
	char byte;

	(void)arg;
	(void)err;
	snprintf(owner.log + n, sizeof(owner.log) - n, "run %u%s%s%s%s\n", run->attempt,
		strcmp(run->sender, "-") == 0 ? "" : " from ",
		strcmp(run->sender, "-") == 0 ? "" : run->sender,
		write(item->fd, "x", 1) < 0 ? "" : " writable",
		read(item->fd, &byte, 1) == 1 ? "" : " unreadable");
	*status_r = owner.status;
	snprintf(output, cap, "last words");
	return true;
}

HELP void owner_forget(void)
{
	owner.log[0] = '\0';
	owner.hints = owner.syncs = owner.fail_hint = owner.fail_sync = 0;
	owner.stop = false;
	owner.status = 0;
}

/* Makes the scratch directory, and the staging directory in it. */
HELP void owner_make(const char *name)
{
	scratch_make(name);
	snprintf(owner.stage_path, sizeof(owner.stage_path), "%s",
		scratch_path("stage"));
	owner.env = (struct dest_env){ .hint = owner_hint,
		.hint_flush = owner_flush, .hint_sync = owner_sync,
		.may_go_on = owner_may_go_on, .spawn = owner_spawn,
		.stage_dir = scratch_subdir("stage"),
		.stage_path = owner.stage_path, .tag = TAG };
	owner_forget();
}

/* `name` is kept until the end. */
HELP struct dest *need_dest(const char *kind, const char *path, bool gzip)
{
	static char names[8][PATH_MAX + 32];
	static unsigned int turn;
	char *name = names[turn++ % 8];
	struct err err = ERR_INIT;
	struct dest *dest;

	dest_describe(name, PATH_MAX + 32, kind, path, gzip);
	dest = dest_open(name, &owner.env, true, &err);
	if (dest == NULL)
		printf("# %s\n", err.text);
	scratch_need(dest != NULL, "cannot open a destination");
	return dest;
}

/* Stages and seals a message. */
HELP void stage_message(struct dest *dest, struct item *item, const char *text,
	size_t len)
{
	struct err err = ERR_INIT;
	struct sink *sink;

	memset(item, 0, sizeof(*item));
	item->fd = -1;
	scratch_need(dest->kind->stage(dest, item, &sink, &err)
		&& sink->push(sink, text, len, &err)
		&& sink->finish(sink, &err), "cannot stage");
	dest_seal(dest, item);
}

/* What recovery does with a destination: what is not there is delivered. */
HELP bool settle_dest(struct dest *dest, struct item *const *items, size_t n,
	struct err *err)
{
	struct item *staged[MAX_ITEMS];
	size_t i, count = 0;

	if (!dest->kind->look(dest, items, n, err))
		return false;
	for (i = 0; i < n; i++)
		if (items[i]->state == ITEM_STAGED)
			staged[count++] = items[i];
	return dest->kind->commit(dest, staged, count, err);
}

/* What recovery knows of an item: the ledger's part of it. */
HELP void recover_item(struct item *item)
{
	struct item old = *item;

	stage_close(item);
	memset(item, 0, sizeof(*item));
	snprintf(item->name, sizeof(item->name), "%s", old.name);
	snprintf(item->hint, sizeof(item->hint), "%s", old.hint);
	item->size = old.size;
	item->stored = old.stored;
	item->place = old.place;
	item->at = old.at;
	item->fd = -1;
	item->state = ITEM_STAGED;
}

#endif
