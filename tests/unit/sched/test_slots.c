/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/sched/help.h"

#include <string.h>

/*
 * Who gets a slot: the limits, and that nobody keeps anybody waiting.
 */

#define INTERVAL (5 * MINUTE)
#define MANY 1000

static bool held;

/* Takes all that may start. How many. */
static uint32_t take_all(struct sched *s, uint32_t *ids)
{
	uint32_t n = 0, id;

	while (sched_take(s, &id, &held)) {
		if (ids != NULL)
			ids[n] = id;
		n++;
	}
	return n;
}

/* One that has failed before, if `streak` says so. */
static uint32_t add(struct sched *s, const char *host, uint32_t streak)
{
	return sched_add(s, &(struct sched_plan){ host, INTERVAL / 1000, 0 },
		&(struct sched_past){ true, streak }, 0);
}

static void add_many(struct sched *s, uint32_t count, uint32_t hosts,
	uint32_t streak)
{
	char host[32];
	uint32_t i;

	for (i = 0; i < count; i++) {
		snprintf(host, sizeof(host), "%s%u.example",
			i % 3 == 0 ? "pop" : "POP", (unsigned)(i % hosts));
		add(s, host, streak);
	}
}

/* Lets `count` fail after `ms`, so that they are slow as well as suspect. */
static struct sched *all_failed(uint32_t parallel, uint32_t per_host,
	uint32_t count, uint32_t hosts, clock_ms ms)
{
	struct sched *s = help_new(parallel, per_host);
	clock_ms now = 0;
	uint32_t id;

	add_many(s, count, hosts, 0);
	for (sched_advance(s, now); sched_take(s, &id, &held);) {
		now += ms;
		sched_event(s, id, SCHED_FAILED, now);
	}
	sched_advance(s, now + count * (ms + INTERVAL));
	return s;
}

static void test_limits(void)
{
	static const struct {
		uint32_t parallel, per_host, hosts, streak, want;
	} rows[] = {
		{ 32, 32, 1, 0, 32 }, { 32, 4, 1, 0, 4 }, { 32, 4, 5, 0, 20 },
		{ 32, 4, 100, 0, 32 }, { 1, 1, 7, 0, 1 },
		{ 32, 32, 1, 1, 16 }, { 32, 4, 1, 1, 2 }, { 32, 4, 5, 1, 10 },
		{ 32, 4, 100, 1, 16 }, { 33, 33, 100, 1, 16 },
		{ 1, 1, 7, 1, 1 }, { 2, 1, 7, 1, 1 }, { 3, 3, 1, 1, 1 },
	};
	struct sched *s;
	uint32_t got;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		s = help_new(rows[i].parallel, rows[i].per_host);
		add_many(s, 200, rows[i].hosts, rows[i].streak);
		sched_advance(s, 0);
		got = take_all(s, NULL);
		tap_ok(got == rows[i].want,
			"parallel %u, per_host %u, %u hosts, %s: %u start",
			(unsigned)rows[i].parallel, (unsigned)rows[i].per_host,
			(unsigned)rows[i].hosts,
			rows[i].streak != 0 ? "failing" : "sound",
			(unsigned)got);
		sched_free(s);
	}
}

static void test_slow(void)
{
	static const struct {
		uint32_t parallel, per_host, hosts, want;
	} rows[] = {
		{ 32, 32, 1, 8 }, { 32, 4, 1, 1 }, { 32, 4, 100, 8 },
		{ 1, 1, 7, 1 }, { 4, 1, 7, 1 },
	};
	struct sched *s;
	uint32_t got;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		s = all_failed(rows[i].parallel, rows[i].per_host, 200,
			rows[i].hosts, HOUR);
		got = take_all(s, NULL);
		tap_ok(got == rows[i].want,
			"parallel %u, per_host %u, %u hosts, slow to fail: %u start",
			(unsigned)rows[i].parallel, (unsigned)rows[i].per_host,
			(unsigned)rows[i].hosts, (unsigned)got);
		sched_free(s);
	}
}

/* The failing ones have all they may have; a sound one comes along. */
static void test_room(void)
{
	struct sched *s = help_new(8, 2);
	uint32_t ids[8], n, sound;

	add_many(s, 200, 50, 5);
	sched_advance(s, 0);
	n = take_all(s, ids);
	sound = add(s, "pop0.example", 0);
	sched_advance(s, SECOND);
	tap_ok(n == 4 && take_all(s, ids) == 1 && ids[0] == sound,
		"a sound account starts beside as many failing ones as may run");
	sched_free(s);
}

/* ---- whoever stood in line and went away ---- */

static void test_stale(void)
{
	struct sched *s = help_new(1, 1);
	uint32_t id, i;

	add_many(s, 10, 1, 0);
	sched_advance(s, 0);
	for (i = 0; i < 9; i++)
		sched_event(s, i, SCHED_PAUSE, 0);
	tap_ok(sched_take(s, &id, &held) && id == 9,
		"those that were paused are passed over");
	sched_event(s, 9, SCHED_OK, 1);
	tap_ok(sched_idle(s) && !sched_take(s, &id, &held), "none is left");
	for (i = 0; i < 3; i++)
		sched_event(s, 4, i % 2 == 0 ? SCHED_RESUME : SCHED_PAUSE, 2);
	tap_ok(!sched_idle(s) && sched_take(s, &id, &held) && id == 4,
		"one that has come back starts");
	sched_event(s, 4, SCHED_OK, 3);
	tap_ok(!sched_take(s, &id, &held) && sched_idle(s), "once");
	sched_free(s);
}

/* However often they come and go, each runs once at a time. */
static void test_stale_many(void)
{
	struct sched *s = help_new(4, 2);
	unsigned int runs[100] = { 0 };
	uint32_t ids[100], n, i, round;
	uint64_t random = 5;
	bool ok = true;

	add_many(s, 100, 7, 0);
	for (round = 0; round < 2000; round++) {
		sched_advance(s, round * SECOND);
		for (i = 0; i < 20; i++)
			sched_event(s, (uint32_t)help_below(&random, 100),
				SCHED_POLL + (unsigned)help_below(&random, 3),
				round * SECOND);
		n = take_all(s, ids);
		ok = ok && n <= 4;
		for (i = 0; i < n; i++)
			ok = ok && ++runs[ids[i]] != 0
				&& sched_state(s, ids[i]) == SCHED_RUNNING;
		for (i = 0; i < n; i++)
			sched_event(s, ids[i], SCHED_OK, round * SECOND);
	}
	for (i = 0; i < 100; i++) {
		ok = ok && runs[i] > 20;
		sched_event(s, i, SCHED_PAUSE, DAY);
	}
	tap_ok(ok && take_all(s, ids) == 0 && sched_idle(s),
		"paused, resumed and polled in line: no slot is lost");
	sched_free(s);
}

/* ---- fairness ---- */

static void test_hosts(void)
{
	struct sched *s = help_new(1, 1);
	uint32_t id, order[3], i;

	add_many(s, MANY, 1, 0);
	add(s, "small.example", 0);
	add(s, "tiny.example", 0);
	sched_advance(s, 0);
	for (i = 0; i < 3; i++) {
		sched_take(s, &id, &held);
		sched_event(s, id, SCHED_OK, i);
		order[i] = id;
	}
	tap_ok(order[0] < MANY ? order[1] >= MANY && order[2] >= MANY
		: order[0] + order[1] + order[2] >= 2 * MANY,
		"a host with a thousand accounts does not go before one with one");
	sched_free(s);
}

static void test_line(void)
{
	struct sched *s = help_new(3, 3);
	uint32_t ids[3], n, i, next = 0;
	bool ok = true;

	for (i = 0; i < MANY; i++)
		help_add(s, "h", HOUR, 0, (i * 7919 % MANY) * SECOND);
	for (i = 0; i < MANY; i++)
		sched_advance(s, i * SECOND);
	while ((n = take_all(s, ids)) != 0)
		for (i = 0; i < n; i++) {
			ok = ok && ids[i] * 7919 % MANY == next++;
			sched_event(s, ids[i], SCHED_OK, MANY * SECOND);
		}
	tap_ok(ok && next == MANY, "who was due first starts first");
	sched_free(s);
}

/* Two hosts with one connection each and passes that take turns exactly:
 * nobody's turn may always fall to others. */
static void test_turns(void)
{
	struct sched *s = help_new(2, 1);
	unsigned int runs[40] = { 0 };
	uint32_t running[2], id, i, round;
	bool ok = true;

	for (i = 0; i < 40; i++)
		add(s, i % 2 == 0 ? "a" : "b", i < 20 ? 0 : 1);
	sched_advance(s, 0);
	for (i = 0; i < 2; i++)
		ok = ok && sched_take(s, &running[i], &held);
	for (round = 0; ok && round < 4000; round++) {
		id = running[round % 2];
		runs[id]++;
		/* As sound or failing as it was, and to be polled again. */
		sched_event(s, id, SCHED_POLL, round);
		sched_event(s, id, id < 20 ? SCHED_OK : SCHED_FAILED, round);
		ok = sched_take(s, &running[round % 2], &held);
	}
	for (i = 0; i < 40; i++)
		ok = ok && runs[i] >= 20;
	tap_ok(ok, "nobody starves, however regular the passes");
	sched_free(s);
}

/* ---- a thousand accounts, twenty of them broken ---- */

#define PARALLEL 32
#define BROKEN 20

/* Passes of sound ones take 1 to 3 s, one in a hundred fails; those of broken
 * ones take 30 s to 6 h. */
struct crowd {
	struct sched *sched;
	clock_ms due[MANY];
	struct { uint32_t id; clock_ms end; } running[PARALLEL];
	uint32_t count;
	uint64_t random;
	clock_ms now;
	clock_ms late, late_suspect;	/* at worst */
	bool suspect[MANY];
	uint32_t sound_passes, broken_passes;
};

static clock_ms pass_ms(struct crowd *c, uint32_t id)
{
	if (id % (MANY / BROKEN) != 0)
		return SECOND + (clock_ms)help_below(&c->random, 2 * SECOND);
	return 30 * SECOND + (clock_ms)help_below(&c->random,
		6 * HOUR - 30 * SECOND);
}

static void note_start(struct crowd *c, uint32_t id)
{
	clock_ms late = c->now - c->due[id];
	clock_ms *worst = c->suspect[id] ? &c->late_suspect : &c->late;

	if (id % (MANY / BROKEN) == 0) {
		c->broken_passes++;
		return;
	}
	c->sound_passes++;
	if (late > *worst)
		*worst = late;
}

static void crowd_start(struct crowd *c)
{
	uint32_t id;

	sched_advance(c->sched, c->now);
	while (sched_take(c->sched, &id, &held)) {
		note_start(c, id);
		c->running[c->count].id = id;
		c->running[c->count++].end = c->now + pass_ms(c, id);
	}
}

static void crowd_end(struct crowd *c, uint32_t i)
{
	uint32_t id = c->running[i].id;
	bool bad = id % (MANY / BROKEN) == 0
		|| help_below(&c->random, 100) == 0;

	c->running[i] = c->running[--c->count];
	c->suspect[id] = bad;
	sched_event(c->sched, id, bad ? SCHED_FAILED : SCHED_OK, c->now);
	c->due[id] = sched_due(c->sched, id);
}

static void crowd_step(struct crowd *c)
{
	uint32_t i, first = 0;
	clock_ms next = sched_next(c->sched);

	for (i = 1; i < c->count; i++)
		if (c->running[i].end < c->running[first].end)
			first = i;
	if (c->count != 0 && c->running[first].end <= next) {
		c->now = c->running[first].end;
		crowd_end(c, first);
	} else {
		c->now = next;
	}
	crowd_start(c);
}

/* `streak` of those that are broken, when it begins. */
static void try_crowd(const char *what, uint32_t streak, clock_ms most)
{
	struct crowd c = { .random = 3 };
	struct sched_past past = { true, 0 };
	uint32_t i;

	c.sched = help_new(PARALLEL, PARALLEL);
	for (i = 0; i < MANY; i++) {
		past.streak = i % (MANY / BROKEN) == 0 ? streak : 0;
		c.suspect[i] = past.streak != 0;
		c.due[i] = (clock_ms)i * INTERVAL / MANY;
		sched_add(c.sched, &(struct sched_plan){ "one.example",
			INTERVAL / 1000, 10 }, &past, c.due[i]);
	}
	while (c.now < 3 * DAY)
		crowd_step(&c);
	tap_note("%s: %u sound passes, %u broken ones; late by at most %d ms, after a failure %d ms",
		what, (unsigned)c.sound_passes, (unsigned)c.broken_passes,
		(int)c.late, (int)c.late_suspect);
	tap_ok(c.late <= most, "%s: no sound account is late by %d s", what,
		(int)(most / 1000));
	tap_ok(c.late_suspect <= most,
		"%s: nor one that has failed only now and then", what);
	tap_ok(c.broken_passes > BROKEN, "%s: the broken ones are tried", what);
	sched_free(c.sched);
}

int main(void)
{
	test_limits();
	test_slow();
	test_room();
	test_stale();
	test_stale_many();
	test_hosts();
	test_line();
	test_turns();
	try_crowd("known to be broken", 6, SECOND);
	/* At first each of them has a slot that a sound one could have had. */
	try_crowd("not yet known", 0, 4 * SECOND);
	return tap_done();
}
