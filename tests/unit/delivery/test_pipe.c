/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include "tests/unit/delivery/dest_help.h"

/*
 * A program that delivers: what is noted before and after it runs, and what
 * recovery makes of the notes.
 */

static struct err err = ERR_INIT;

static const char wire[] = "Subject: x\r\n\r\nFrom a\r\n";
static const char local[] = "Subject: x\n\nFrom a\n";

/* Notes, flushes and runs, in the order they must come. */
static const struct delivery {
	const char *name, *hint;	/* the last note, or "" */
	int status;			/* the program's */
	const char *log;
	enum item_state state;
} deliveries[] = {
	{ "the first time", "", 0, "start 1\nflush at 0\nrun 1\nran\n",
		ITEM_DELIVERED },
	{ "refused", "", 75 << 8, "start 1\nflush at 0\nrun 1\nfailed 1\n",
		ITEM_DEFERRED },
	{ "killed", "", 9, "start 1\nflush at 0\nrun 1\nfailed 1\n",
		ITEM_DEFERRED },
	{ "again after a refusal", "failed 1", 0,
		"start 2\nflush at 0\nrun 2\nran\n", ITEM_DELIVERED },
	{ "refused again", "failed 41", 1 << 8,
		"start 42\nflush at 0\nrun 42\nfailed 42\n", ITEM_DEFERRED },
	{ "again, in doubt", "start 1", 0,
		"start 2\nflush at 0\nrun 2\nran\n", ITEM_DELIVERED },
	{ "never again after a success", "ran", 0, "", ITEM_DELIVERED },
	{ "a note of another kind", "at 4711", 0, NULL, ITEM_DELIVERED },
};

static void settle(struct dest *dest, struct item *item,
	const struct delivery *d)
{
	struct item *list[1] = { item };
	bool ok;

	recover_item(item);
	snprintf(item->hint, sizeof(item->hint), "%s", d->hint);
	owner_forget();
	owner.status = d->status;
	ok = settle_dest(dest, list, 1, &err)
		&& dest->kind->sync(dest, &err);
	tap_ok(ok && item->state == d->state
		&& (d->log == NULL || strcmp(owner.log, d->log) == 0),
		"%s", d->name);
	if (d->log != NULL && strcmp(owner.log, d->log) != 0)
		tap_note("%s", owner.log);
	if (d->state == ITEM_DEFERRED)
		tap_ok(item->err.class == ERR_MSG
			&& strstr(item->err.text, "last words") != NULL,
			"with its last words");
	dest->kind->release(dest, list, 1);
	tap_ok(scratch_count("stage", NULL) == (d->state == ITEM_DEFERRED),
		"a refused message stays, a delivered one does not");
	scratch_need(stage_remove(&dest->stage, item, &err), "cannot remove");
}

static void test_commit(size_t n)
{
	struct dest *dest = need_dest("pipe", "mda", false);
	struct item items[MAX_ITEMS], *list[MAX_ITEMS] = { NULL };
	char path[ITEM_NAME + 8];
	bool ok = true;
	size_t i;

	owner_forget();
	for (i = 0; i < n; i++) {
		stage_message(dest, &items[i], wire, sizeof(wire) - 1);
		list[i] = &items[i];
		snprintf(path, sizeof(path), "stage/%.127s",
			items[i].name);
		ok = ok && scratch_holds(path, local, sizeof(local) - 1)
			&& items[i].size == sizeof(local) - 1;
	}
	tap_ok(ok, "%zu staged as they are", n);
	tap_ok(dest->kind->commit(dest, list, n, &err)
		&& owner.hints == 2 * n && owner.syncs == n
		&& strstr(owner.log, "able") == NULL,
		"each is noted, flushed and run, readable and not writable");
	dest->kind->release(dest, list, n);
	tap_ok(scratch_count("stage", NULL) == 0, "nothing is left");
	dest_close(dest);
}

/* Its sender is known whenever it is handed over. */
static void test_sender(void)
{
	static const char text[] = "Return-Path: <a@b>\r\n\r\nx\r\n";
	struct dest *dest = need_dest("pipe", "mda", false);
	struct item item, *list[1] = { &item };

	stage_message(dest, &item, text, sizeof(text) - 1);
	owner_forget();
	owner.status = 75 << 8;
	tap_ok(dest->kind->commit(dest, list, 1, &err)
		&& strstr(owner.log, "run 1 from a@b\n") != NULL,
		"the sender goes along");
	recover_item(&item);
	snprintf(item.hint, sizeof(item.hint), "failed 1");
	owner_forget();
	tap_ok(settle_dest(dest, list, 1, &err)
		&& strstr(owner.log, "run 2 from a@b\n") != NULL,
		"with the next attempt as well");
	dest->kind->release(dest, list, 1);
	dest_close(dest);
}

/* What must not run: the note is not durable; we are asked to end. */
static void test_not_run(void)
{
	struct dest *dest = need_dest("pipe", "mda", false);
	struct item item, *list[1] = { &item };

	stage_message(dest, &item, wire, sizeof(wire) - 1);
	owner_forget();
	owner.fail_sync = 1;
	tap_ok(!dest->kind->commit(dest, list, 1, &err)
		&& strstr(owner.log, "run") == NULL,
		"nothing runs before its note is durable");
	owner_forget();
	owner.stop = true;
	tap_ok(!dest->kind->commit(dest, list, 1, &err)
		&& err.class == ERR_STOP && owner.log[0] == '\0'
		&& item.state == ITEM_STAGED, "nothing begins when we are "
		"asked to end");
	dest_close(dest);
	tap_ok(scratch_count("stage", NULL) == 1, "it stays staged");
	stage_close(&item);
}

static void test_missing(void)
{
	struct dest *dest = need_dest("pipe", "mda", false);
	struct item item, *list[1] = { &item };

	stage_message(dest, &item, wire, sizeof(wire) - 1);
	recover_item(&item);
	item.stored++;
	owner_forget();
	tap_ok(settle_dest(dest, list, 1, &err)
		&& item.state == ITEM_VOID && owner.log[0] == '\0',
		"a staged file that is not whole is never handed over");
	dest_close(dest);
}

/* A program gets a last line that ends; the message stays what it was. */
static const struct ending {
	const char *name, *wire, *staged;
	size_t size;
} endings[] = {
	{ "a last line that ends", "a: b\r\n\r\nc\r\n", "a: b\n\nc\n", 8 },
	{ "one that does not", "a: b\r\n\r\nc", "a: b\n\nc\n", 7 },
	{ "one that ends in CR", "a: b\r\n\r\nc\r", "a: b\n\nc\r\n", 8 },
	{ "a header alone", "a: b", "a: b\n", 4 },
	{ "nothing", "", "\n", 0 },
};

static void test_ending(const struct ending *e)
{
	struct dest *dest = need_dest("pipe", "mda", false);
	struct item item, *list[1] = { &item };
	char path[ITEM_NAME + 8];

	stage_message(dest, &item, e->wire, strlen(e->wire));
	snprintf(path, sizeof(path), "stage/%.127s", item.name);
	tap_ok(scratch_holds(path, e->staged, strlen(e->staged))
		&& item.size == e->size && item.stored == strlen(e->staged),
		"%s is staged with an end", e->name);
	recover_item(&item);
	owner_forget();
	tap_ok(settle_dest(dest, list, 1, &err)
		&& item.state == ITEM_DELIVERED, "and whole after a crash");
	dest->kind->release(dest, list, 1);
	dest_close(dest);
}

/* Versions before this staged messages as they were. */
static void test_staged_before(void)
{
	struct dest *dest = need_dest("pipe", "mda", false);
	struct item item = { .fd = -1 }, *list[1] = { &item };

	scratch_need(stage_create(&dest->stage, &item, &err)
		&& write(item.fd, "a: b\n\nc", 7) == 7, "cannot stage");
	item.size = item.stored = 7;
	recover_item(&item);
	owner_forget();
	tap_ok(settle_dest(dest, list, 1, &err)
		&& item.state == ITEM_DELIVERED
		&& strcmp(owner.log, "start 1\nflush at 0\nrun 1\nran\n") == 0,
		"one that was staged without an end is delivered as it is");
	dest->kind->release(dest, list, 1);
	dest_close(dest);
}

int main(void)
{
	struct dest *dest;
	struct item item;
	size_t i;

	owner_make("pipe");
	test_commit(1);
	test_commit(20);
	dest = need_dest("pipe", "mda", false);
	for (i = 0; i < sizeof(deliveries) / sizeof(deliveries[0]); i++) {
		stage_message(dest, &item, wire, sizeof(wire) - 1);
		settle(dest, &item, &deliveries[i]);
	}
	dest_close(dest);
	for (i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		test_ending(&endings[i]);
	test_staged_before();
	test_sender();
	test_not_run();
	test_missing();
	scratch_end();
	return tap_done();
}
