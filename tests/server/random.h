/*
 * random: numbers that are the same on every run, for tests that must be
 * repeatable (xorshift64*).
 */
#ifndef TESTS_SERVER_RANDOM_H
#define TESTS_SERVER_RANDOM_H

#include <stdint.h>

struct random {
	uint64_t state;
};

static inline void
random_seed(struct random *r, uint64_t seed)
{
	r->state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
	if (r->state == 0)
		r->state = 1;
}

static inline uint64_t
random_next(struct random *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * UINT64_C(0x2545f4914f6cdd1d);
}

/* A number from 0 to N - 1. */
static inline uint64_t
random_below(struct random *r, uint64_t n)
{
	return (random_next(r) >> 11) % n;
}

#endif
