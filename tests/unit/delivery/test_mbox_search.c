/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include "tests/unit/delivery/mbox_help.h"

/*
 * Messages that resemble one another, in an mbox that a reader has written anew
 * between the crash and the recovery: what is there is known, and nothing else
 * is taken for it.
 */

/* The batch: messages of one list, alike for their first 2000 bytes and their
 * last; 1 is a copy of 0; 2 goes on where 0 ends. */
#define LONG 2000

static char texts[BATCH][2 * LONG];

static void write_posts(void)
{
	size_t i, n;

	for (i = 0; i < BATCH; i++) {
		n = compose(texts[i], sizeof(texts[i]), 0, LONG, 0);
		if (i == 2)
			snprintf(texts[i] + n, sizeof(texts[i]) - n,
				"and a line more\r\n");
	}
}

static void run_posts(void)
{
	struct dest *dest;
	size_t i;

	owner_forget();
	scratch_write("box", mine, sizeof(mine) - 1);
	dest = need_dest("mbox", box, false);
	crash.n = BATCH;
	for (i = 0; i < BATCH; i++) {
		crash.list[i] = &crash.items[i];
		stage_message(dest, &crash.items[i], texts[i],
			strlen(texts[i]));
	}
	scratch_need(dest->kind->commit(dest, crash.list, BATCH, &err),
		"cannot deliver");
	keep_batch();
	dest_close(dest);
}

/* M an older mail, 0 1 2 ours, F a foreign one; a and b are parts of 1 and 2, c is
 * 1 with another byte. */
static const struct rewritten {
	const char *what, *pieces;
	const char *after;		/* what is in the file at the end */
} scenes[] = {
	{ "all there", "012M", "012M" },
	{ "one of two copies", "0M", "0M12" },
	{ "the other of two copies", "1M", "1M02" },
	{ "the longer one alone", "2M", "2M01" },
	{ "nothing", "F", "F012" },
	{ "all, behind a foreign one", "FM012", "FM012" },
	{ "a part of one, at the end", "M0a", "M012" },
	{ "a part of one, in the midst", "M0aF", "M0F12" },
	{ "parts of two", "M0abF", "M0F12" },
	{ "a changed one is not a part", "M0cF", "M0cF12" },
	{ "all but the last line end", "M0d", "M012" },
};

/* What a reader makes of a torn one, and of one that somebody edits. */
static size_t put_changed(char *out, char what)
{
	size_t i = what == 'b' ? 2 : 1, len = crash.body_len[i];

	memcpy(out, crash.bodies[i], len);
	if (what == 'c') {
		out[len / 2] ^= 1;
		return len;
	}
	if (what == 'd')
		return len - 1;
	len /= what == 'a' ? 2 : 3;
	return len + put(out + len, "\n\n", 2);
}

static size_t put_piece(char *out, char what)
{
	if (what == 'M')
		return put(out, mine, sizeof(mine) - 1);
	if (what == 'F')
		return put(out, foreign, sizeof(foreign) - 1);
	if (what >= 'a')
		return put_changed(out, what);
	return put(out, crash.bodies[what - '0'], crash.body_len[what - '0']);
}

static size_t put_all(char *out, const char *pieces)
{
	size_t len = 0;

	for (; *pieces != '\0'; pieces++)
		len += put_piece(out + len, *pieces);
	return len;
}

static void test_rewritten(const struct rewritten *s)
{
	char file[8 * LONG];
	size_t len;
	bool once, twice;

	run_posts();
	len = put_all(file, s->pieces);
	unlink(box);
	scratch_write("box", file, len);
	once = settle(false);
	len = put_all(file, s->after);
	once = once && scratch_holds("box", file, len);
	twice = settle(false) && scratch_holds("box", file, len);
	tap_ok(once, "rewritten: %s", s->what);
	tap_ok(twice, "and the same the second time");
	end_batch();
}

/* A file that is as it was is not searched: nothing was written. */
static void test_unchanged(void)
{
	run_posts();
	scratch_write("box", mine, sizeof(mine) - 1);
	tap_ok(settle(false)
		&& scratch_holds("box", crash.whole, crash.len),
		"nothing was written: all are appended");
	end_batch();
}

/* Many megabytes before and behind, so that it is read in several pieces; one
 * of ours lies across a border of them. */
static void test_large(bool gzip)
{
	size_t filler = (1u << 20) - 700, len, i;
	char *file = malloc(3 * filler + 100000);
	bool ok;

	run_batch(BATCH, HEAD, 3000, gzip);
	len = put(file, gzip ? member : mine, sizeof(mine) - 1);
	for (i = 0; i < BATCH; i++) {
		memset(file + len, 'x', filler);
		memcpy(file + len, foreign, sizeof(foreign) - 1);
		file[len + filler - 1] = '\n';
		len += filler;
		len += put(file + len, crash.bodies[i], crash.body_len[i]);
	}
	unlink(box);
	scratch_write("box", file, len);
	ok = settle(gzip) && scratch_holds("box", file, len);
	tap_ok(ok, "found across the borders of pieces%s",
		gzip ? ", compressed" : "");
	free(file);
	end_batch();
}

int main(void)
{
	size_t i;

	owner_make("mbox-search");
	snprintf(box, sizeof(box), "%s", scratch_path("box"));
	write_posts();
	for (i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
		test_rewritten(&scenes[i]);
	test_unchanged();
	test_large(false);
	test_large(true);
	scratch_end();
	return tap_done();
}
