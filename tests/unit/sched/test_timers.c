/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <stddef.h>

#include "agent/sched/timers.h"

/* The heap: the earliest first, also after a sweep. */

#define MANY 5000

static uint64_t random_state = 1;

static uint32_t random_below(uint32_t limit)
{
	random_state = random_state * 6364136223846793005u
		+ 1442695040888963407u;
	return (uint32_t)((random_state >> 33) % limit);
}

static void push(struct timers *t, clock_ms due, uint32_t id)
{
	timers_push(t, (struct timer){ due, id, id });
}

/* Takes all out: in order, each with what it was pushed with. */
static bool drain(struct timers *t, const clock_ms *dues, uint32_t count)
{
	struct timer timer;
	clock_ms last = INT64_MIN;
	bool ok = t->count == count;

	while (ok && timers_first(t) != NULL) {
		ok = timers_first(t)->due >= last;
		timer = timers_pop(t);
		last = timer.due;
		ok = ok && timer.due == dues[timer.id]
			&& timer.stamp == timer.id;
		count--;
	}
	return ok && count == 0;
}

static void test_order(uint32_t count, uint32_t different)
{
	static clock_ms dues[MANY];
	struct timers t = { 0 };
	uint32_t i;

	for (i = 0; i < count; i++) {
		dues[i] = (clock_ms)random_below(different);
		push(&t, dues[i], i);
	}
	tap_ok(drain(&t, dues, count), "%u timers, %u moments: in order",
		(unsigned)count, (unsigned)different);
	timers_free(&t);
}

static bool is_multiple(const void *arg, const struct timer *timer)
{
	return timer->id % *(const uint32_t *)arg == 0;
}

static void test_sweep(uint32_t count, uint32_t divisor)
{
	static clock_ms dues[MANY];
	struct timers t = { 0 };
	uint32_t i, kept = 0;

	for (i = 0; i < count; i++) {
		dues[i] = (clock_ms)random_below(1000);
		push(&t, dues[i], i);
		kept += i % divisor == 0;
	}
	timers_sweep(&t, is_multiple, &divisor);
	tap_ok(drain(&t, dues, kept), "a sweep leaves %u of %u, in order",
		(unsigned)kept, (unsigned)count);
	timers_free(&t);
}

/* In and out by turns, the extremes among them. */
static void test_mixed(void)
{
	struct timers t = { 0 };
	uint32_t i, in = 0;
	clock_ms now = 0;
	struct timer timer;
	bool ok = true;

	push(&t, INT64_MAX, 0);
	push(&t, INT64_MIN, 0);
	ok = timers_pop(&t).due == INT64_MIN;
	for (i = 0; i < 100000; i++) {
		if (in == 0 || random_below(2) == 0) {
			push(&t, now + random_below(100), i);
			in++;
			continue;
		}
		timer = timers_pop(&t);
		in--;
		ok = ok && timer.due >= now;
		now = timer.due;
	}
	while (in-- > 0)
		timers_pop(&t);
	tap_ok(ok && timers_pop(&t).due == INT64_MAX && t.count == 0
		&& timers_first(&t) == NULL, "in and out by turns");
	timers_free(&t);
}

static void test_reserve(void)
{
	struct timers t = { 0 };
	const struct timer *heap;
	uint32_t i;

	timers_reserve(&t, 1000);
	timers_reserve(&t, 10);
	heap = t.heap;
	for (i = 0; i < 1000; i++)
		push(&t, i, i);
	tap_ok(t.heap == heap && t.room == 1000 && t.count == 1000,
		"what was reserved is enough");
	push(&t, 0, 0);
	tap_ok(t.count == 1001 && t.room > 1000, "and more is found");
	timers_free(&t);
}

int main(void)
{
	uint32_t i;

	for (i = 0; i < 12; i++)
		test_order(i, 4);
	test_order(MANY, 1);
	test_order(MANY, 50);
	test_order(MANY, UINT32_MAX);
	for (i = 0; i < 12; i++)
		test_sweep(i, 3);
	test_sweep(MANY, 1);
	test_sweep(MANY, 3);
	test_sweep(MANY, MANY);
	test_mixed();
	test_reserve();
	return tap_done();
}
