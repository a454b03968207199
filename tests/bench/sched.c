/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/base/arena.h"
#include "agent/sched/sched.h"

/*
 * The scheduler alone, on a simulated clock: what an account takes in memory,
 * an event in time, and twice the accounts, from their entry until each has
 * been polled twice on average. An event is an account that falls due, that
 * starts, or whose pass ends. This is no test: no figure makes it fail.
 *
 *   sched [ACCOUNTS [HOSTS]]
 */

/* Enough that nobody waits for a slot: that would be another benchmark. */
#define PARALLEL 1000
#define PASS_MS 400
#define EVENTS_EACH 6
#define RUNS 5

#define MOST_BYTES 256.0
#define MOST_MICROS 2.0
#define MOST_RATIO 2.3

/* Passes take equally long, so the first to start is the first to end. */
struct run {
	struct sched *sched;
	uint32_t running[PARALLEL];
	clock_ms ends[PARALLEL];
	size_t first, count;
	clock_ms now;
	uint64_t random, events;
};

struct result {
	double bytes, micros, whole;
};

static uint64_t random_below(struct run *r, uint64_t limit)
{
	r->random = r->random * 6364136223846793005u + 1442695040888963407u;
	return (r->random >> 33) % limit;
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* One in twenty is broken, and a few are asked for by hand. */
static void end_one(struct run *r)
{
	uint32_t id = r->running[r->first];

	r->first = (r->first + 1) % PARALLEL;
	r->count--;
	r->events++;
	sched_event(r->sched, id, id % 20 == 0 ? SCHED_FAILED : SCHED_OK,
		r->now);
}

static void start_some(struct run *r)
{
	size_t at;
	bool held;

	for (;;) {
		at = (r->first + r->count) % PARALLEL;
		if (!sched_take(r->sched, &r->running[at], &held))
			return;
		r->ends[at] = r->now + PASS_MS;
		r->count++;
		r->events += 2;		/* it was due, and has started */
	}
}

static void step(struct run *r)
{
	clock_ms next = sched_next(r->sched);

	if (r->count != 0)
		next = clock_min(next, r->ends[r->first]);
	if (next > r->now)
		r->now = next;
	while (r->count != 0 && r->ends[r->first] <= r->now)
		end_one(r);
	sched_advance(r->sched, r->now);
	start_some(r);
}

static void add_all(struct run *r, uint32_t accounts, uint32_t hosts)
{
	const struct sched_past past = { true, 0 };
	struct sched_plan plan;
	char host[32];
	uint32_t i;

	for (i = 0; i < accounts; i++) {
		snprintf(host, sizeof(host), "pop%u.example.com",
			(unsigned)random_below(r, hosts));
		plan.host = host;
		plan.interval = 600 + (uint32_t)random_below(r, 6000);
		plan.jitter = plan.interval / 10;
		sched_add(r->sched, &plan, &past,
			(clock_ms)random_below(r, plan.interval * 1000u));
	}
}

static struct result measure(uint32_t accounts, uint32_t hosts)
{
	const struct sched_limits limits = { PARALLEL, PARALLEL };
	struct run *r = mem_grow(NULL, 1, sizeof(*r));
	struct result result;
	double began = seconds(), entered;

	memset(r, 0, sizeof(*r));
	r->sched = sched_new(limits, 1);
	add_all(r, accounts, hosts);
	entered = seconds();
	while (r->events < (uint64_t)EVENTS_EACH * accounts)
		step(r);
	result.whole = seconds() - began;
	result.micros = (seconds() - entered) * 1e6 / (double)r->events;
	result.bytes = (double)sched_size(r->sched) / accounts;
	sched_free(r->sched);
	free(r);
	return result;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(const double *values)
{
	double sorted[RUNS];

	memcpy(sorted, values, sizeof(sorted));
	qsort(sorted, RUNS, sizeof(sorted[0]), compare);
	return sorted[RUNS / 2];
}

/* Both sizes by turns, so that what else the machine does meets both. */
static bool show(uint32_t accounts, uint32_t hosts)
{
	double micros[2][RUNS], whole[2][RUNS], ratio[RUNS], bytes[2];
	struct result result;
	uint32_t i, twice;

	for (i = 0; i < RUNS; i++) {
		for (twice = 0; twice < 2; twice++) {
			result = measure(accounts << twice, hosts);
			bytes[twice] = result.bytes;
			micros[twice][i] = result.micros;
			whole[twice][i] = result.whole;
		}
		ratio[i] = whole[1][i] / whole[0][i];
	}
	for (twice = 0; twice < 2; twice++)
		printf("%8u accounts, %6u hosts: %.1f bytes an account, %.3f us an event, %.2f s in all\n",
			(unsigned)(accounts << twice),
			(unsigned)hosts, bytes[twice],
			median(micros[twice]), median(whole[twice]));
	printf("twice the accounts: %.2f times the time\n", median(ratio));
	return bytes[0] <= MOST_BYTES && bytes[1] <= MOST_BYTES
		&& median(micros[0]) <= MOST_MICROS
		&& median(micros[1]) <= MOST_MICROS
		&& median(ratio) <= MOST_RATIO;
}

static uint32_t argument(int argc, char **argv, int i, uint32_t otherwise)
{
	unsigned long n = argc > i ? strtoul(argv[i], NULL, 10) : otherwise;

	return n != 0 && n <= UINT32_MAX / 2 ? (uint32_t)n : otherwise;
}

int main(int argc, char **argv)
{
	uint32_t accounts = argument(argc, argv, 1, 1000000);
	uint32_t hosts = argument(argc, argv, 2, 100000);
	bool ok = show(accounts, hosts);

	printf("%s: at most %.0f bytes, %.1f us, %.1f times\n",
		ok ? "met" : "MISSED", MOST_BYTES, MOST_MICROS, MOST_RATIO);
	return 0;
}
