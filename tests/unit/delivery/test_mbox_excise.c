/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include "tests/unit/delivery/mbox_help.h"

/*
 * A torn message with foreign mail behind it is taken out of the mbox. Here
 * that work itself is cut off, and more mail may come before the next run.
 */

static const char more[] = "From more Mon Nov 30 02:41:54 2026\n\nmore mail\n\n";
static char much[3000];

/* What the mbox is when we come back, the note "excise" being durable: M T F
 * are older mail, our torn bytes and the foreign mail; f a part of it, z zeros
 * for all of it; + mail that came since, * much of it. Whatever it is, then
 * comes M F, what came since, and ours. */
static const struct restart {
	const char *name, *pieces, *want;
} restarts[] = {
	{ "nothing done yet", "MTF", "MF" },
	{ "nothing done yet, more mail", "MTF+", "MF+" },
	{ "nothing done yet, much more mail", "MTF+*", "MF+*" },
	{ "cut", "M", "MF" },
	{ "cut, more mail", "M+", "MF+" },
	{ "cut, much more mail", "M*", "MF*" },
	{ "cut, mail again and again", "M+*", "MF+*" },
	{ "moved in part", "Mf", "MF" },
	{ "moved in part, more mail in the same line", "Mf+", "MF+" },
	{ "moved, but not to the disk", "Mz", "MF" },
	{ "moved in part, and not to the disk", "Mfz", "MF" },
	{ "moved, but not to the disk, more mail", "Mz+", "MF+" },
	{ "moved", "MF", "MF" },
	{ "moved, more mail", "MF+", "MF+" },
	{ "moved, much more mail", "MF*", "MF*" },
};

static size_t put_piece(char *out, char what)
{
	switch (what) {
	case 'M':
		memcpy(out, mine, sizeof(mine) - 1);
		return sizeof(mine) - 1;
	case 'T':
		memcpy(out, crash.bodies[0], 800);
		return 800;
	case 'F':
	case 'f':
		memcpy(out, foreign, sizeof(foreign) - 1);
		return what == 'F' ? sizeof(foreign) - 1 : 15;
	case 'z':
		memset(out, 0, sizeof(foreign) - 1 - 15);
		return sizeof(foreign) - 1 - 15;
	case '+':
		memcpy(out, more, sizeof(more) - 1);
		return sizeof(more) - 1;
	}
	memcpy(out, much, sizeof(much) - 1);
	return sizeof(much) - 1;
}

static size_t compose_box(char *file, const char *pieces)
{
	size_t len = 0;

	for (; *pieces != '\0'; pieces++)
		len += put_piece(file + len, *pieces);
	return len;
}

static void write_box(const char *pieces)
{
	char file[16384];

	scratch_write("box", file, compose_box(file, pieces));
}

static bool right(const struct restart *r)
{
	char want[32768];
	size_t len = compose_box(want, r->want);

	memcpy(want + len, crash.bodies[0], crash.len - crash.at[0]);
	len += crash.len - crash.at[0];
	return scratch_holds("box", want, len);
}

/* Two of three were not reached; the note is durable, and then the power is
 * gone. */
static bool cut_off(void)
{
	bool ok;

	run_batch(BATCH, HEAD, 2000, false);
	write_box("MTF");
	owner_forget();
	owner.fail_sync = 1;
	ok = !settle(false) && strncmp(crash.items[0].hint, "excise ", 7) == 0;
	owner_forget();
	return ok;
}

static void test_restart(const struct restart *r)
{
	bool once, twice;

	if (!tap_ok(cut_off(), "cut off while a torn message is taken out"))
		return;
	write_box(r->pieces);
	once = settle(false) && right(r);
	twice = settle(false) && right(r);
	tap_ok(once && twice, "then %s", r->name);
	if (once && !twice)
		tap_note("the second time it is not");
	end_batch();
}

int main(void)
{
	size_t i;

	memset(much, 'm', sizeof(much) - 1);
	memcpy(much, "From much Mon Nov 30 02:41:54 2026\n\n", 36);
	memcpy(much + sizeof(much) - 3, "\n\n", 2);
	owner_make("mbox-excise");
	snprintf(box, sizeof(box), "%s", scratch_path("box"));
	for (i = 0; i < sizeof(restarts) / sizeof(restarts[0]); i++)
		test_restart(&restarts[i]);
	scratch_end();
	return tap_done();
}
