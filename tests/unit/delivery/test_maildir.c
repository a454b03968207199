/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <inttypes.h>
#include <zlib.h>

#include "tests/unit/delivery/dest_help.h"

/*
 * Maildir: from staging to release, and what recovery makes of each thing a
 * crash, a mail reader or a cleaner of tmp/ may have left.
 */

static struct err err = ERR_INIT;
static char box[PATH_MAX];

static const char wire[] = "Subject: x\r\n\r\nbody\r\n";
static const char local[] = "Subject: x\n\nbody\n";

static void empty_box(void)
{
	scratch_remove(box);
	owner_forget();
}

/* "SUB/NAME", SUB below the Maildir. */
static const char *in_box(const char *sub, const char *name)
{
	static char path[PATH_MAX + 300];

	snprintf(path, sizeof(path), "Mail/%s/%s", sub, name);
	return path;
}

static const char *final_name(const struct item *item)
{
	static char name[ITEM_NAME + 32];

	snprintf(name, sizeof(name), "%s,S=%" PRIu64, item->name, item->size);
	return name;
}

static bool counts(size_t tmp, size_t new, size_t cur)
{
	return scratch_count("Mail/tmp", NULL) == tmp
		&& scratch_count("Mail/new", NULL) == new
		&& scratch_count("Mail/cur", NULL) == cur;
}

static void test_open(void)
{
	struct dest *dest;
	char name[PATH_MAX + 64];
	struct stat st;

	dest = need_dest("maildir", box, false);
	tap_ok(counts(0, 0, 0) && stat(box, &st) == 0
		&& (st.st_mode & 07777) == 0700, "a missing Maildir is made");
	dest_close(dest);
	dest_close(need_dest("maildir", box, false));
	tap_ok(counts(0, 0, 0), "one that is there is opened");
	scratch_remove(scratch_path("Mail/new"));
	scratch_remove(scratch_path("Mail/tmp"));
	dest_close(need_dest("maildir", box, false));
	tap_ok(counts(0, 0, 0), "missing folders in it are made");
	dest_describe(name, sizeof(name), "maildir",
		scratch_path("disk/Mail"), false);
	tap_ok(dest_open(name, &owner.env, true, &err) == NULL
		&& err.class == ERR_RETRY && !scratch_exists("disk"),
		"a folder that is missing above it is not made");
	dest_describe(name, sizeof(name), "maildir", scratch_path("Other"),
		false);
	tap_ok(dest_open(name, &owner.env, false, &err) == NULL
		&& err.class == ERR_RETRY && !scratch_exists("Other"),
		"nor is a Maildir that was there before");
	scratch_write("file", "", 0);
	dest_describe(name, sizeof(name), "maildir", scratch_path("file"),
		false);
	tap_ok(dest_open(name, &owner.env, true, &err) == NULL,
		"a file is none");
	tap_ok(dest_open("maildirs:/x", &owner.env, true, &err) == NULL
		&& err.class == ERR_CONFIG, "no such kind");
	tap_ok(dest_open("maildir", &owner.env, true, &err) == NULL
		&& err.class == ERR_CONFIG, "no path");
}

static void test_deliver(size_t n)
{
	struct item items[MAX_ITEMS], *list[MAX_ITEMS] = { NULL };
	struct dest *dest = need_dest("maildir", box, false);
	bool ok = true;
	size_t i;

	for (i = 0; i < n; i++) {
		stage_message(dest, &items[i], wire, sizeof(wire) - 1);
		list[i] = &items[i];
		ok = ok && items[i].size == sizeof(local) - 1
			&& items[i].stored == sizeof(local) - 1;
	}
	tap_ok(ok && counts(n, 0, 0), "%zu staged, nothing is visible", n);
	tap_ok(stage_sync(&dest->stage, list, n, &err)
		&& dest->kind->commit(dest, list, n, &err)
		&& dest->kind->sync(dest, &err) && counts(0, n, 0),
		"commit shows them");
	dest->kind->release(dest, list, n);
	for (i = 0; i < n; i++)
		ok = ok && items[i].state == ITEM_DELIVERED
			&& items[i].fd == -1
			&& scratch_holds(in_box("new", final_name(&items[i])),
				local, sizeof(local) - 1);
	tap_ok(ok && owner.hints == 0, "byte for byte, under their names");
	dest_close(dest);
	empty_box();
}

static void test_gzip(void)
{
	struct dest *dest = need_dest("maildir", box, true);
	char name[NAME_MAX + 1], text[64];
	struct item item, *list[1] = { &item };
	gzFile file;
	int n;

	stage_message(dest, &item, wire, sizeof(wire) - 1);
	tap_ok(dest->kind->commit(dest, list, 1, &err)
		&& scratch_count("Mail/new", name) == 1
		&& strstr(name, ",S=17") != NULL, "S= is the message's size");
	file = gzopen(scratch_path(in_box("new", name)), "r");
	n = file == NULL ? -1 : gzread(file, text, sizeof(text));
	tap_ok(n == (int)sizeof(local) - 1 && gzdirect(file) == 0
		&& memcmp(text, local, (size_t)n) == 0, "it is compressed");
	if (file != NULL)
		gzclose(file);
	dest_close(dest);
	empty_box();
}

/* What happens to a staged file between the intent and the settling. */
enum deed { NOTHING, RENAMED, SEEN, SEEN_ELSEWHERE, CLEANED, SHORT, EMPTY,
	LONG, LINKED, LINKED_READ, LINKED_AWAY, COPIED, COPIED_READ,
	COPIED_FILED, FILED, FILED_DEEP };

struct settling {
	const char *name;
	enum deed deed;
	enum item_state state;
	unsigned int tmp, new, cur;	/* files afterwards */
};

static const struct settling settlings[] = {
	{ "R2 staged", NOTHING, ITEM_DELIVERED, 0, 1, 0 },
	{ "R2 staged long ago", NOTHING, ITEM_DELIVERED, 0, 1, 0 },
	{ "R3 short", SHORT, ITEM_VOID, 1, 0, 0 },
	{ "R3 empty", EMPTY, ITEM_VOID, 1, 0, 0 },
	{ "R3 too long", LONG, ITEM_VOID, 1, 0, 0 },
	{ "R4 renamed", RENAMED, ITEM_DELIVERED, 0, 1, 0 },
	{ "R4 renamed and read", SEEN, ITEM_DELIVERED, 0, 0, 1 },
	{ "R5 gone: renamed and deleted, or never renamed", CLEANED,
		ITEM_VOID, 0, 0, 0 },
	{ "R5 renamed, read, with a reader's additions", SEEN_ELSEWHERE,
		ITEM_DELIVERED, 0, 0, 1 },
	{ "R5 filed in a folder of Maildir++", FILED, ITEM_DELIVERED, 0, 0, 0 },
	{ "R5 filed in a folder within a folder", FILED_DEEP, ITEM_DELIVERED,
		0, 0, 0 },
	{ "R6 in tmp and new", LINKED, ITEM_DELIVERED, 0, 1, 0 },
	{ "R6 in tmp and cur", LINKED_READ, ITEM_DELIVERED, 0, 0, 1 },
	{ "R6 in tmp and new, restored from a copy", COPIED, ITEM_DELIVERED,
		0, 1, 0 },
	{ "R6 in tmp and cur, restored from a copy", COPIED_READ,
		ITEM_DELIVERED, 0, 0, 1 },
	{ "R6 in tmp and filed, restored from a copy", COPIED_FILED,
		ITEM_DELIVERED, 0, 0, 0 },
	/* A backup of hard links is no delivery. */
	{ "a second name elsewhere", LINKED_AWAY, ITEM_DELIVERED, 0, 1, 0 },
};

static void move_to(const char *sub, const char *name, const char *tmp)
{
	char to[PATH_MAX + 300];

	snprintf(to, sizeof(to), "%s", scratch_path(in_box(sub, name)));
	scratch_need(rename(tmp, to) == 0, "cannot move");
}

static void link_to(const char *path, const char *tmp)
{
	unlink(scratch_path(path));
	scratch_need(link(tmp, scratch_path(path)) == 0, "cannot link");
}

/* Into cur/ of a folder, made with all above it. */
static void file_away(struct item *item, const char *tmp, const char *folder)
{
	char sub[PATH_MAX], name[2 * ITEM_NAME], *slash;

	snprintf(sub, sizeof(sub), "%s/cur/", folder);
	for (slash = strchr(sub, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(scratch_path(in_box(sub, "")), 0700);
		*slash = '/';
	}
	snprintf(name, sizeof(name), "%s:2,S", final_name(item));
	move_to(sub, name, tmp);
}

static void act(struct item *item, enum deed deed)
{
	char tmp[PATH_MAX], name[2 * ITEM_NAME];

	snprintf(tmp, sizeof(tmp), "%s", scratch_path(in_box("tmp",
		item->name)));
	switch (deed) {
	case NOTHING:
		break;
	case RENAMED:
		move_to("new", final_name(item), tmp);
		break;
	case SEEN:
		snprintf(name, sizeof(name), "%s:2,S", final_name(item));
		move_to("cur", name, tmp);
		break;
	case SEEN_ELSEWHERE:
		snprintf(name, sizeof(name), "%s,W=99,U=7:2,FSZ", item->name);
		move_to("cur", name, tmp);
		break;
	case CLEANED:
		unlink(tmp);
		break;
	case SHORT:
	case EMPTY:
		scratch_need(truncate(tmp, deed == SHORT ? 16 : 0) == 0,
			"cannot truncate");
		break;
	case LONG:
		scratch_append(in_box("tmp", item->name), "x", 1);
		break;
	case LINKED:
		link_to(in_box("new", final_name(item)), tmp);
		break;
	case LINKED_READ:
		snprintf(name, sizeof(name), "%s:2,", final_name(item));
		link_to(in_box("cur", name), tmp);
		break;
	case LINKED_AWAY:
		link_to("backup", tmp);
		break;
	case COPIED:
		scratch_write(in_box("new", final_name(item)), local,
			sizeof(local) - 1);
		break;
	case COPIED_READ:
		snprintf(name, sizeof(name), "%s:2,S", final_name(item));
		scratch_write(in_box("cur", name), local, sizeof(local) - 1);
		break;
	case COPIED_FILED:
		file_away(item, tmp, ".Archive");
		scratch_write(in_box("tmp", item->name), local,
			sizeof(local) - 1);
		break;
	case FILED:
	case FILED_DEEP:
		file_away(item, tmp, deed == FILED ? ".Archive" : "Old/2026");
		break;
	}
}

static void test_settle(const struct settling *s)
{
	struct dest *dest = need_dest("maildir", box, false);
	struct item item, bystander, *list[1] = { &item };
	bool ok, twice;

	/* Another account's file, of nearly the same name. */
	stage_message(dest, &bystander, wire, sizeof(wire) - 1);
	stage_message(dest, &item, wire, sizeof(wire) - 1);
	act(&item, s->deed);
	dest_close(dest);
	dest = need_dest("maildir", box, false);
	recover_item(&item);
	ok = settle_dest(dest, list, 1, &err)
		&& dest->kind->sync(dest, &err) && item.state == s->state
		&& counts(s->tmp + 1, s->new, s->cur);
	dest->kind->release(dest, list, 1);
	dest_close(dest);
	/* Before its outcome was written down, it is settled again. */
	dest = need_dest("maildir", box, false);
	recover_item(&item);
	twice = settle_dest(dest, list, 1, &err)
		&& item.state == s->state
		&& counts(s->tmp + 1, s->new, s->cur);
	stage_close(&bystander);
	dest_close(dest);
	empty_box();
	tap_ok(ok && twice, "%s", s->name);
	if (!ok || !twice)
		tap_note("%s", ok ? "the second time it ends differently"
			: "already the first time");
}

static void test_cleaned_before_commit(void)
{
	struct dest *dest = need_dest("maildir", box, false);
	struct item a, b, *list[2] = { &a, &b };

	stage_message(dest, &a, wire, sizeof(wire) - 1);
	stage_message(dest, &b, wire, sizeof(wire) - 1);
	unlink(scratch_path(in_box("tmp", a.name)));
	tap_ok(dest->kind->commit(dest, list, 2, &err) && a.state == ITEM_VOID
		&& b.state == ITEM_DELIVERED && counts(0, 1, 0),
		"a staged file that disappears is void, its neighbour is not");
	stage_message(dest, &a, wire, sizeof(wire) - 1);
	scratch_write(in_box("new", final_name(&a)), "other", 5);
	tap_ok(!dest->kind->commit(dest, list, 1, &err)
		&& scratch_holds(in_box("new", final_name(&a)), "other", 5)
		&& scratch_exists(in_box("tmp", a.name)),
		"nothing is ever replaced");
	dest_close(dest);
	empty_box();
}

int main(void)
{
	size_t i;

	owner_make("maildir");
	snprintf(box, sizeof(box), "%s", scratch_path("Mail"));
	test_open();
	empty_box();
	test_deliver(1);
	test_deliver(20);
	test_gzip();
	for (i = 0; i < sizeof(settlings) / sizeof(settlings[0]); i++)
		test_settle(&settlings[i]);
	test_cleaned_before_commit();
	scratch_end();
	return tap_done();
}
