/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/sched/help.h"

#include "agent/base/limits.h"

/* One account: when it is polled next. */

#define INTERVAL (5 * MINUTE)

static bool held;

static void test_interval(void)
{
	struct sched *s = help_one(INTERVAL, 0);
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
			"%s: each keeps its place in the round", help_events[asked[i]]);
		sched_free(s);
	}
}

static void test_jitter(void)
{
	struct sched *s = help_one(INTERVAL, 100 * SECOND);
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
	struct sched *s = help_one(INTERVAL, 100 * SECOND);
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
	struct sched *s = help_one(interval, 0);
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
	struct sched *s = help_one(INTERVAL, 4 * MINUTE);
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
	struct sched *s = help_one(MINUTE, 0);
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

int main(void)
{
	test_interval();
	test_apart();
	test_jitter();
	test_jitter_held();
	test_back_off();
	test_past();
	test_delay();
	test_delay_unknown();
	test_only_when_asked();
	return tap_done();
}
