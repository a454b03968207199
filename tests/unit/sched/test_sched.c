/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/sched/help.h"

/* One account: every event in every state. */

#define INTERVAL (5 * MINUTE)

static bool held;

/* ---- the table ---- */

#define FIRST (1 * SECOND)
#define NOW (5 * SECOND)

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
	tap_ok(ok, "%s, %s: %s", sched_state_name(state), help_events[event],
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

/* ---- refused and held ---- */

static void test_refused(void)
{
	struct sched *s = help_one(INTERVAL, 0);
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
	struct sched *s = help_one(7 * MINUTE, 0);
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
	s = help_one(2 * HOUR, 0);
	help_pass(s, 0, SCHED_STUCK);
	tap_ok(sched_due(s, 0) == HOUR && help_start(s, HOUR, &held) && !held,
		"within the hour also when the interval is longer");
	sched_free(s);
}

/* However long its look has waited for a slot, what frees it frees it. */
static void try_freed(enum sched_event event, bool looking)
{
	struct sched *s = help_one(INTERVAL, 0);
	bool ok;

	help_pass(s, 0, SCHED_STUCK);
	if (looking)
		sched_advance(s, INTERVAL);
	sched_event(s, 0, event, INTERVAL + 1);
	ok = help_start(s, INTERVAL + 1, &held) && !held;
	tap_ok(ok, "held%s, %s: tried at once", looking ? " and about to look"
		: "", help_events[event]);
	sched_free(s);
}

static void test_freed(void)
{
	struct sched *s;

	try_freed(SCHED_POLL, false);
	try_freed(SCHED_POLL, true);
	try_freed(SCHED_CHANGED, false);
	try_freed(SCHED_CHANGED, true);
	s = help_one(MINUTE, 0);
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
	test_refused();
	test_held();
	test_freed();
	test_while_running();
	test_paused();
	return tap_done();
}
