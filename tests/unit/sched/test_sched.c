/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/sched/help.h"

#include <stddef.h>

#include "agent/base/limits.h"

/*
 * One account: every event in every state, and when it is polled next.
 */

#define INTERVAL (5 * MINUTE)

static bool held;

/* ---- the table ---- */

#define FIRST (1 * SECOND)
#define NOW (5 * SECOND)

static const char *const event_names[] = {
	[SCHED_DUE] = "due", [SCHED_STARTED] = "started", [SCHED_OK] = "ok",
	[SCHED_MISSED] = "missed", [SCHED_FAILED] = "failed",
	[SCHED_DELAYED] = "delayed", [SCHED_REFUSED] = "refused",
	[SCHED_STUCK] = "stuck", [SCHED_UNCHANGED] = "unchanged",
	[SCHED_POLL] = "poll", [SCHED_PAUSE] = "pause",
	[SCHED_RESUME] = "resume", [SCHED_CHANGED] = "changed",
};

/* What a cell does; one that is not here does nothing. */
static const struct cell {
	enum sched_state state;
	enum sched_event event;
	enum sched_state then;
	clock_ms due;
} cells[] = {
	{ SCHED_WAITING, SCHED_DUE, SCHED_READY, NEVER },
	{ SCHED_WAITING, SCHED_POLL, SCHED_READY, NEVER },
	{ SCHED_WAITING, SCHED_PAUSE, SCHED_PAUSED, NEVER },
	{ SCHED_READY, SCHED_STARTED, SCHED_RUNNING, NEVER },
	{ SCHED_READY, SCHED_POLL, SCHED_READY, NEVER },
	{ SCHED_READY, SCHED_PAUSE, SCHED_PAUSED, NEVER },
	{ SCHED_READY, SCHED_CHANGED, SCHED_READY, NEVER },
	{ SCHED_RUNNING, SCHED_OK, SCHED_WAITING, FIRST + INTERVAL },
	{ SCHED_RUNNING, SCHED_MISSED, SCHED_WAITING, FIRST + INTERVAL },
	{ SCHED_RUNNING, SCHED_FAILED, SCHED_WAITING, NOW + INTERVAL },
	{ SCHED_RUNNING, SCHED_DELAYED, SCHED_WAITING, NOW + 2 * INTERVAL },
	{ SCHED_RUNNING, SCHED_REFUSED, SCHED_HELD, NOW + INTERVAL },
	{ SCHED_RUNNING, SCHED_STUCK, SCHED_HELD, NOW + INTERVAL },
	/* It was not held, so nothing is left to wait for. */
	{ SCHED_RUNNING, SCHED_UNCHANGED, SCHED_HELD, 0 },
	{ SCHED_RUNNING, SCHED_POLL, SCHED_RUNNING, NEVER },
	{ SCHED_RUNNING, SCHED_PAUSE, SCHED_RUNNING, NEVER },
	{ SCHED_RUNNING, SCHED_CHANGED, SCHED_RUNNING, NEVER },
	{ SCHED_HELD, SCHED_DUE, SCHED_READY, NEVER },
	{ SCHED_HELD, SCHED_POLL, SCHED_READY, NEVER },
	{ SCHED_HELD, SCHED_PAUSE, SCHED_PAUSED, NEVER },
	{ SCHED_HELD, SCHED_CHANGED, SCHED_READY, NEVER },
	{ SCHED_PAUSED, SCHED_POLL, SCHED_READY, NEVER },
	{ SCHED_PAUSED, SCHED_RESUME, SCHED_READY, NEVER },
};

static const struct cell *find_cell(enum sched_state state,
	enum sched_event event)
{
	size_t i;

	for (i = 0; i < sizeof(cells) / sizeof(cells[0]); i++)
		if (cells[i].state == state && cells[i].event == event)
			return &cells[i];
	return NULL;
}

static struct sched *in_state(enum sched_state state)
{
	struct sched *s = help_new(1, 1);

	help_add(s, "h", INTERVAL, 0, FIRST);
	if (state == SCHED_PAUSED)
		sched_event(s, 0, SCHED_PAUSE, 0);
	if (state == SCHED_READY)
		sched_advance(s, FIRST);
	if (state == SCHED_RUNNING || state == SCHED_HELD)
		help_start(s, FIRST, &held);
	if (state == SCHED_HELD)
		sched_event(s, 0, SCHED_STUCK, FIRST);
	return s;
}

/* Two that look alike also live alike for some passes. */
static bool same(struct sched *a, struct sched *b)
{
	bool held_a, held_b, ok = sched_is_paused(a, 0) == sched_is_paused(b, 0);
	clock_ms now;

	for (now = NOW; ok && now < 2 * HOUR; now += INTERVAL / 2) {
		held_a = held_b = false;
		ok = sched_state(a, 0) == sched_state(b, 0)
			&& sched_due(a, 0) == sched_due(b, 0)
			&& sched_next(a) == sched_next(b)
			&& sched_idle(a) == sched_idle(b)
			&& help_start(a, now, &held_a)
				== help_start(b, now, &held_b)
			&& held_a == held_b;
		sched_event(a, 0, SCHED_OK, now);
		sched_event(b, 0, SCHED_OK, now);
	}
	return ok;
}

static void try_cell(enum sched_state state, enum sched_event event)
{
	const struct cell *cell = find_cell(state, event);
	struct sched *s = in_state(state), *twin = in_state(state);
	bool ok = sched_state(s, 0) == state;

	sched_event(s, 0, event, NOW);
	if (cell == NULL)
		ok = ok && same(s, twin);
	else
		ok = ok && sched_state(s, 0) == cell->then
			&& sched_due(s, 0) == cell->due
			&& sched_next(s) <= cell->due;
	tap_ok(ok, "%s, %s: %s", sched_state_name(state), event_names[event],
		cell == NULL ? "nothing" : sched_state_name(cell->then));
	sched_free(s);
	sched_free(twin);
}

static void test_table(void)
{
	unsigned int state, event;

	for (state = 0; state < SCHED_STATES; state++)
		for (event = 0; event < SCHED_EVENTS; event++)
			try_cell((enum sched_state)state,
				(enum sched_event)event);
}

/* ---- when ---- */

static struct sched *one(clock_ms interval, clock_ms jitter)
{
	struct sched *s = help_new(1, 1);

	help_add(s, "h", interval, jitter, 0);
	return s;
}

static void test_interval(void)
{
	struct sched *s = one(INTERVAL, 0);
	uint64_t random = 1;
	bool ok = true;
	clock_ms now, i;

	for (i = 0; i < 1000; i++)
		ok = ok && help_pass(s, (clock_ms)help_below(&random,
			INTERVAL + 1), SCHED_OK) == i * INTERVAL;
	tap_ok(ok, "a fixed rate, however long the passes");
	now = help_pass(s, 2 * INTERVAL, SCHED_OK);
	tap_ok(sched_due(s, 0) == now + 3 * INTERVAL,
		"one that takes longer misses rounds, and keeps its place");
	sched_event(s, 0, SCHED_POLL, now + 2 * INTERVAL + 7);
	help_start(s, now + 2 * INTERVAL + 7, &held);
	sched_event(s, 0, SCHED_OK, now + 2 * INTERVAL + 8);
	tap_ok(sched_due(s, 0) == now + 3 * INTERVAL,
		"a poll that was asked for does not shift the round");
	sched_event(s, 0, SCHED_POLL, now + 3 * INTERVAL - 7);
	help_start(s, now + 3 * INTERVAL - 7, &held);
	sched_event(s, 0, SCHED_OK, now + 3 * INTERVAL + 7);
	tap_ok(sched_due(s, 0) == now + 4 * INTERVAL,
		"and when its pass reaches into the next turn, it takes its place");
	sched_free(s);
}

/* Two that were polled at one moment part again. */
static void test_apart(void)
{
	static const enum sched_event asked[] = { SCHED_POLL, SCHED_RESUME };
	struct sched *s;
	uint32_t id;
	size_t i;

	for (i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		s = help_new(2, 2);
		help_add(s, "h", INTERVAL, 0, 0);
		help_add(s, "h", INTERVAL, 0, 2 * MINUTE);
		for (id = 0; id < 2; id++) {
			if (asked[i] == SCHED_RESUME)
				sched_event(s, id, SCHED_PAUSE, 0);
			sched_event(s, id, asked[i], HOUR + MINUTE);
		}
		while (sched_take(s, &id, &held))
			sched_event(s, id, SCHED_OK, HOUR + MINUTE + SECOND);
		tap_ok(sched_due(s, 0) == HOUR + INTERVAL
			&& sched_due(s, 1) == HOUR + 2 * MINUTE,
			"%s: each keeps its place in the round", event_names[asked[i]]);
		sched_free(s);
	}
}

static void test_jitter(void)
{
	struct sched *s = one(INTERVAL, 100 * SECOND);
	clock_ms i, off, least = DAY, most = 0;
	bool ok = true;

	help_pass(s, 0, SCHED_OK);
	for (i = 1; i < 2000; i++) {
		off = help_pass(s, SECOND, SCHED_OK) - i * INTERVAL;
		ok = ok && off >= 0 && off <= 100 * SECOND;
		least = clock_min(least, off);
		most = off > most ? off : most;
	}
	tap_ok(ok, "never earlier than the interval nor later than the jitter");
	tap_ok(least < SECOND && most > 99 * SECOND,
		"and anywhere in between: from %d ms to %d ms", (int)least,
		(int)most);
	sched_free(s);
}

/* A look counts its own jitter, not that of the pass before. */
static void test_jitter_held(void)
{
	struct sched *s = one(INTERVAL, 100 * SECOND);
	bool ok = true;
	clock_ms now;
	int i;

	for (i = 0; i < 100; i++) {
		help_pass(s, 0, SCHED_STUCK);
		now = help_pass(s, 0, SCHED_OK);
		ok = ok && sched_due(s, 0) >= now + INTERVAL;
	}
	tap_ok(ok, "a whole interval after an account that was held");
	sched_free(s);
}

static void try_back_off(clock_ms interval, clock_ms most)
{
	struct sched *s = one(interval, 0);
	clock_ms want = interval, now = 0;
	bool ok = true;
	int i;

	for (i = 0; i < 100; i++) {
		ok = ok && help_pass(s, 3 * SECOND, SCHED_FAILED) == now;
		now += 3 * SECOND + want;
		ok = ok && sched_due(s, 0) == now;
		want = clock_min(2 * want, most);
	}
	help_pass(s, 0, SCHED_OK);
	ok = ok && sched_due(s, 0) == now + interval;
	help_pass(s, 0, SCHED_FAILED);
	ok = ok && sched_due(s, 0) == now + 2 * interval;
	tap_ok(ok, "every %d s: each failure doubles it up to %d s, success ends that",
		(int)(interval / 1000), (int)(most / 1000));
	sched_free(s);
}

static void test_back_off(void)
{
	try_back_off(SECOND, 64 * SECOND);
	try_back_off(MINUTE, HOUR);
	try_back_off(INTERVAL, HOUR);
	try_back_off(HOUR, HOUR);
	try_back_off(30 * DAY, 30 * DAY);
}

static void test_past(void)
{
	struct sched *s = help_new(1, 1);
	const struct sched_past past = { true, 3 };

	sched_add(s, &(struct sched_plan){ "h", 60, 0 }, &past, 0);
	help_pass(s, 0, SCHED_FAILED);
	tap_ok(sched_due(s, 0) == 8 * MINUTE,
		"failures of an earlier life count");
	sched_free(s);
}

static void test_delay(void)
{
	struct sched *s = one(INTERVAL, 4 * MINUTE);
	clock_ms now, last = 0;
	bool ok = true;
	int i;

	for (i = 0; i < 1000; i++) {
		now = help_pass(s, 2 * SECOND, SCHED_OK);
		ok = ok && (i < 2 || now - last >= 7 * MINUTE);
		sched_delay(s, 0, 7 * 60);
		last = now + 2 * SECOND;
	}
	tap_ok(ok, "LOGIN-DELAY is kept to, whatever the jitter");
	now = help_pass(s, 0, SCHED_DELAYED);
	tap_ok(sched_due(s, 0) >= now + 7 * MINUTE
		&& sched_due(s, 0) <= now + 11 * MINUTE,
		"a server that has named its delay is believed");
	sched_delay(s, 0, UINT32_MAX);
	now = help_pass(s, 0, SCHED_OK);
	tap_ok(sched_due(s, 0) <= now + LIMIT_LOGIN_DELAY * SECOND + 4 * MINUTE,
		"but for no more than a day");
	sched_delay(s, 0, 0);
	now = help_pass(s, 0, SCHED_OK);
	tap_ok(sched_due(s, 0) <= now + INTERVAL + 4 * MINUTE,
		"and until it no longer wants it");
	sched_free(s);
}

/* A server that says "too soon" but not how soon is too soon. */
static void test_delay_unknown(void)
{
	struct sched *s = one(MINUTE, 0);
	clock_ms want = 2 * MINUTE, now;
	bool ok = true;
	int i;

	for (i = 0; i < 20; i++) {
		now = help_pass(s, 0, SCHED_DELAYED);
		ok = ok && sched_due(s, 0) == now + want;
		want = clock_min(2 * want, HOUR);
	}
	now = help_pass(s, 0, SCHED_OK);
	ok = ok && sched_due(s, 0) == now + MINUTE;
	tap_ok(ok, "a delay that is not known is searched for by doubling");
	sched_free(s);
}

static void test_only_when_asked(void)
{
	struct sched *s = help_new(1, 1);
	unsigned int event;
	bool ok = true;

	help_add(s, "h", 0, 0, 0);
	for (event = SCHED_OK; event < SCHED_POLL; event++) {
		ok = ok && sched_next(s) == NEVER && sched_idle(s)
			&& !help_start(s, DAY, &held);
		sched_event(s, 0, SCHED_POLL, DAY);
		ok = ok && !sched_idle(s) && help_start(s, DAY, &held) && !held
			&& !sched_idle(s);
		sched_event(s, 0, (enum sched_event)event, DAY + 5);
		sched_advance(s, DAY + 5);
	}
	tap_ok(ok, "without an interval only when asked, however it ends");
	sched_free(s);
}

/* ---- refused and held ---- */

static void test_refused(void)
{
	struct sched *s = one(INTERVAL, 0);
	int i, round, forgiven = 0;
	bool ok = true;

	help_pass(s, 0, SCHED_MISSED);
	help_pass(s, 0, SCHED_REFUSED);
	tap_ok(sched_state(s, 0) == SCHED_HELD,
		"a login that never worked is not tried again");
	sched_event(s, 0, SCHED_CHANGED, DAY);
	for (round = 0; round < 2; round++) {
		sched_event(s, 0, SCHED_POLL, DAY);
		help_start(s, DAY, &held);
		sched_event(s, 0, SCHED_OK, DAY);
		for (i = 0; i < 3; i++) {
			help_pass(s, 0, SCHED_REFUSED);
			forgiven += sched_state(s, 0) == SCHED_WAITING;
			help_pass(s, 0, SCHED_FAILED);
			help_pass(s, 0, SCHED_MISSED);
		}
		help_pass(s, 0, SCHED_REFUSED);
		ok = ok && sched_state(s, 0) == SCHED_HELD;
	}
	tap_ok(ok && forgiven == 6, "one that worked is forgiven three times");
	help_pass(s, 0, SCHED_OK);
	help_pass(s, 0, SCHED_STUCK);
	tap_ok(sched_state(s, 0) == SCHED_HELD, "certainty is not forgiven");
	sched_free(s);
}

static void test_held(void)
{
	struct sched *s = one(7 * MINUTE, 0);
	bool ok = true;
	int i;

	help_pass(s, 0, SCHED_STUCK);
	for (i = 1; i <= 8; i++) {
		ok = ok && help_start(s, i * 7 * MINUTE, &held) && held;
		sched_event(s, 0, SCHED_UNCHANGED, i * 7 * MINUTE);
		ok = ok && sched_state(s, 0) == SCHED_HELD
			&& sched_next_poll(s, 0) == HOUR;
	}
	tap_ok(ok, "a held account is looked at after each interval");
	tap_ok(!help_start(s, HOUR - 1, &held) && help_start(s, HOUR, &held)
		&& !held, "and tried after an hour");
	sched_event(s, 0, SCHED_STUCK, HOUR + SECOND);
	tap_ok(help_start(s, HOUR + SECOND + 7 * MINUTE, &held) && held,
		"and once an hour after that");
	sched_event(s, 0, SCHED_OK, HOUR + 8 * MINUTE);
	tap_ok(sched_state(s, 0) == SCHED_WAITING
		&& sched_due(s, 0) == HOUR + SECOND + 14 * MINUTE,
		"one that a look has set free goes on as before");
	sched_free(s);
	s = one(2 * HOUR, 0);
	help_pass(s, 0, SCHED_STUCK);
	tap_ok(sched_due(s, 0) == HOUR && help_start(s, HOUR, &held) && !held,
		"within the hour also when the interval is longer");
	sched_free(s);
}

/* However long its look has waited for a slot, what frees it frees it. */
static void try_freed(enum sched_event event, bool looking)
{
	struct sched *s = one(INTERVAL, 0);
	bool ok;

	help_pass(s, 0, SCHED_STUCK);
	if (looking)
		sched_advance(s, INTERVAL);
	sched_event(s, 0, event, INTERVAL + 1);
	ok = help_start(s, INTERVAL + 1, &held) && !held;
	tap_ok(ok, "held%s, %s: tried at once", looking ? " and about to look"
		: "", event_names[event]);
	sched_free(s);
}

static void test_freed(void)
{
	struct sched *s;

	try_freed(SCHED_POLL, false);
	try_freed(SCHED_POLL, true);
	try_freed(SCHED_CHANGED, false);
	try_freed(SCHED_CHANGED, true);
	s = one(MINUTE, 0);
	help_pass(s, 0, SCHED_FAILED);
	help_pass(s, 0, SCHED_FAILED);
	sched_event(s, 0, SCHED_CHANGED, 62 * SECOND);
	tap_ok(help_start(s, 62 * SECOND, &held),
		"one that backs off is tried at once when it has changed");
	sched_event(s, 0, SCHED_OK, 63 * SECOND);
	sched_event(s, 0, SCHED_CHANGED, 64 * SECOND);
	tap_ok(!help_start(s, 64 * SECOND, &held), "a sound one has time");
	sched_free(s);
}

/* ---- asked for while it runs ---- */

static void test_while_running(void)
{
	static const struct {
		enum sched_event asked[3], end;
		enum sched_state then;
		bool paused;
	} rows[] = {
		{ { SCHED_POLL }, SCHED_OK, SCHED_READY, false },
		{ { SCHED_POLL }, SCHED_FAILED, SCHED_READY, false },
		{ { SCHED_POLL }, SCHED_STUCK, SCHED_READY, false },
		{ { SCHED_CHANGED }, SCHED_STUCK, SCHED_READY, false },
		{ { SCHED_PAUSE }, SCHED_OK, SCHED_PAUSED, true },
		{ { SCHED_PAUSE }, SCHED_STUCK, SCHED_PAUSED, true },
		{ { SCHED_PAUSE, SCHED_RESUME }, SCHED_OK, SCHED_WAITING, false },
		{ { SCHED_PAUSE, SCHED_RESUME }, SCHED_STUCK, SCHED_HELD, false },
		{ { SCHED_PAUSE, SCHED_POLL }, SCHED_OK, SCHED_READY, true },
		{ { SCHED_POLL, SCHED_PAUSE }, SCHED_OK, SCHED_PAUSED, true },
		{ { SCHED_POLL, SCHED_PAUSE, SCHED_RESUME }, SCHED_OK,
			SCHED_WAITING, false },
	};
	struct sched *s;
	size_t i, n;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		s = in_state(SCHED_RUNNING);
		for (n = 0; n < 3 && rows[i].asked[n] != SCHED_DUE; n++)
			sched_event(s, 0, rows[i].asked[n], NOW);
		sched_event(s, 0, rows[i].end, NOW + 1);
		tap_ok(sched_state(s, 0) == rows[i].then
			&& sched_is_paused(s, 0) == rows[i].paused,
			"asked while running (row %zu): %s", i,
			sched_state_name(rows[i].then));
		sched_free(s);
	}
}

static void test_paused(void)
{
	struct sched *s = in_state(SCHED_PAUSED);

	tap_ok(!help_start(s, 7 * DAY, &held) && sched_next(s) == NEVER,
		"a paused account is not polled");
	sched_event(s, 0, SCHED_POLL, 7 * DAY);
	help_start(s, 7 * DAY, &held);
	sched_event(s, 0, SCHED_OK, 7 * DAY + 1);
	tap_ok(sched_state(s, 0) == SCHED_PAUSED,
		"but for once when asked");
	sched_event(s, 0, SCHED_RESUME, 8 * DAY);
	tap_ok(help_start(s, 8 * DAY, &held) && !sched_is_paused(s, 0),
		"a resumed one is polled at once");
	sched_free(s);
}

int main(void)
{
	test_table();
	test_interval();
	test_apart();
	test_jitter();
	test_jitter_held();
	test_back_off();
	test_past();
	test_delay();
	test_delay_unknown();
	test_only_when_asked();
	test_refused();
	test_held();
	test_freed();
	test_while_running();
	test_paused();
	return tap_done();
}
