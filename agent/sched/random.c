/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/sched/priv.h"

/* splitmix64: any seed will do. */
uint64_t sched_random(struct sched *s, uint64_t limit)
{
	uint64_t z = s->random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (z ^ z >> 31) % limit;
}
