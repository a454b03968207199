/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <inttypes.h>

#include "agent/base/clock.h"
#include "tests/unit/state/ledger/help.h"

/* Writing the ledger anew: nothing that may still matter is forgotten. */

static struct err err = ERR_INIT;

static struct ledger *again(struct ledger *l, const char *dir)
{
	ledger_close(l);
	return need_ledger(dir);
}

static off_t size_of(const char *name)
{
	struct stat st;

	return stat(scratch_path(name), &st) == 0 ? st.st_size : -1;
}

/* One entry of each state, in this order; void ones may go. */
static const enum ledger_state states[] = { LEDGER_DELIVERED, LEDGER_VOID,
	LEDGER_DELETING, LEDGER_GONE, LEDGER_INTENT, LEDGER_FAILED,
	LEDGER_BASELINE, LEDGER_INTENT };
#define STATES (sizeof(states) / sizeof(states[0]))

static bool put_state(struct ledger *l, enum ledger_state state, size_t i)
{
	struct identity id = identity_of("content", i % 2 != 0 ? NULL : "h");
	struct ledger_what what = { .uid = "a b", .uid_len = 3, .listed = i,
		.identity = id };
	struct ledger_entry *e;

	if (state == LEDGER_FAILED)
		return ledger_failed(l, NULL, &what, "reason", &err);
	if (state == LEDGER_BASELINE)
		return ledger_baseline(l, &what, &err);
	e = put_intent(l, "a b", 3, i, &id);
	if (state == LEDGER_VOID)
		return ledger_void(l, e, &err);
	if (state == LEDGER_INTENT)
		return ledger_hint(l, e, "start 3", &err)
			&& ledger_deferred(l, e, "refused", &err)
			&& ledger_deferred(l, e, "refused again", &err);
	return ledger_delivered(l, e, &err) && (state == LEDGER_DELIVERED
		|| (state == LEDGER_DELETING && ledger_deleting(l, e, &err))
		|| (state == LEDGER_GONE && ledger_gone(l, e, &err)));
}

static bool same_pending(const struct ledger_pending *a,
	const struct ledger_pending *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->dest, b->dest) == 0
		&& strcmp(a->hint, b->hint) == 0 && a->size == b->size
		&& a->stored == b->stored && a->place == b->place
		&& a->at == b->at && a->tries == b->tries
		&& a->next_try == b->next_try
		&& strcmp(a->reason, b->reason) == 0;
}

static bool same_entry(const struct ledger_entry *a,
	const struct ledger_entry *b)
{
	struct identity ia = ledger_identity(a), ib = ledger_identity(b);

	return a->id == b->id && a->state == b->state && a->time == b->time
		&& a->uid_len == b->uid_len
		&& memcmp(a->uid, b->uid, a->uid_len) == 0
		&& a->listed == b->listed && (a->state == LEDGER_FAILED
			|| (identity_same(&ia, &ib)
				&& ia.has_header == ib.has_header))
		&& same_pending(ledger_pending(a), ledger_pending(b));
}

/* Held against a copy of the file from before. */
static void test_keeps(void)
{
	struct ledger *l = need_ledger("keeps"), *old;
	size_t i, k = 0, len, was;
	char *file;
	bool ok = true;

	for (i = 0; i < STATES; i++)
		ok = ok && put_state(l, states[i], i);
	tap_ok(ok && ledger_flush(l, &err), "an entry of each state");
	was = (size_t)size_of("keeps/ledger");
	file = scratch_read("keeps/ledger", &len);
	close(scratch_subdir("old"));
	scratch_write("old/ledger", file, len);
	free(file);
	l = again(l, "keeps");
	tap_ok(ledger_compact(l, &err), "is written anew");
	tap_ok((size_t)size_of("keeps/ledger") < was
		&& scratch_count("keeps", NULL) == 1, "and is smaller");
	l = again(l, "keeps");
	old = need_ledger("old");
	for (i = 0; i < STATES; i++) {
		const struct ledger_entry *e = ledger_at(old, i);

		if (e->state == LEDGER_VOID)
			continue;
		tap_ok(k < ledger_count(l) && same_entry(ledger_at(l, k++), e),
			"entry %zu of state %d is kept", i, (int)e->state);
	}
	tap_ok(k == ledger_count(l) && strcmp(ledger_epoch(l),
		ledger_epoch(old)) == 0, "there is nothing else");
	ledger_close(old);
	ledger_close(l);
}

/* What was only in memory is in the new file, once. */
static void test_pending(void)
{
	struct identity id = identity_of("c", NULL);
	struct ledger *l = need_ledger("pending");
	size_t len = 0;
	char *file;

	put_delivered(l, "u", 1, 7, &id);
	tap_ok(ledger_compact(l, &err), "written anew with records not yet "
		"flushed");
	put_delivered(l, "v", 1, 8, &id);
	ledger_close(l);
	file = scratch_read("pending/ledger", &len);
	tap_ok(len > 16 && memcmp(file + 8, " ledger ", 8) == 0,
		"the file begins with its first line");
	free(file);
	l = try_ledger("pending", &err);
	tap_ok(l != NULL && ledger_count(l) == 2, "and is loaded");
	if (l == NULL)
		tap_note("%s", err.text);
	ledger_close(l);
}

/* Much history: closing writes it anew, again with records in memory. */
static void test_history(void)
{
	struct identity id = identity_of("c", NULL);
	struct ledger *l = need_ledger("history");
	struct ledger_entry *e = put_intent(l, "u", 1, 7, &id);
	bool ok = true;
	int i;

	for (i = 0; i < 2000; i++)
		ok = ok && ledger_hint(l, e, "at 1", &err);
	tap_ok(ok && ledger_delivered(l, e, &err), "2,000 notes");
	ledger_close(l);
	tap_ok(size_of("history/ledger") < 4096, "closing drops them");
	l = try_ledger("history", &err);
	tap_ok(l != NULL && ledger_count(l) == 1
		&& ledger_at(l, 0)->state == LEDGER_DELIVERED,
		"and keeps the message");
	if (l == NULL)
		tap_note("%s", err.text);
	ledger_close(l);
}

/* What is marked as seen is in the file alone: it must not be written anew. */
static void test_partial(void)
{
	struct ledger_what what = { .uid = "new", .uid_len = 3, .listed = 4,
		.identity = identity_none() };
	struct identity id = identity_of("c", NULL);
	struct ledger *l = need_ledger("partial");
	struct ledger_entry *e = put_intent(l, "u", 1, 7, &id);
	bool ok = true;
	int i;

	for (i = 0; i < 2000; i++)
		ok = ok && ledger_hint(l, e, "at 1", &err);
	tap_ok(ok && ledger_baseline(l, &what, &err)
		&& ledger_baseline(l, &what, &err)
		&& ledger_delivered(l, e, &err) && ledger_compact(l, &err)
		&& ledger_count(l) == 1, "two marked, 2,000 notes");
	e = put_delivered(l, "v", 1, 8, &id);
	tap_ok(e->id == 4, "ids are taken");
	l = again(l, "partial");
	tap_ok(size_of("partial/ledger") > 4096 && ledger_count(l) == 4
		&& ledger_find(l, "new", 3, NULL) == ledger_at(l, 2)
		&& ledger_at(l, 2)->state == LEDGER_BASELINE,
		"all is there when it is loaded");
	l = again(l, "partial");
	tap_ok(size_of("partial/ledger") < 4096 && ledger_count(l) == 4,
		"and is kept when that drops the notes");
	ledger_close(l);
}

/* A program is told the id so that it can tell a second delivery from a
 * first: an id never comes again. */
static void test_ids(void)
{
	struct identity id = identity_of("c", NULL);
	struct ledger *l = need_ledger("ids");
	uint64_t last;
	struct ledger_entry *e;

	put_delivered(l, "u", 1, 7, &id);
	e = put_intent(l, "v", 1, 8, &id);
	last = e->id;
	tap_ok(ledger_void(l, e, &err) && ledger_flush(l, &err)
		&& ledger_compact(l, &err), "the last entry is forgotten");
	l = again(l, "ids");
	tap_ok(ledger_next_id(l) > last, "its id is not given out again");
	ledger_close(l);
}

/* Damaged before, damaged after: a new file that cannot be made. */
static void test_no_room(void)
{
	struct identity id = identity_of("c", NULL);
	struct ledger *l = need_ledger("room");

	put_delivered(l, "u", 1, 7, &id);
	need_sync(l);
	close(scratch_subdir("room/ledger.new"));
	tap_ok(!ledger_compact(l, &err) && err.class == ERR_RETRY,
		"no new file, no compaction");
	ledger_close(l);
	l = need_ledger("room");
	tap_ok(ledger_count(l) == 1, "the old one is whole");
	ledger_close(l);
}

static void test_many(size_t n)
{
	struct identity id = identity_of("c", "h");
	struct ledger *l = need_ledger("many");
	struct err no = ERR_INIT;
	clock_ms start = clock_now();
	char uid[64];
	bool ok = true;
	size_t i;
	int len;

	for (i = 0; i < n; i++) {
		len = snprintf(uid, sizeof(uid), "%016zx%016zx", i,
			i * 2654435761u);
		put_delivered(l, uid, (size_t)len, i, &id);
	}
	ledger_close(l);
	tap_note("%zu entries written in %" PRId64 " ms, %lld bytes", n,
		clock_now() - start, (long long)size_of("many/ledger"));
	start = clock_now();
	l = try_ledger("many", &no);
	tap_note("loaded in %" PRId64 " ms", clock_now() - start);
	tap_ok(l != NULL && ledger_count(l) == n, "%zu entries", n);
	start = clock_now();
	for (i = 0; l != NULL && i < n; i++) {
		len = snprintf(uid, sizeof(uid), "%016zx%016zx", i,
			i * 2654435761u);
		ok = ok && ledger_find(l, uid, (size_t)len, NULL)
			== ledger_at(l, i);
	}
	tap_note("all found in %" PRId64 " ms", clock_now() - start);
	tap_ok(ok, "each is found");
	ledger_close(l);
}

/* What is older than a jump of the clock, or yet to come, is of its time; and
 * it is remembered. */
static void test_clock(void)
{
	struct identity id = identity_of("c", "h");
	struct ledger *l = need_ledger("clock");
	struct ledger_entry *e = put_delivered(l, "u", 1, 5, &id);
	int64_t now = e->time;

	tap_ok(ledger_clock(l) == 0 && ledger_since(l, e, now) == now
		&& ledger_noted(l) >= now, "a clock that never jumped");
	scratch_need(ledger_note_clock(l, now + 5000, &err)
		&& ledger_compact(l, &err), "cannot write");
	ledger_close(l);
	l = need_ledger("clock");
	e = ledger_at(l, 0);
	tap_ok(ledger_clock(l) == now + 5000
		&& ledger_since(l, e, now + 9000) == now + 5000,
		"what was before counts from the jump");
	scratch_need(ledger_note_clock(l, now - 5000, &err), "cannot write");
	tap_ok(ledger_since(l, e, now - 4000) == now - 5000
		&& ledger_since(l, e, now + 1) == now
		&& ledger_noted(l) == now - 5000,
		"what is yet to come counts from the jump back");
	ledger_close(l);
}

int main(void)
{
	scratch_make("ledger-compact");
	test_keeps();
	test_pending();
	test_history();
	test_partial();
	test_ids();
	test_no_room();
	test_many(100000);
	test_clock();
	scratch_end();
	return tap_done();
}
