/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/sched/help.h"

/*
 * A new configuration: accounts go over from one scheduler to the next.
 */

#define INTERVAL (5 * MINUTE)

static bool held;

static const struct sched_plan plan = { "h", INTERVAL / 1000, 0 };

/* The old one goes, as it does after a reload. */
static struct sched *carry_to(struct sched *old, const struct sched_plan *to,
	clock_ms now)
{
	struct sched *s = help_new(1, 1);

	sched_carry(s, to, old, 0, now);
	sched_free(old);
	return s;
}

static struct sched *carry(struct sched *old, clock_ms now)
{
	return carry_to(old, &plan, now);
}

static struct sched *one(clock_ms first)
{
	struct sched *s = help_new(1, 1);

	help_add(s, "h", INTERVAL, 0, first);
	return s;
}

static void test_waiting(void)
{
	struct sched *s = one(7 * SECOND);

	s = carry(s, SECOND);
	tap_ok(sched_state(s, 0) == SCHED_WAITING
		&& sched_due(s, 0) == 7 * SECOND && sched_next(s) == 7 * SECOND,
		"one that waits keeps its time");
	help_pass(s, 0, SCHED_FAILED);
	help_pass(s, 0, SCHED_FAILED);
	s = carry(s, HOUR);
	tap_ok(sched_due(s, 0) == 7 * SECOND + 3 * INTERVAL,
		"one that backs off goes on with that");
	help_pass(s, 0, SCHED_FAILED);
	tap_ok(sched_due(s, 0) == 7 * SECOND + 7 * INTERVAL,
		"and its failures are counted on");
	sched_free(s);
}

static void test_grid(void)
{
	struct sched *s = help_new(1, 1);
	const struct sched_plan wide = { "h", INTERVAL / 1000, 200 };
	clock_ms off, i;
	bool ok = true;

	help_add(s, "h", INTERVAL, 200 * SECOND, 0);
	for (i = 0; i < 200; i++) {
		off = help_pass(s, SECOND, SCHED_OK) - i * INTERVAL;
		ok = ok && off >= 0 && off <= 200 * SECOND;
		s = carry_to(s, &wide, i * INTERVAL + off + 2 * SECOND);
	}
	tap_ok(ok, "a reload after each pass does not shift the rate");
	sched_free(s);
}

static void test_plan(void)
{
	const struct sched_plan shorter = { "h", 60, 0 }, none = { "h", 0, 0 };
	struct sched *s = one(0);

	help_pass(s, 0, SCHED_OK);
	s = carry_to(s, &shorter, 10 * SECOND);
	tap_ok(sched_due(s, 0) == 70 * SECOND,
		"a shorter interval counts from now");
	s = carry(s, 20 * SECOND);
	tap_ok(sched_due(s, 0) == 70 * SECOND,
		"a longer one from the next poll");
	s = carry_to(s, &none, 30 * SECOND);
	tap_ok(sched_due(s, 0) == NEVER && sched_next(s) == NEVER,
		"without one the account waits to be asked");
	s = carry(s, 40 * SECOND);
	tap_ok(sched_due(s, 0) == 40 * SECOND + INTERVAL,
		"and with one again it is polled");
	sched_free(s);
}

static void test_ready(void)
{
	struct sched *s = one(0);

	sched_advance(s, 0);
	s = carry(s, SECOND);
	tap_ok(sched_next(s) <= SECOND && help_start(s, SECOND, &held) && !held
		&& !help_start(s, SECOND, &held),
		"one that is ready starts, once");
	sched_event(s, 0, SCHED_STUCK, 2 * SECOND);
	sched_advance(s, 2 * SECOND + INTERVAL);
	s = carry(s, 3 * SECOND + INTERVAL);
	tap_ok(help_start(s, 3 * SECOND + INTERVAL, &held) && held,
		"one that is about to look only looks");
	sched_event(s, 0, SCHED_UNCHANGED, 4 * SECOND + INTERVAL);
	sched_advance(s, 5 * SECOND + 2 * INTERVAL);
	s = carry(s, 6 * SECOND + 2 * INTERVAL);
	sched_event(s, 0, SCHED_CHANGED, 6 * SECOND + 2 * INTERVAL);
	tap_ok(help_start(s, 6 * SECOND + 2 * INTERVAL, &held) && !held,
		"unless its configuration is what has changed");
	sched_free(s);
}

static void test_running(void)
{
	static const struct {
		enum sched_event asked;
		enum sched_state then;
	} rows[] = {
		{ SCHED_EVENTS, SCHED_WAITING }, { SCHED_POLL, SCHED_READY },
		{ SCHED_PAUSE, SCHED_PAUSED },
	};
	struct sched *s;
	uint32_t id;
	size_t i;
	bool ok;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		s = one(0);
		help_start(s, 0, &held);
		if (rows[i].asked != SCHED_EVENTS)
			sched_event(s, 0, rows[i].asked, SECOND);
		s = carry(s, 2 * SECOND);
		help_add(s, "h", INTERVAL, 0, 0);
		ok = sched_state(s, 0) == SCHED_RUNNING && !sched_idle(s)
			&& !help_start(s, 3 * SECOND, &held);
		sched_event(s, 0, SCHED_OK, 4 * SECOND);
		ok = ok && sched_state(s, 0) == rows[i].then
			&& sched_take(s, &id, &held) && id == 1;
		tap_ok(ok, "one that runs keeps its slot, then it is %s",
			sched_state_name(rows[i].then));
		sched_free(s);
	}
}

static void test_held(void)
{
	struct sched *s = one(0);

	help_pass(s, 0, SCHED_STUCK);
	s = carry(s, SECOND);
	tap_ok(sched_state(s, 0) == SCHED_HELD && sched_due(s, 0) == INTERVAL
		&& help_start(s, INTERVAL, &held) && held,
		"one that is held stays held");
	sched_event(s, 0, SCHED_UNCHANGED, INTERVAL);
	s = carry(s, HOUR - SECOND);
	tap_ok(help_start(s, HOUR, &held) && !held,
		"no longer than an hour");
	sched_free(s);
}

static void test_paused(void)
{
	struct sched *s = one(0);

	sched_event(s, 0, SCHED_PAUSE, 0);
	s = carry(s, SECOND);
	tap_ok(sched_state(s, 0) == SCHED_PAUSED && sched_is_paused(s, 0)
		&& !help_start(s, DAY, &held), "one that is paused stays paused");
	sched_event(s, 0, SCHED_POLL, DAY);
	s = carry(s, DAY + 1);
	sched_event(s, 0, SCHED_PAUSE, DAY + 2);
	tap_ok(!help_start(s, 2 * DAY, &held),
		"and if it was to be polled once this can be taken back");
	sched_event(s, 0, SCHED_POLL, 2 * DAY);
	s = carry(s, 2 * DAY + 1);
	sched_event(s, 0, SCHED_RESUME, 2 * DAY + 2);
	tap_ok(help_start(s, 2 * DAY + 3, &held) && !sched_is_paused(s, 0),
		"as can the pause");
	sched_event(s, 0, SCHED_OK, 2 * DAY + 4);
	tap_ok(sched_state(s, 0) == SCHED_WAITING, "so that it goes on");
	sched_free(s);
}

/* The last in the file must not be the last after each reload. */
static void test_order(void)
{
	enum { ACCOUNTS = 50 };
	const struct sched_plan often = { "h", 1, 0 };
	unsigned int passes[ACCOUNTS] = { 0 };
	struct sched *s = help_new(1, 1), *old;
	bool ok = true;
	uint32_t id, i, round;

	for (i = 0; i < ACCOUNTS; i++)
		help_add(s, "h", SECOND, 0, i);
	for (round = 0; round < 10 * ACCOUNTS; round++) {
		sched_advance(s, (round + 1) * SECOND);
		if (!sched_take(s, &id, &held))
			continue;
		passes[id]++;
		sched_event(s, id, SCHED_OK, (round + 1) * SECOND);
		old = s;
		s = help_new(1, 1);
		for (i = 0; i < ACCOUNTS; i++)
			sched_carry(s, &often, old, i, (round + 1) * SECOND);
		sched_free(old);
	}
	for (i = 0; i < ACCOUNTS; i++)
		ok = ok && passes[i] >= 1;
	tap_ok(ok, "reload after reload, each gets its turn");
	sched_free(s);
}

/* Host names get other numbers. */
static void test_hosts(void)
{
	struct sched *old = help_new(4, 1), *s = help_new(4, 1);
	uint32_t i, id;

	for (i = 0; i < 2; i++)
		help_add(old, i == 0 ? "a" : "b", INTERVAL, 0, 0);
	sched_advance(old, 0);
	for (i = 0; i < 2; i++)
		sched_take(old, &id, &held);
	for (i = 2; i-- > 0;)
		sched_carry(s, &(struct sched_plan){ i == 0 ? "a" : "b", 1, 0 },
			old, i, 0);
	sched_free(old);
	help_add(s, "A", INTERVAL, 0, 0);
	sched_advance(s, SECOND);
	sched_event(s, 0, SCHED_PAUSE, SECOND);
	sched_event(s, 0, SCHED_OK, SECOND);
	tap_ok(!sched_take(s, &id, &held), "a slot of its host stays taken");
	sched_event(s, 1, SCHED_OK, SECOND);
	tap_ok(sched_take(s, &id, &held) && id == 2, "until its own pass ends");
	sched_free(s);
}

int main(void)
{
	test_waiting();
	test_grid();
	test_plan();
	test_ready();
	test_running();
	test_held();
	test_paused();
	test_order();
	test_hosts();
	return tap_done();
}
