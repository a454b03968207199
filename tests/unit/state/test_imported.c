/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/state/imported.h"

#include <string.h>

#include "agent/base/fsx.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

static int dir;
static struct arena *arena;

static struct imported *read_back(enum err_class *class_r)
{
	struct err err = ERR_INIT;
	struct imported *im;

	if (!imported_read(dir, scratch_dir, arena, &im, &err))
		im = NULL;
	*class_r = err.class;
	return im;
}

static void put(const char *text)
{
	struct err err = ERR_INIT;

	scratch_need(fsx_replace(dir, "imported", text, strlen(text), 0600,
		&err), "cannot write");
}

/* What goes in comes out, whatever bytes a UID has. */
static void round_trip(void)
{
	struct imported_uid uids[] = { { "b", 1 }, { "a%20b", 5 },
		{ "x\n\0y", 4 }, { "\xc3\xa9 end 3", 8 }, { "end 9", 5 } };
	const struct imported out = { .from = "fet ch", .time = 1234567,
		.cuts = true, .must_match = true, .uids = uids, .count = 5 };
	struct err err = ERR_INIT;
	enum err_class class;
	struct imported *in;
	size_t i;

	tap_ok(imported_write(dir, &out, &err), "written");
	in = read_back(&class);
	if (!tap_ok(in != NULL && in->count == 5, "read back"))
		return;
	tap_ok(strcmp(in->from, "fet ch") == 0 && in->time == 1234567
		&& in->cuts && !in->folds && in->must_match, "the title");
	for (i = 0; i < 5; i++)
		tap_ok(imported_has(in, uids[i].uid, uids[i].len),
			"UID %zu is in it", i);
	tap_ok(!imported_has(in, "a", 1) && !imported_has(in, "bb", 2)
		&& !imported_has(in, "x\n", 2), "others are not");
}

/* As the other programs write UIDs down. */
static void forms(void)
{
	char longest[200];
	struct imported_uid uids[2] = { { "AA-bb", 5 }, { longest, 128 } };
	struct imported im = { .uids = uids, .count = 2 };

	memset(longest, 'u', sizeof(longest));
	tap_ok(!imported_has(&im, "AA/bb", 5), "a slash is a slash");
	im.folds = true;
	tap_ok(imported_has(&im, "AA/bb", 5), "...but for getmail");
	tap_ok(!imported_has(&im, longest, 200), "a long UID is whole");
	im.cuts = true;
	tap_ok(imported_has(&im, longest, 200), "...but for fetchmail");
}

/* No part of a list passes for the whole, and nothing is read into noise. */
static void damage(void)
{
	static const char *const bad[] = {
		"", "\n", "postrider imported 1 5 000 x\n",
		"postrider imported 1 5 000 x\na\n",
		"postrider imported 1 5 000 x\na\nend 2\n",
		"postrider imported 1 5 000 x\na\nend 1\nb\n",
		"postrider imported 1 5 000 x\na\nend 1",
		"postrider imported 1 5 000 x\na b\nend 1\n",
		"postrider imported 1 5 000 x\n%2\nend 1\n",
		"postrider imported 1 5 000 x\n%2G\nend 1\n",
		"postrider imported 1 -5 000 x\na\nend 1\n",
		"postrider imported 1 5 002 x\na\nend 1\n",
		"postrider imported 2 5 000 x\na\nend 1\n",
	};
	enum err_class class;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put(bad[i]);
		tap_ok(read_back(&class) == NULL && class == ERR_CONFIG,
			"damage %zu is found", i);
	}
	put("postrider imported 1 5 000 x\nend 0\n");
	tap_ok(read_back(&class) != NULL, "an empty list is one");
}

int main(void)
{
	struct err err = ERR_INIT;
	enum err_class class;

	scratch_make("test_imported");
	arena = arena_new();
	dir = fsx_opendir(scratch_dir, &err);
	scratch_need(dir >= 0, "no directory");
	tap_ok(read_back(&class) == NULL && class == ERR_NONE, "none is none");
	round_trip();
	forms();
	damage();
	tap_ok(imported_remove(dir, scratch_dir, &err)
		&& read_back(&class) == NULL && class == ERR_NONE
		&& imported_remove(dir, scratch_dir, &err), "removed");
	close(dir);
	arena_free(arena);
	scratch_remove(scratch_dir);
	return tap_done();
}
