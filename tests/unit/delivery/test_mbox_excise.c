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
 * are older mail, our torn bytes and the foreign mail; f a part of it; + mail
 * that came since, * much of it. */
static const struct restart {
	const char *name, *pieces;
	size_t more, much;
} restarts[] = {
	{ "nothing done yet", "MTF", 0, 0 },
	{ "nothing done yet, more mail", "MTF+", 1, 0 },
	{ "cut", "M", 0, 0 },
	{ "cut, more mail", "M+", 1, 0 },
	{ "cut, much more mail", "M*", 0, 1 },
	{ "cut, mail again and again", "M+*", 1, 1 },
	{ "moved in part", "Mf", 0, 0 },
	{ "moved in part, more mail", "Mf+", 1, 0 },
	{ "moved", "MF", 0, 0 },
	{ "moved, more mail", "MF+", 1, 0 },
	{ "moved, much more mail", "MF*", 0, 1 },
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
	case '+':
		memcpy(out, more, sizeof(more) - 1);
		return sizeof(more) - 1;
	}
	memcpy(out, much, sizeof(much) - 1);
	return sizeof(much) - 1;
}

static void write_box(const char *pieces)
{
	char file[16384];
	size_t len = 0;

	for (; *pieces != '\0'; pieces++)
		len += put_piece(file + len, *pieces);
	scratch_write("box", file, len);
}

static size_t times(const char *text, size_t text_len)
{
	size_t len = 0, n;
	char *file = scratch_read("box", &len);

	n = file == NULL ? 0 : count_of(file, len, text, text_len);
	free(file);
	return n;
}

static bool right(const struct restart *r)
{
	return all_there(1) && times(mine, sizeof(mine) - 1) == 1
		&& times(more, sizeof(more) - 1) == r->more
		&& times(much, sizeof(much) - 1) == r->much;
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
	if (!once || !twice)
		tap_note("foreign mail %zu times, more mail %zu of %zu, much "
			"mail %zu of %zu", times(foreign, sizeof(foreign) - 1),
			times(more, sizeof(more) - 1), r->more,
			times(much, sizeof(much) - 1), r->much);
	end_batch();
}

int main(void)
{
	size_t i;

	memset(much, 'm', sizeof(much) - 1);
	memcpy(much, "From much\n\n", 11);
	memcpy(much + sizeof(much) - 3, "\n\n", 2);
	owner_make("mbox-excise");
	snprintf(box, sizeof(box), "%s", scratch_path("box"));
	for (i = 0; i < sizeof(restarts) / sizeof(restarts[0]); i++)
		test_restart(&restarts[i]);
	scratch_end();
	return tap_done();
}
