/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/sched/help.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

/*
 * A million accounts: what they take in memory, and that they take all of it
 * before the first pass.
 */

#define MILLION 1000000u
#define MOST_BYTES 256

/* What the system has given us, in bytes, or 0 where it does not tell. */
static size_t given(void)
{
#if defined(__GLIBC__) \
	&& (__GLIBC__ > 2 || __GLIBC__ == 2 && __GLIBC_MINOR__ >= 33)
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
#else
	return 0;
#endif
}

static struct sched *make(uint32_t accounts, uint32_t hosts)
{
	struct sched *s = help_new(1000, 1000);
	char host[40];
	uint32_t i;

	for (i = 0; i < accounts; i++) {
		snprintf(host, sizeof(host), "pop%u.example.com",
			(unsigned)(i % hosts));
		help_add(s, host, HOUR, MINUTE, (clock_ms)i);
	}
	return s;
}

static void test_size(uint32_t hosts)
{
	size_t before = given(), real, told;
	struct sched *s = make(MILLION, hosts);

	told = sched_size(s);
	real = given() - before;
	tap_ok(told <= MILLION * MOST_BYTES,
		"a million accounts, %u hosts: %u bytes an account",
		(unsigned)hosts, (unsigned)(told / MILLION));
	/* Large blocks are whole pages. */
	tap_ok(given() == 0 || (told <= real && real - told < 65536),
		"and it is the truth");
	sched_free(s);
}

static void test_constant(void)
{
	struct sched *s = make(1000, 10);
	size_t size = sched_size(s);
	uint64_t random = 1;
	uint32_t id, event;
	clock_ms now = 0;
	bool held;
	int i;

	for (i = 0; i < 200000; i++) {
		now += SECOND / 20;
		sched_advance(s, now);
		id = (uint32_t)help_below(&random, 1000);
		event = SCHED_POLL + (unsigned)help_below(&random, 4);
		sched_event(s, id, event, now);
		if (!sched_take(s, &id, &held))
			continue;
		event = SCHED_OK + (unsigned)help_below(&random, 6);
		sched_event(s, id, event, now);
	}
	tap_ok(sched_size(s) == size, "what happens takes no more memory");
	sched_free(s);
}

int main(void)
{
	test_size(1);
	test_size(100000);
	test_constant();
	return tap_done();
}
