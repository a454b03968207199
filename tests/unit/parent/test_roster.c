/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <string.h>

#include "agent/base/arena.h"
#include "agent/parent/roster.h"

/*
 * Accounts by number and by name, and from one configuration to the next.
 */

#define MANY 500

static uint32_t entered, last_nth;

/* A configuration of the accounts that `names` lists, one letter each. */
static const struct config *configure(struct arena *arena, const char *names)
{
	struct config *config = arena_alloc(arena, sizeof(*config));
	size_t i;

	config->parallel = 3;
	config->per_host = 2;
	config->count = strlen(names);
	config->accounts = arena_array(arena, config->count + 1,
		sizeof(*config->accounts));
	for (i = 0; i < config->count; i++) {
		config->accounts[i].name = arena_strndup(arena, names + i, 1);
		config->accounts[i].host = "h";
		config->accounts[i].interval = 3600;
	}
	return config;
}

static clock_ms enter(const struct config *config,
	const struct account *account, uint32_t nth, struct sched_past *past_r)
{
	(void)config;
	past_r->succeeded = true;
	past_r->streak = *account->name == 'f' ? 3 : 0;
	entered++;
	last_nth = nth;
	return INT64_MAX - 1000 + nth;
}

static struct roster *make(const char *names, bool once,
	const struct roster *old)
{
	struct arena *arena = arena_new();
	const struct config *config = configure(arena, names);
	const struct account *list[32];
	size_t i;

	for (i = 0; i < config->count; i++)
		list[i] = &config->accounts[i];
	entered = 0;
	return roster_new(arena, config, list, (uint32_t)config->count, once,
		old, enter);
}

static void test_find(void)
{
	struct roster *r = make("dbacef", false, NULL);
	bool ok = true;
	uint32_t i;

	for (i = 0; i < r->count; i++)
		ok = ok && roster_find(r, r->accounts[i]->name) == i;
	tap_ok(ok && strcmp(r->accounts[0]->name, "d") == 0,
		"numbers go by the configuration, names find them");
	tap_ok(roster_find(r, "A") == ROSTER_NOBODY
		&& roster_find(r, "") == ROSTER_NOBODY
		&& roster_find(r, "bb") == ROSTER_NOBODY
		&& roster_find(r, "z") == ROSTER_NOBODY,
		"a name that is not there is not found");
	roster_drop(r);
	r = make("", false, NULL);
	tap_ok(roster_find(r, "a") == ROSTER_NOBODY && r->count == 0
		&& sched_next(r->sched) == INT64_MAX, "none at all");
	roster_drop(r);
}

static void test_many(void)
{
	struct arena *arena = arena_new();
	struct config *config = arena_alloc(arena, sizeof(*config));
	const struct account *list[MANY];
	struct account *account;
	struct roster *r;
	uint32_t i;
	bool ok = true;

	config->parallel = config->per_host = 1;
	for (i = 0; i < MANY; i++) {
		account = arena_alloc(arena, sizeof(*account));
		account->name = arena_printf(arena, "a%u",
			(unsigned)(i * 37 % MANY));
		account->host = account->name;
		list[i] = account;
	}
	r = roster_new(arena, config, list, MANY, true, NULL, NULL);
	for (i = 0; i < MANY; i++)
		ok = ok && roster_find(r, list[i]->name) == i;
	tap_ok(ok, "many");
	roster_drop(r);
}

static void test_enter(void)
{
	struct roster *r = make("abf", false, NULL);

	tap_ok(entered == 3 && last_nth == 2
		&& sched_due(r->sched, 1) == INT64_MAX - 999,
		"each new account is asked about");
	roster_drop(r);
	r = make("abf", true, NULL);
	tap_ok(entered == 0 && sched_next(r->sched) == INT64_MAX,
		"for one round all wait to be asked");
	sched_event(r->sched, 2, SCHED_POLL, 0);
	tap_ok(sched_state(r->sched, 2) == SCHED_READY, "and are polled then");
	roster_drop(r);
}

/* Removed, added, moved. */
static void test_carry(void)
{
	struct roster *old = make("abcd", false, NULL), *r;

	old->notes[roster_find(old, "d")] = 17;
	sched_event(old->sched, roster_find(old, "d"), SCHED_PAUSE, 0);
	sched_event(old->sched, roster_find(old, "c"), SCHED_POLL, 0);
	r = make("dxya", false, old);
	tap_ok(sched_is_paused(r->sched, 0) && r->notes[0] == 17,
		"one that has moved brings its state and its note along");
	tap_ok(roster_find(r, "c") == ROSTER_NOBODY && sched_idle(r->sched),
		"one that is gone is gone");
	tap_ok(entered == 2 && last_nth == 1 && r->notes[1] == 0
		&& sched_state(r->sched, 2) == SCHED_WAITING,
		"only the new ones are asked about");
	tap_ok(sched_due(r->sched, 3) <= INT64_MAX - 1000,
		"one that stays keeps its time");
	roster_drop(old);
	roster_drop(r);
}

static void test_users(void)
{
	struct roster *r = make("ab", false, NULL);

	roster_use(r);
	roster_drop(r);
	tap_ok(r->users == 1 && roster_find(r, "b") == 1,
		"a pass keeps its roster alive");
	roster_drop(r);
	roster_drop(NULL);
}

int main(void)
{
	test_find();
	test_many();
	test_enter();
	test_carry();
	test_users();
	return tap_done();
}
