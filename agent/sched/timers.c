/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/sched/timers.h"

#include <stdlib.h>

#include "agent/base/arena.h"

/* Four children lie side by side, and the tree is half as deep. */
#define ARITY 4

static void sift_up(struct timers *t, size_t at, struct timer timer)
{
	size_t up;

	for (; at != 0; at = up) {
		up = (at - 1) / ARITY;
		if (t->heap[up].due <= timer.due)
			break;
		t->heap[at] = t->heap[up];
	}
	t->heap[at] = timer;
}

static size_t earliest_child(const struct timers *t, size_t at)
{
	size_t i, first = at * ARITY + 1, best = first;
	size_t end = first + ARITY < t->count ? first + ARITY : t->count;

	for (i = first + 1; i < end; i++)
		if (t->heap[i].due < t->heap[best].due)
			best = i;
	return best;
}

static void sift_down(struct timers *t, size_t at, struct timer timer)
{
	size_t child;

	for (; at * ARITY + 1 < t->count; at = child) {
		child = earliest_child(t, at);
		if (timer.due <= t->heap[child].due)
			break;
		t->heap[at] = t->heap[child];
	}
	t->heap[at] = timer;
}

void timers_reserve(struct timers *t, size_t room)
{
	if (room <= t->room)
		return;
	t->room = room;
	t->heap = mem_grow(t->heap, t->room, sizeof(*t->heap));
}

void timers_push(struct timers *t, struct timer timer)
{
	if (t->count == t->room)
		timers_reserve(t, t->room < 64 ? 64 : t->room + t->room / 2);
	sift_up(t, t->count++, timer);
}

const struct timer *timers_first(const struct timers *t)
{
	return t->count != 0 ? &t->heap[0] : NULL;
}

struct timer timers_pop(struct timers *t)
{
	struct timer first = t->heap[0];

	if (--t->count != 0)
		sift_down(t, 0, t->heap[t->count]);
	return first;
}

void timers_sweep(struct timers *t,
	bool (*keep)(const void *arg, const struct timer *timer),
	const void *arg)
{
	size_t i, n = 0;

	for (i = 0; i < t->count; i++)
		if (keep(arg, &t->heap[i]))
			t->heap[n++] = t->heap[i];
	t->count = n;
	for (i = n / ARITY + 1; i-- > 0;)
		if (i < n)
			sift_down(t, i, t->heap[i]);
}

void timers_free(struct timers *t)
{
	free(t->heap);
	t->heap = NULL;
	t->count = t->room = 0;
}
