/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include "delivery/mbox_place.h"
#include "tests/unit/delivery/mbox_help.h"

/*
 * mbox after a crash: whatever the file looks like, afterwards each message is
 * in it once and whole, and nobody else's bytes are touched.
 */

/* The file exactly as if nothing had happened, after one and two settlings. */
static bool as_if_nothing(bool gzip)
{
	return settle(gzip) && scratch_holds("box", crash.whole, crash.len)
		&& settle(gzip) && scratch_holds("box", crash.whole, crash.len);
}

static void test_torn(size_t n, size_t head, size_t body, bool gzip)
{
	size_t cut, bad = 0, step, first = 0;

	run_batch(n, head, body, gzip);
	step = (size_t)(crash.len - crash.at[0]) / 150 + 1;
	for (cut = crash.at[0]; cut <= crash.len; cut += step) {
		scratch_write("box", crash.whole, cut);
		if (!as_if_nothing(gzip) && bad++ == 0)
			first = cut;
	}
	tap_ok(bad == 0, "%zu message%s of %zu bytes%s, torn anywhere", n,
		n == 1 ? "" : "s", body, gzip ? ", compressed" : "");
	if (bad != 0)
		tap_note("%zu times, first at %zu of %zu", bad, first,
			crash.len);
	end_batch();
}

/* Zeros from somewhere on: blocks the disk never got. */
static void test_zeros(size_t n, size_t body, bool gzip)
{
	size_t from, to, bad = 0, step;
	char *copy;

	run_batch(n, HEAD, body, gzip);
	copy = malloc(crash.len);
	step = (size_t)(crash.len - crash.at[0]) / 12 + 1;
	for (from = crash.at[0]; from < crash.len; from += step)
		for (to = from + 1; to <= crash.len; to += step) {
			memcpy(copy, crash.whole, crash.len);
			memset(copy + from, 0, to - from);
			scratch_write("box", copy, crash.len);
			bad += !as_if_nothing(gzip);
			scratch_write("box", copy, to);
			bad += !as_if_nothing(gzip);
		}
	tap_ok(bad == 0, "%zu message%s of %zu bytes%s, zeros anywhere", n,
		n == 1 ? "" : "s", body, gzip ? ", compressed" : "");
	free(copy);
	end_batch();
}

/* What the file looks like, in pieces: M an older mail, 0 1 2 our messages,
 * p<n> n bytes of the torn one, z<n> as many zeros, j<n> junk, r its rest, F a
 * foreign mail, L one that ends as ours do. */
struct scene {
	const char *name;
	size_t head, body;		/* of our messages */
	size_t torn;			/* which one */
	const char *pieces;
	size_t foreign;
};

#define LARGE 9000
static const struct scene scenes[] = {
	{ "whole, and a foreign mail behind", HEAD, 100, 0, "M012F", 1 },
	{ "nothing of ours, a foreign mail", HEAD, 100, 0, "MF", 1 },
	{ "one of three, then a foreign mail", HEAD, 100, 0, "M0F", 1 },
	{ "torn, then a foreign mail", HEAD, 100, 1, "M0p300F", 1 },
	{ "torn behind its header, then a foreign mail", HEAD, LARGE, 0,
		"Mp8000F", 1 },
	{ "torn, then a foreign mail that ends alike", HEAD, LARGE, 0,
		"Mp8000LF", 1 },
	{ "zeros, then a foreign mail, before our end", HEAD, LARGE, 0,
		"Mp4096z4096F", 1 },
	{ "zeros in it, its end, then a foreign mail", HEAD, LARGE, 2,
		"M01p4000z400rF", 1 },
	{ "an old block in it", HEAD, LARGE, 2, "M01p4000j400r", 0 },
	{ "an old block in it, then a foreign mail", HEAD, LARGE, 2,
		"M01p4000j400rF", 1 },
	{ "zeros in one, the next is whole", 100, 2000, 1, "M0p1000z500r2",
		0 },
	{ "a reader deleted an older mail", HEAD, 100, 0, "012", 0 },
	{ "a reader put mail in front", HEAD, 100, 0, "MF012", 1 },
	{ "a reader deleted one of ours", HEAD, 100, 0, "02", 0 },
	{ "a reader deleted all", HEAD, 100, 0, "", 0 },
	{ "a reader deleted all, foreign mail came", HEAD, 100, 0, "F", 1 },
	{ "a reader sorted them", HEAD, 100, 0, "2M01", 0 },
};

static const char from_list[] = "From list Mon Nov 30 02:41:54 2026\n\n";

static size_t put_piece(char *out, const struct scene *s, char what,
	size_t len, size_t *done)
{
	const char *torn = crash.bodies[s->torn] + *done;
	size_t n;

	switch (what) {
	case 'M':
		return put(out, mine, sizeof(mine) - 1);
	case 'F':
		return put(out, foreign, sizeof(foreign) - 1);
	case 'L':
		n = put(out, from_list, sizeof(from_list) - 1);
		return n + put(out + n, crash.bodies[0] + crash.body_len[0]
			- 200, 200);
	case 'z':
	case 'j':
		memset(out, what == 'z' ? 0 : '~', len);
		*done += len;
		return len;
	case 'r':
		return put(out, torn, crash.body_len[s->torn] - *done);
	case 'p':
		*done += len;
		return put(out, torn, len);
	}
	return put(out, crash.bodies[what - '0'], crash.body_len[what - '0']);
}

static void test_scene(const struct scene *s)
{
	const char *p = s->pieces;
	char *file = malloc(4 * (LARGE + HEAD) + 4096);
	size_t len = 0, done = 0, n;
	bool once, twice;
	char *end;

	run_batch(BATCH, s->head, s->body, false);
	while (*p != '\0') {
		char what = *p++;

		n = strtoul(p, &end, 10);
		if (strchr("pzj", what) != NULL)
			p = end;
		len += put_piece(file + len, s, what, n, &done);
	}
	scratch_write("box", file, len);
	once = settle(false) && all_there(s->foreign);
	twice = settle(false) && all_there(s->foreign);
	tap_ok(once && twice, "%s", s->name);
	if (once != twice)
		tap_note("%s time", once ? "not the second" : "the second");
	free(file);
	end_batch();
}

/* A reader adds lines at the end of the header, as mutt and Dovecot do. */
static void test_status(size_t head, const char *name)
{
	static const char status[] = "Status: RO\nX-UID: 42\n";
	char *file, *blank;
	size_t len;
	bool ok;

	run_batch(1, head, 600, false);
	file = malloc(crash.len + sizeof(status));
	memcpy(file, crash.whole, crash.len);
	blank = strstr(file + crash.at[0], "\n\n") + 1;
	memmove(blank + strlen(status), blank,
		crash.len - (size_t)(blank - file));
	memcpy(blank, status, strlen(status));
	len = crash.len + strlen(status);
	scratch_write("box", file + crash.at[0], len - crash.at[0]);
	ok = settle(false)
		&& scratch_holds("box", file + crash.at[0], len - crash.at[0]);
	scratch_write("box", file, len);
	ok = ok && settle(false) && scratch_holds("box", file, len);
	tap_ok(ok, "a reader added Status lines to %s", name);
	free(file);
	end_batch();
}

/* Killed before the offset was noted. */
static void test_no_hint(void)
{
	run_batch(2, HEAD, 100, false);
	crash.items[0].hint[0] = crash.items[1].hint[0] = '\0';
	scratch_write("box", mine, sizeof(mine) - 1);
	tap_ok(settle(false) && scratch_holds("box", crash.whole, crash.len),
		"without a note it is appended");
	end_batch();
}

/* What is not whole in the staged file has never been appended whole. */
static void test_void(void)
{
	char path[PATH_MAX], *pack;
	struct dest *dest;
	size_t len = 0;

	run_batch(2, HEAD, 100, false);
	scratch_write("box", mine, sizeof(mine) - 1);
	snprintf(path, sizeof(path), "stage/%s", crash.items[0].name);
	pack = scratch_read(path, &len);
	scratch_write(path, pack, len - 1);
	free(pack);
	dest = need_dest("mbox", box, false);
	tap_ok(settle_dest(dest, crash.list, 2, &err)
		&& crash.items[0].state == ITEM_DELIVERED
		&& crash.items[1].state == ITEM_VOID,
		"what is not whole is void");
	dest->kind->release(dest, crash.list, 2);
	dest_close(dest);
	tap_ok(!scratch_exists("box.lock"), "release lets go of the lock");
	end_batch();
}

/* A pass of an earlier version left one file a message. */
static void test_files(void)
{
	char path[PATH_MAX];
	size_t i;

	run_batch(BATCH, HEAD, 100, false);
	scratch_write("box", mine, sizeof(mine) - 1);
	for (i = 0; i < BATCH; i++) {
		snprintf(crash.items[i].name, ITEM_NAME, "%zu", i);
		crash.items[i].at = 0;
		snprintf(path, sizeof(path), "stage/%zu", i);
		scratch_write(path, crash.bodies[i], crash.body_len[i]);
	}
	tap_ok(as_if_nothing(false), "one staged file a message");
	end_batch();
}

/* All stand a message further in front than noted, so that the file ends where
 * the last one was to begin. */
static void test_moved_up(size_t n)
{
	size_t i;

	run_batch(n, HEAD, 100, false);
	for (i = 0; i < n; i++)
		snprintf(crash.items[i].hint, ITEM_HINT, "at %" PRIu64,
			crash.at[i + 1]);
	scratch_write("box", crash.whole, crash.len);
	tap_ok(as_if_nothing(false),
		"a reader deleted an older one as long as each of %zu", n);
	end_batch();
}

/* The first of a batch was noted as delivered, and a reader has deleted it in
 * place: the second begins where the first one did. */
static void test_first_noted(void)
{
	char *file;
	size_t len;

	run_batch(2, HEAD, 100, false);
	file = malloc(crash.len);
	len = put(file, mine, sizeof(mine) - 1);
	len += put(file + len, crash.bodies[1], crash.body_len[1]);
	scratch_write("box", file, len);
	crash.list[0] = &crash.items[1];
	crash.n = 1;
	crash.items[0].state = ITEM_DELIVERED;
	settle(false);
	tap_ok(scratch_holds("box", file, len),
		"the first was noted, and deleted by a reader");
	free(file);
	end_batch();
}

/* As if an item had been noted with the mbox as it is now. */
static void note_again(size_t i, uint64_t at)
{
	struct mbox_place place = { .at = at };
	int fd = open(box, O_RDONLY | O_CLOEXEC);

	scratch_need(fd >= 0 && mbox_witness_take(fd, box, &place.before, &err),
		"cannot look at the mbox");
	mbox_place_note(&place, crash.items[i].hint, ITEM_HINT);
	close(fd);
}

/* Recovery found the second and appended the first again, and was cut off. */
static void test_two_appends(void)
{
	char *file;
	size_t len;

	run_batch(2, HEAD, 100, false);
	file = malloc(2 * crash.len);
	len = put(file, foreign, sizeof(foreign) - 1);
	len += put(file + len, crash.bodies[1], crash.body_len[1]);
	scratch_write("box", file, len);
	note_again(0, len);
	len += put(file + len, crash.bodies[0], 100);
	scratch_write("box", file, len);
	tap_ok(settle(false) && all_there(1) && settle(false) && all_there(1),
		"the first torn in a later append, the second where it was");
	free(file);
	end_batch();
}

/* The line ends that we put in front were in a block the disk never got: what
 * follows would begin no line. */
static void test_no_ends(void)
{
	const size_t old = sizeof(mine) - 3;
	size_t i;
	char *copy;

	run_batch(2, HEAD, 100, false);
	scratch_write("box", mine, old);
	for (i = 0; i < 2; i++)
		note_again(i, crash.at[i]);
	copy = malloc(crash.len);
	memcpy(copy, crash.whole, crash.len);
	memset(copy + old, 0, 2);
	scratch_write("box", copy, crash.len);
	tap_ok(as_if_nothing(false), "zeros where we put line ends in front");
	free(copy);
	end_batch();
}

/* Mail of a program that has come behind a part of ours, and does not care
 * whether that ends a line; or does; or has a sender, or a member, that begins
 * as ours do. */
static const struct stranger {
	const char *name, *mail;
	bool gzip;
	size_t ends;			/* in front, for our sake */
} strangers[] = {
	{ "others' mail in the same line", foreign, false, 0 },
	{ "others' mail behind a line end", "\nFrom other Mon Nov 30 02:41:54 2026\n\na foreign mail\n\n", false, 1 },
	{ "mail of MAILER-DAEMON", "From MAILER-DAEMON Mon Nov 30 02:41:54 2026\n\nanother\n\n", false, 0 },
	{ "others' member", "\x1f\x8b\x08\x08 an old one, or so\n\n", true, 0 },
};

/* The mbox as it should be when something of item k is not there: the foreign
 * mail is in front of it. */
static bool stands_in_front(size_t k, const char *mail, bool gzip)
{
	size_t len = strlen(mail);
	char *want = malloc(crash.len + len);
	bool ok;

	memcpy(want, crash.whole, crash.at[k]);
	memcpy(want + crash.at[k], mail, len);
	memcpy(want + crash.at[k] + len, crash.whole + crash.at[k],
		crash.len - crash.at[k]);
	ok = settle(gzip) && scratch_holds("box", want, crash.len + len)
		&& settle(gzip)
		&& scratch_holds("box", want, crash.len + len);
	free(want);
	return ok;
}

static size_t item_at(size_t place)
{
	size_t k = 0;

	while (k < crash.n && place >= crash.at[k + 1])
		k++;
	return k;
}

/* Zeros in [from, to), nothing behind `end` but the stranger. */
static bool glue(const struct stranger *s, size_t from, size_t to, size_t end)
{
	size_t k = item_at(from < to ? from : end), len = strlen(s->mail);
	bool kept = end == crash.at[k];	/* nothing is taken out */
	char *file = malloc(crash.len + len);
	struct item noted[BATCH];
	bool ok;

	memcpy(noted, crash.items, sizeof(noted));
	memcpy(file, crash.whole, end);
	memset(file + from, 0, to - from);
	memcpy(file + end, s->mail, len);
	scratch_write("box", file, end + len);
	ok = stands_in_front(k, s->mail + (kept ? 0 : s->ends), s->gzip);
	if (!ok)
		tap_note("zeros from %zu to %zu, cut at %zu of %zu", from, to,
			end, crash.len);
	/* Where they stand now is noted; it is to be tried again. */
	memcpy(crash.items, noted, sizeof(noted));
	free(file);
	return ok;
}

static void test_glued(const struct stranger *s, size_t n, size_t body)
{
	size_t end, to, bad = 0, step;

	run_batch(n, HEAD, body, s->gzip);
	step = (size_t)(crash.len - crash.at[0]) / 60 + 1;
	for (end = crash.at[0] + 1; end < crash.len && bad == 0; end += step)
		bad += !glue(s, 0, 0, end);
	tap_ok(bad == 0, "%s, %zu message%s of %zu bytes cut off anywhere",
		s->name, n, n == 1 ? "" : "s", body);
	step *= 7;
	for (end = crash.at[0] + 1; bad == 0; end += step) {
		if (end > crash.len)
			end = crash.len;
		for (to = crash.at[0] + 1; to <= end && bad == 0; to += step)
			bad += !glue(s, crash.at[0] + (to - crash.at[0]) / 3,
				to, end);
		if (end == crash.len)
			break;
	}
	tap_ok(bad == 0, "%s, and zeros anywhere", s->name);
	end_batch();
}

/* The mbox had no line end, and the power cut left `there` of the two that we
 * put in front, or zeros instead of them. */
static void test_glued_ends(size_t there, bool zeros, size_t of_ours)
{
	const size_t old = sizeof(mine) - 3, f = sizeof(foreign) - 1;
	char *file;
	size_t i, len = old + there + of_ours;

	run_batch(2, HEAD, 100, false);
	scratch_write("box", mine, old);
	for (i = 0; i < 2; i++)
		note_again(i, crash.at[i]);
	file = malloc(crash.len + f);
	memcpy(file, crash.whole, len);
	if (zeros)
		memset(file + old, 0, there);
	memcpy(file + len, foreign, f);
	scratch_write("box", file, len + f);
	tap_ok(stands_in_front(0, foreign, false), "%zu %s in front, %zu bytes of ours, and others' mail",
		there, zeros ? "zeros" : "line ends", of_ours);
	free(file);
	end_batch();
}

int main(void)
{
	size_t i;

	owner_make("mbox-settle");
	snprintf(box, sizeof(box), "%s", scratch_path("box"));
	test_torn(1, 100, 30, false);
	test_torn(3, HEAD, 100, false);
	test_torn(2, HEAD, 50000, false);
	test_torn(3, HEAD, 3000, true);
	test_zeros(1, 100, false);
	test_zeros(3, 20000, false);
	test_zeros(3, 20000, true);
	for (i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
		test_scene(&scenes[i]);
	test_status(HEAD, "a long header");
	test_status(100, "a short header");
	test_no_hint();
	test_void();
	test_files();
	test_moved_up(1);
	test_moved_up(BATCH);
	test_first_noted();
	test_two_appends();
	test_no_ends();
	for (i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
		test_glued(&strangers[i], 1, 100);
		test_glued(&strangers[i], 3, 9000);
	}
	test_glued_ends(1, false, 0);
	test_glued_ends(1, true, 0);
	test_glued_ends(2, true, 0);
	test_glued_ends(2, false, 100);
	test_glued_ends(2, true, 100);
	scratch_end();
	return tap_done();
}
