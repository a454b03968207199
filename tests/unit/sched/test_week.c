/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/sched/model.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/arena.h"

/*
 * A week of a simulated clock with thousands of accounts, some of them broken,
 * and with everything that a person may ask for, reloads among it. After each
 * step the scheduler and the model must agree.
 *
 *   test_sched_week [--soak]
 */

#define MOST_ACCOUNTS 6000
#define MOST_RUNNING 128
/* Steps of it come by all accounts, in another order. */
#define PRIME 7919

struct pass {
	uint32_t id;
	clock_ms end;
};

struct setting {
	const char *what;
	uint32_t accounts;
	struct model_limits limits;
	uint32_t interval;		/* seconds, at least */
	uint32_t asks, reloads;		/* one in so many steps */
	clock_ms most_wait[3];		/* for a slot, by kind */
	uint64_t seed;
};

struct world {
	const struct setting *setting;
	struct sched *sched;
	struct model_limits limits;
	struct model_account *accounts;
	uint32_t count, names;
	struct pass passes[MOST_RUNNING];
	uint32_t running;
	uint32_t slots[3], host_slots[MODEL_HOSTS][3];	/* taken, by kind */
	uint64_t random;
	clock_ms now, waited[3];
	uint64_t ended, reloads, asked;
	const char *wrong;		/* the first thing that was */
	uint32_t wrong_id;
};

static uint64_t below(struct world *w, uint64_t limit)
{
	return help_below(&w->random, limit);
}

static void need(struct world *w, bool ok, const char *what, uint32_t id)
{
	if (ok || w->wrong != NULL)
		return;
	w->wrong = what;
	w->wrong_id = id;
}

/* ---- accounts ---- */

static struct sched_plan plan_of(const struct model_account *a, char *host,
	size_t size)
{
	snprintf(host, size, "%s%u.example", a->name % 2 == 0 ? "pop" : "Pop",
		(unsigned)a->host);
	return (struct sched_plan){ host, a->interval, a->jitter };
}

static void change_plan(struct world *w, struct model_account *a)
{
	a->interval = w->setting->interval
		+ (uint32_t)below(w, 5 * w->setting->interval);
	a->jitter = (uint32_t)below(w, a->interval / 2);
	a->broken = below(w, 150) == 0;
}

static struct model_account new_account(struct world *w)
{
	struct model_account a = { .state = SCHED_WAITING, .name = w->names++ };

	change_plan(w, &a);
	a.host = (uint32_t)below(w, MODEL_HOSTS);
	a.due = a.base = w->now + (clock_ms)below(w, a.interval * 1000);
	a.since = w->now;
	a.worked = below(w, 2) == 0;
	a.streak = below(w, 10) == 0 ? (uint32_t)below(w, 10) : 0;
	a.slow = a.streak >= 6;
	return a;
}

static void add(struct world *w, const struct model_account *a)
{
	const struct sched_past past = { a->worked, a->streak };
	struct sched_plan plan;
	char host[32];
	uint32_t id;

	plan = plan_of(a, host, sizeof(host));
	id = sched_add(w->sched, &plan, &past, a->due);
	need(w, id == w->count, "ids are given in order", id);
	w->accounts[w->count++] = *a;
}

static void begin(struct world *w, const struct setting *setting)
{
	struct model_account a;
	uint32_t i;

	memset(w, 0, sizeof(*w));
	w->setting = setting;
	w->limits = setting->limits;
	w->random = setting->seed;
	w->accounts = mem_grow(NULL, MOST_ACCOUNTS, sizeof(*w->accounts));
	w->sched = sched_new((struct sched_limits){ w->limits.parallel,
		w->limits.per_host }, setting->seed);
	for (i = 0; i < setting->accounts; i++) {
		a = new_account(w);
		add(w, &a);
	}
}

/* ---- passes ---- */

static void count_slot(struct world *w, const struct model_account *a, bool take)
{
	enum model_kind kind = model_kind(a);

	w->slots[kind] += take ? 1u : -1u;
	w->host_slots[a->host][kind] += take ? 1u : -1u;
}

static bool fits(const struct world *w, const struct model_account *a)
{
	enum model_kind kind = model_kind(a);

	return model_fits(w->limits.parallel, w->slots, kind)
		&& model_fits(w->limits.per_host, w->host_slots[a->host], kind);
}

static clock_ms pass_ms(struct world *w, const struct model_account *a)
{
	if (a->broken && below(w, 20) != 0)
		return 30 * SECOND + (clock_ms)below(w, 6 * HOUR - 30 * SECOND);
	return below(w, 200) == 0 ? (clock_ms)below(w, 20 * MINUTE)
		: (clock_ms)below(w, 4 * SECOND);
}

static enum sched_event how_it_ends(struct world *w,
	const struct model_account *a)
{
	static const enum sched_event bad[] = { SCHED_FAILED, SCHED_FAILED,
		SCHED_FAILED, SCHED_REFUSED, SCHED_REFUSED, SCHED_STUCK,
		SCHED_DELAYED, SCHED_MISSED };

	if (a->look && below(w, 2) == 0)
		return SCHED_UNCHANGED;
	if (a->broken ? below(w, 20) != 0 : below(w, 50) == 0)
		return bad[below(w, sizeof(bad) / sizeof(bad[0]))];
	return SCHED_OK;
}

static void start(struct world *w, uint32_t id, bool held)
{
	struct model_account *a = &w->accounts[id];
	enum model_kind kind = model_kind(a);
	clock_ms waited = w->now - a->due;

	need(w, a->state == SCHED_READY, "only who is ready starts", id);
	need(w, fits(w, a), "no limit is exceeded", id);
	need(w, held == a->look, "who was held only looks", id);
	need(w, w->running < MOST_RUNNING, "there are too many", id);
	if (w->wrong != NULL)
		return;
	if (waited > w->waited[kind])
		w->waited[kind] = waited;
	count_slot(w, a, true);
	model_enter(a, SCHED_RUNNING, w->now);
	w->passes[w->running].id = id;
	w->passes[w->running++].end = w->now + (held ? 0 : pass_ms(w, a));
}

static void end(struct world *w, uint32_t id)
{
	struct model_account *a = &w->accounts[id];
	enum sched_event how = how_it_ends(w, a);
	bool right;

	if (below(w, 100) == 0) {
		a->delay = (uint32_t)below(w, 900);
		sched_delay(w->sched, id, a->delay);
	}
	count_slot(w, a, false);
	sched_event(w->sched, id, how, w->now);
	right = model_end(a, how, w->now, sched_due(w->sched, id));
	if (a->again)
		model_ask(a, w->now);
	else if (a->paused)
		model_enter(a, SCHED_PAUSED, w->now);
	else
		need(w, right, "the next poll is when it should be", id);
	a->again = false;
	a->passes++;
	w->ended++;
}

static void end_passes(struct world *w)
{
	uint32_t i;

	for (i = 0; i < w->running;)
		if (w->passes[i].end <= w->now) {
			end(w, w->passes[i].id);
			w->passes[i] = w->passes[--w->running];
		} else {
			i++;
		}
}

/* ---- what a person asks for ---- */

static void ask(struct world *w)
{
	static const enum sched_event wishes[] = { SCHED_POLL, SCHED_PAUSE,
		SCHED_RESUME, SCHED_RESUME, SCHED_CHANGED };
	uint32_t id = (uint32_t)below(w, w->count);
	struct model_account *a = &w->accounts[id];
	enum sched_event wish = wishes[below(w, 5)];
	bool runs = a->state == SCHED_RUNNING;

	sched_event(w->sched, id, wish, w->now);
	w->asked++;
	if (wish == SCHED_PAUSE) {
		a->paused = true;
		a->again = false;
		if (!runs)
			model_enter(a, SCHED_PAUSED, w->now);
		return;
	}
	if (wish == SCHED_RESUME) {
		a->paused = false;
		if (a->state == SCHED_PAUSED)
			model_ask(a, w->now);
		return;
	}
	if (wish == SCHED_CHANGED && (a->state == SCHED_PAUSED
		|| (a->state == SCHED_WAITING && a->streak == 0)))
		return;
	if (runs)
		a->again = true;
	else
		model_ask(a, w->now);
}

/* ---- reloads ---- */

/* What goes over to another scheduler, as model_account says. */
static void carry(struct world *w, const struct sched *old, uint32_t old_id,
	struct model_account *a)
{
	uint32_t interval = a->interval, jitter = a->jitter, id;
	struct sched_plan plan;
	clock_ms latest;
	char host[32];

	if (below(w, 10) == 0)
		change_plan(w, a);
	latest = w->now + model_gap(a) + a->jitter * SECOND;
	if ((a->state == SCHED_WAITING || a->state == SCHED_HELD)
	    && (a->interval < interval || a->jitter < jitter)
	    && latest < a->due)
		a->due = a->base = latest;
	if (a->state == SCHED_RUNNING)
		count_slot(w, a, true);
	plan = plan_of(a, host, sizeof(host));
	id = sched_carry(w->sched, &plan, old, old_id, w->now);
	need(w, id == w->count, "ids are given in order", id);
	w->accounts[w->count++] = *a;
	/* It is put back, and will be due at once. */
	if (a->state == SCHED_READY)
		w->accounts[id].state = a->look ? SCHED_HELD : SCHED_WAITING;
}

/* A pass of an account that is gone counts no more. */
static void renumber_passes(struct world *w, const uint32_t *new_ids)
{
	uint32_t i, n = 0;

	for (i = 0; i < w->running; i++)
		if (new_ids[w->passes[i].id] != UINT32_MAX) {
			w->passes[n] = w->passes[i];
			w->passes[n++].id = new_ids[w->passes[i].id];
		}
	w->running = n;
}

static void reload(struct world *w)
{
	struct model_account *was = w->accounts, a;
	uint32_t i, count = w->count, old_id;
	uint32_t *new_ids = mem_grow(NULL, count, sizeof(*new_ids));
	struct sched *old = w->sched;

	w->limits.parallel = w->setting->limits.parallel
		- (uint32_t)below(w, 2);
	w->sched = sched_new((struct sched_limits){ w->limits.parallel,
		w->limits.per_host }, w->random);
	w->accounts = mem_grow(NULL, MOST_ACCOUNTS, sizeof(*w->accounts));
	w->count = 0;
	memset(w->slots, 0, sizeof(w->slots));
	memset(w->host_slots, 0, sizeof(w->host_slots));
	for (i = 0; i < count; i++) {
		old_id = (uint32_t)((uint64_t)i * PRIME % count);
		new_ids[old_id] = UINT32_MAX;
		if (below(w, 100) == 0)
			continue;
		new_ids[old_id] = w->count;
		carry(w, old, old_id, &was[old_id]);
	}
	for (; w->count < w->setting->accounts;) {
		a = new_account(w);
		add(w, &a);
	}
	renumber_passes(w, new_ids);
	w->reloads++;
	sched_free(old);
	free(was);
	free(new_ids);
}

/* ---- agreement ---- */

/* Lets those be ready that are due. When the next one is. */
static clock_ms advance_model(struct world *w)
{
	clock_ms next = NEVER;
	struct model_account *a, *last = w->accounts + w->count;

	for (a = w->accounts; a < last; a++) {
		if (a->state != SCHED_WAITING && a->state != SCHED_HELD)
			continue;
		if (a->due <= w->now)
			model_due(a, w->now);
		else
			next = clock_min(next, a->due);
	}
	return next;
}

static void compare(struct world *w)
{
	const struct model_account *a;
	uint32_t i, ready = 0;

	for (i = 0; i < w->count; i++) {
		a = &w->accounts[i];
		ready += a->state == SCHED_READY;
		need(w, sched_state(w->sched, i) == a->state,
			"the state is the right one", i);
		need(w, sched_is_paused(w->sched, i) == a->paused,
			"paused is who was paused", i);
		need(w, sched_due(w->sched, i) == (a->state == SCHED_WAITING
				|| a->state == SCHED_HELD ? a->due : NEVER),
			"the time is the right one", i);
		need(w, a->state != SCHED_READY || !fits(w, a),
			"nobody waits while there is room", i);
	}
	need(w, sched_idle(w->sched) == (ready + w->running == 0),
		"idle is when nothing is to do", 0);
}

static void step(struct world *w)
{
	clock_ms next;
	uint32_t id;
	bool held;

	w->now += (clock_ms)below(w, 5 * SECOND);
	end_passes(w);
	sched_advance(w->sched, w->now);
	next = advance_model(w);
	while (w->wrong == NULL && sched_take(w->sched, &id, &held))
		start(w, id, held);
	need(w, sched_next(w->sched) <= next, "the next timer is not late", 0);
	if (below(w, 50) == 0)
		compare(w);
	if (below(w, w->setting->asks) == 0)
		ask(w);
	if (below(w, w->setting->reloads) == 0)
		reload(w);
}

static void check_waits(struct world *w)
{
	uint32_t i, never = 0;

	for (i = 0; i < 3; i++)
		need(w, w->waited[i] <= w->setting->most_wait[i],
			"nobody waits too long for a slot", i);
	for (i = 0; i < w->count; i++)
		never += w->accounts[i].passes == 0 && !w->accounts[i].paused
			&& w->accounts[i].state == SCHED_READY
			&& w->now - w->accounts[i].due > DAY;
	need(w, never == 0, "nobody starves", 0);
}

static void run(const struct setting *setting, clock_ms how_long)
{
	struct world *w = mem_grow(NULL, 1, sizeof(*w));

	begin(w, setting);
	while (w->now < how_long && w->wrong == NULL)
		step(w);
	check_waits(w);
	tap_note("%s: %u passes, %u requests, %u reloads; waited for a slot: sound %d s, failing %d s, slow %d s",
		setting->what, (unsigned)w->ended, (unsigned)w->asked,
		(unsigned)w->reloads, (int)(w->waited[0] / 1000),
		(int)(w->waited[1] / 1000), (int)(w->waited[2] / 1000));
	if (w->wrong != NULL)
		tap_note("seed %u, after %d s, account %u: not true that %s",
			(unsigned)setting->seed, (int)(w->now / 1000),
			(unsigned)w->wrong_id, w->wrong);
	tap_ok(w->wrong == NULL, "%s, seed %u", setting->what,
		(unsigned)setting->seed);
	sched_free(w->sched);
	free(w->accounts);
	free(w);
}

int main(int argc, char **argv)
{
	static struct setting settings[] = {
		{ "a week of 3,000 accounts", 3000, { 64, 8 }, 600, 20, 2000,
			{ 5 * SECOND, 5 * SECOND, DAY }, 1 },
		{ "a week with too few slots", 600, { 4, 1 }, 60, 10, 300,
			{ DAY, DAY, DAY }, 2 },
		{ "a week of ten accounts", 10, { 2, 2 }, 30, 5, 50,
			{ HOUR, HOUR, HOUR }, 3 },
	};
	bool soak = argc > 1 && strcmp(argv[1], "--soak") == 0;
	unsigned int i, round;

	for (round = 0; round < (soak ? 30u : 1u); round++)
		for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
			run(&settings[i], 7 * DAY);
			settings[i].seed += 1000;
		}
	return tap_done();
}
