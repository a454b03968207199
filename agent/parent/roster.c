/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/parent/roster.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/arena.h"

struct name {
	const char *name;
	uint32_t id;
};

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct name *)a)->name,
		((const struct name *)b)->name);
}

static void sort_names(struct roster *roster)
{
	struct name *names = mem_grow(NULL, roster->count + 1u, sizeof(*names));
	uint32_t i;

	for (i = 0; i < roster->count; i++)
		names[i] = (struct name){ roster->accounts[i]->name, i };
	qsort(names, roster->count, sizeof(*names), compare);
	for (i = 0; i < roster->count; i++)
		roster->by_name[i] = names[i].id;
	free(names);
}

static void enter_all(struct roster *roster, bool once,
	const struct roster *old, roster_enter *enter)
{
	struct sched_plan plan;
	struct sched_past past;
	uint32_t i, before, fresh = 0;
	clock_ms first;

	for (i = 0; i < roster->count; i++) {
		plan = (struct sched_plan){ roster->accounts[i]->host,
			once ? 0 : (uint32_t)roster->accounts[i]->interval,
			(uint32_t)roster->accounts[i]->jitter };
		before = old == NULL ? ROSTER_NOBODY
			: roster_find(old, roster->accounts[i]->name);
		if (before != ROSTER_NOBODY) {
			sched_carry(roster->sched, &plan, old->sched, before,
				clock_now());
			roster->notes[i] = old->notes[before];
			continue;
		}
		memset(&past, 0, sizeof(past));
		first = once ? 0 : enter(roster->config, roster->accounts[i],
			fresh++, &past);
		sched_add(roster->sched, &plan, &past, first);
	}
}

struct roster *roster_new(struct arena *arena, const struct config *config,
	const struct account *const *accounts, uint32_t count, bool once,
	const struct roster *old, roster_enter *enter)
{
	struct roster *roster = mem_grow(NULL, 1, sizeof(*roster));
	const struct sched_limits limits = { (uint32_t)config->parallel,
		(uint32_t)config->per_host };

	memset(roster, 0, sizeof(*roster));
	roster->arena = arena;
	roster->config = config;
	roster->count = count;
	roster->users = 1;
	roster->accounts = mem_grow(NULL, count + 1u,
		sizeof(*roster->accounts));
	if (count != 0)
		memcpy(roster->accounts, accounts,
			count * sizeof(*roster->accounts));
	roster->by_name = mem_grow(NULL, count + 1u, sizeof(*roster->by_name));
	roster->notes = mem_grow(NULL, count + 1u, sizeof(*roster->notes));
	memset(roster->notes, 0, (count + 1u) * sizeof(*roster->notes));
	sort_names(roster);
	roster->sched = sched_new(limits, (uint64_t)clock_now());
	enter_all(roster, once, old, enter);
	return roster;
}

uint32_t roster_find(const struct roster *roster, const char *name)
{
	uint32_t low = 0, high = roster->count, middle;
	int order;

	while (low < high) {
		middle = low + (high - low) / 2;
		order = strcmp(name, roster->accounts[
			roster->by_name[middle]]->name);
		if (order == 0)
			return roster->by_name[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return ROSTER_NOBODY;
}

struct roster *roster_use(struct roster *roster)
{
	roster->users++;
	return roster;
}

void roster_drop(struct roster *roster)
{
	if (roster == NULL || --roster->users != 0)
		return;
	sched_free(roster->sched);
	free(roster->accounts);
	free(roster->by_name);
	free(roster->notes);
	arena_free(roster->arena);
	free(roster);
}
