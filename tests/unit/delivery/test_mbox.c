/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <inttypes.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>
#include <zlib.h>

#include "delivery/mbox_place.h"
#include "tests/unit/delivery/dest_help.h"

/*
 * mbox: what is appended, what is noted before it, and that a failure leaves
 * the file as it was.
 */

static struct err err = ERR_INIT;
static char box[PATH_MAX];

static const char wire[] = "Subject: x\r\n\r\nFrom a\r\n>From b\r\nFrom\r\n";
static const char local[] = "Subject: x\n\n>From a\n>>From b\nFrom\n\n";
#define PLAIN_SIZE (sizeof(local) - 4)	/* no quoting, no blank line */

/* Is it a From_ line, the message and a blank line? Moves behind it. */
static bool one_message(const char **p)
{
	static const char from[] = "From MAILER-DAEMON@";
	const char *line = *p, *end = strchr(line, '\n');
	struct tm tm;

	if (end == NULL || strncmp(line, from, strlen(from)) != 0
	    || strspn(line + strlen(from), "0123456789abcdef") != 16
	    || strptime(line + strlen(from) + 16, " %a %b %e %T %Y", &tm)
		!= end
	    || strncmp(end + 1, local, strlen(local)) != 0)
		return false;
	*p = end + 1 + strlen(local);
	return true;
}

/* Does the file hold `before`, then n messages? */
static bool holds(const char *before, size_t n)
{
	size_t len = 0;
	char *file = scratch_read("box", &len);
	const char *p = file;
	bool ok = file != NULL && strncmp(file, before, strlen(before)) == 0;

	if (ok)
		p += strlen(before);
	while (ok && n-- > 0)
		ok = one_message(&p);
	ok = ok && p == file + len;
	free(file);
	return ok;
}

/* Stages n messages; the list is good until the next call. */
static struct item *const *stage_some(struct dest *dest, size_t n)
{
	static struct item items[MAX_ITEMS], *list[MAX_ITEMS];
	size_t i;

	for (i = 0; i < n; i++) {
		list[i] = &items[i];
		stage_message(dest, &items[i], wire, sizeof(wire) - 1);
	}
	return list;
}

/* A note of its place for each, then one flush with the file still as it was. */
static bool noted(struct item *const *list, size_t n, uint64_t at,
	size_t ends, uint64_t size)
{
	struct mbox_place place;
	char flush[40], *rest, *line = strtok_r(owner.log, "\n", &rest);
	size_t i;

	for (i = 0; i < n && line != NULL; i++) {
		if (!mbox_place_parse(line, &place) || !place.witnessed
		    || place.at != at || place.before.size != size
		    || place.start != (i == 0 ? at - ends : at))
			return false;
		at += list[i]->stored;
		line = strtok_r(NULL, "\n", &rest);
	}
	snprintf(flush, sizeof(flush), "flush at %" PRIu64, size);
	return line != NULL && strcmp(line, flush) == 0
		&& strtok_r(NULL, "\n", &rest) == NULL;
}

static void test_deliver(size_t n)
{
	struct dest *dest = need_dest("mbox", box, false);
	struct item *const *list = stage_some(dest, n);
	char path[PATH_MAX];
	bool ok = true;
	struct stat st;
	size_t i;

	for (i = 0; i < n; i++)
		ok = ok && list[i]->size == PLAIN_SIZE
			&& list[i]->stored > list[i]->size;
	tap_ok(ok && !scratch_exists("box"), "%zu staged, no mbox yet", n);
	tap_ok(stage_sync(&dest->stage, list, n, &err)
		&& dest->kind->commit(dest, list, n, &err)
		&& dest->kind->sync(dest, &err) && holds("", n),
		"appended");
	tap_ok(noted(list, n, 0, 0, 0), "noted before the first byte");
	tap_ok(scratch_exists("box.lock") && stat(box, &st) == 0
		&& (st.st_mode & 07777) == 0600
		&& scratch_count("stage", NULL) == 1,
		"the lock is held and the one staged file is kept");
	dest->kind->release(dest, list, n);
	snprintf(path, sizeof(path), "stage/%s", list[0]->name);
	for (i = 0; i < n; i++)
		ok = ok && list[i]->state == ITEM_DELIVERED
			&& list[i]->fd == -1;
	tap_ok(ok && !scratch_exists("box.lock")
		&& scratch_holds(path, "", 0), "until release");
	list = stage_some(dest, 2);
	tap_ok(dest->kind->commit(dest, list, 2, &err) && holds("", n + 2)
		&& strrchr(path, '/') != NULL
		&& strcmp(strrchr(path, '/') + 1, list[1]->name) == 0,
		"the next batch is staged in the same file");
	dest->kind->release(dest, list, 2);
	dest_close(dest);
	tap_ok(scratch_count("stage", NULL) == 0, "which goes at the end");
	unlink(box);
	owner_forget();
}

static const struct ending {
	const char *name, *before, *after;
} endings[] = {
	{ "an empty file", "", "" },
	{ "a blank line", "From x\n\nx\n\n", "From x\n\nx\n\n" },
	{ "no blank line", "From x\n\nx\n", "From x\n\nx\n\n" },
	{ "no line end", "From x\n\nx", "From x\n\nx\n\n" },
	{ "one LF", "\n", "\n" },
	{ "one byte", "x", "x\n\n" },
	{ "CRLF", "From x\r\n\r\nx\r\n", "From x\r\n\r\nx\r\n\n" },
};

static void test_ending(const struct ending *e)
{
	struct dest *dest = need_dest("mbox", box, false);
	struct item *const *list = stage_some(dest, 2);
	struct timespec old[2] = { { 1000000000, 0 }, { 1000000001, 0 } };
	struct stat st;

	scratch_write("box", e->before, strlen(e->before));
	utimensat(AT_FDCWD, box, old, 0);
	tap_ok(dest->kind->commit(dest, list, 2, &err) && stat(box, &st) == 0
		&& st.st_atim.tv_sec < st.st_mtim.tv_sec,
		"behind %s: looks unread", e->name);
	tap_ok(holds(e->after, 2)
		&& noted(list, 2, strlen(e->after), strlen(e->after)
			- strlen(e->before), strlen(e->before)),
		"and follows a blank line");
	dest->kind->release(dest, list, 2);
	dest_close(dest);
	unlink(box);
	owner_forget();
}

static void test_gzip(void)
{
	struct dest *dest = need_dest("mbox", box, true);
	struct item *const *list = stage_some(dest, 2);
	char text[1024];
	gzFile file;
	int n;

	tap_ok(dest->kind->commit(dest, list, 2, &err), "two, compressed");
	dest->kind->release(dest, list, 2);
	list = stage_some(dest, 1);
	tap_ok(dest->kind->commit(dest, list, 1, &err)
		&& list[0]->size == PLAIN_SIZE, "and one more");
	dest->kind->release(dest, list, 1);
	dest_close(dest);
	file = gzopen(box, "r");
	n = file == NULL ? -1 : gzread(file, text, sizeof(text));
	if (n >= 0 && gzdirect(file) == 0) {
		gzclose(file);
		scratch_write("box", text, (size_t)n);
	}
	tap_ok(holds("", 3), "members one after another are one mbox");
	unlink(box);
	owner_forget();
}

/* A commit that fails: the file as before, the messages still staged, and
 * the next try goes through. */
static void fail(const char *name, unsigned int hint, unsigned int flush,
	rlim_t limit)
{
	static const char before[] = "From x\n\nx";
	struct dest *dest = need_dest("mbox", box, false);
	struct item *const *list = stage_some(dest, 3);
	struct rlimit old, small;
	char staged[PATH_MAX];
	size_t i;

	snprintf(staged, sizeof(staged), "stage/%s", list[0]->name);
	scratch_write("box", before, strlen(before));
	owner.fail_hint = hint;
	owner.fail_sync = flush;
	scratch_need(getrlimit(RLIMIT_FSIZE, &old) == 0, "no limits");
	small = old;
	small.rlim_cur = limit != 0 ? limit : old.rlim_cur;
	setrlimit(RLIMIT_FSIZE, &small);
	tap_ok(!dest->kind->commit(dest, list, 3, &err)
		&& err.class == ERR_RETRY
		&& scratch_holds("box", before, strlen(before)),
		"%s: the mbox is as before", name);
	setrlimit(RLIMIT_FSIZE, &old);
	dest_close(dest);
	tap_ok(scratch_count("stage", NULL) == 1 && !scratch_exists("box.lock")
		&& list[0]->state == ITEM_STAGED
		&& list[2]->state == ITEM_STAGED, "all is still staged");
	owner_forget();
	for (i = 0; i < 3; i++)
		recover_item(list[i]);
	dest = need_dest("mbox", box, false);
	tap_ok(settle_dest(dest, list, 3, &err)
		&& holds("From x\n\nx\n\n", 3), "the next pass delivers");
	dest->kind->release(dest, list, 3);
	dest_close(dest);
	tap_ok(scratch_count("stage", NULL) == 1,
		"the file of an earlier pass is left to the sweep");
	unlink(scratch_path(staged));
	unlink(box);
	owner_forget();
}

/* What must not be appended to. */
static void refuse(const char *name)
{
	struct dest *dest = need_dest("mbox", box, false);
	struct item *const *list = stage_some(dest, 1);

	tap_ok(!dest->kind->commit(dest, list, 1, &err)
		&& err.class == ERR_CONFIG && owner.hints == 0, "%s is "
		"refused", name);
	dest_close(dest);
	tap_ok(!scratch_exists("box.lock"), "and no lock is left");
	unlink(box);
	owner_forget();
}

static void test_refused(void)
{
	scratch_write("target", "", 0);
	scratch_need(symlink(scratch_path("target"), box) == 0, "no link");
	refuse("a symbolic link");
	scratch_need(link(scratch_path("target"), box) == 0, "no link");
	refuse("a file with two names");
	scratch_need(mkfifo(box, 0600) == 0, "no fifo");
	refuse("a fifo");
	tap_ok(scratch_holds("target", "", 0), "nothing was written");
}

int main(void)
{
	size_t i;

	signal(SIGXFSZ, SIG_IGN);
	owner_make("mbox");
	snprintf(box, sizeof(box), "%s", scratch_path("box"));
	owner.watch = box;
	test_deliver(1);
	test_deliver(20);
	for (i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		test_ending(&endings[i]);
	test_gzip();
	fail("the first note fails", 1, 0, 0);
	fail("the last note fails", 3, 0, 0);
	fail("the flush of the notes fails", 0, 1, 0);
	fail("the disk is full at the separator", 0, 0, 9);
	fail("the disk is full in the first message", 0, 0, 40);
	fail("the disk is full in the last message", 0, 0, 200);
	test_refused();
	scratch_end();
	return tap_done();
}
