/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/sched/sched.h"

#include <assert.h>

#include "agent/base/limits.h"
#include "agent/sched/priv.h"

/* So often a login that used to work may be refused before it is believed. */
#define REFUSALS_FORGIVEN 3
/* A server that is dead, or that says nothing at all, costs less than this. */
#define SLOW_MS (5 * 60 * 1000)

static const char *const state_names[] = {
	[SCHED_WAITING] = "waiting", [SCHED_READY] = "ready",
	[SCHED_RUNNING] = "running", [SCHED_HELD] = "held",
	[SCHED_PAUSED] = "paused",
};
static_assert(sizeof(state_names) / sizeof(state_names[0]) == SCHED_STATES,
	"one name for each state");

/* ---- time ---- */

static bool is_timed(const struct entry *e)
{
	return e->due != NEVER
		&& (e->state == SCHED_WAITING || e->state == SCHED_HELD);
}

static bool is_current(const void *arg, const struct timer *timer)
{
	const struct sched *s = arg;
	const struct entry *e = &s->entries[timer->id];

	return e->stamp == timer->stamp && is_timed(e);
}

void sched_arm(struct sched *s, uint32_t id, clock_ms due)
{
	struct entry *e = &s->entries[id];

	e->due = due;
	e->offset = 0;
	e->stamp++;
	if (due == NEVER)
		return;
	if (s->timers.count == s->timers.room)
		timers_sweep(&s->timers, is_current, s);
	timers_push(&s->timers, (struct timer){ due, id, e->stamp });
}

clock_ms sched_pause_ms(const struct entry *e)
{
	uint32_t seconds = e->interval > e->delay ? e->interval : e->delay;

	return (clock_ms)seconds * 1000;
}

/* The next poll, at `due` and a little later. The server's delay counts from
 * now: it does not know when we wanted to come. */
static void arm_about(struct sched *s, uint32_t id, clock_ms due, clock_ms now)
{
	struct entry *e = &s->entries[id];
	clock_ms earliest = now + (clock_ms)e->delay * 1000, at;

	if (e->interval == 0) {
		sched_arm(s, id, NEVER);
		return;
	}
	at = due + (clock_ms)sched_random(s, (uint64_t)e->jitter * 1000 + 1);
	at = at < earliest ? earliest : at;
	sched_arm(s, id, at);
	e->offset = (uint32_t)(at - due);
}

/* ---- what follows from an event ---- */

typedef void action(struct sched *s, uint32_t id, clock_ms now);

static void set_state(struct sched *s, uint32_t id, enum sched_state state)
{
	struct entry *e = &s->entries[id];

	s->ready -= e->state == SCHED_READY;
	s->ready += state == SCHED_READY;
	e->state = (uint8_t)state;
}

static void make_ready(struct sched *s, uint32_t id, clock_ms now)
{
	struct entry *e = &s->entries[id];

	e->held = e->state == SCHED_HELD && now < e->hold_end;
	set_state(s, id, SCHED_READY);
	sched_enqueue(s, id);
}

/* The first moment from `least` on that is some rounds away from `base`. */
static clock_ms in_step(clock_ms base, clock_ms round, clock_ms least)
{
	clock_ms behind = (least - base) % round;

	return behind <= 0 ? least - behind : least - behind + round;
}

static clock_ms base_of(const struct entry *e, clock_ms now)
{
	return e->due == NEVER ? now : e->due - e->offset;
}

/* It keeps its place in the round: all accounts that were polled because
 * somebody asked, or resumed, would come due at one moment from then on. */
static void poll_now(struct sched *s, uint32_t id, clock_ms now)
{
	struct entry *e = &s->entries[id];
	clock_ms round = sched_pause_ms(e);

	e->offset = round == 0 ? 0 : (uint32_t)(now
		- in_step(base_of(e, now), round, now - round + 1));
	e->due = e->hold_end = now;
	e->stamp++;
	make_ready(s, id, now);
}

static void start(struct sched *s, uint32_t id, clock_ms now)
{
	s->entries[id].started = now;
	set_state(s, id, SCHED_RUNNING);
	sched_take_slot(s, &s->entries[id]);
}

static void pause_it(struct sched *s, uint32_t id, clock_ms now)
{
	(void)now;
	s->entries[id].paused = true;
	s->entries[id].again = false;
	if (s->entries[id].state == SCHED_RUNNING)
		return;		/* when it has ended */
	set_state(s, id, SCHED_PAUSED);
	s->entries[id].stamp++;
}

static void resume(struct sched *s, uint32_t id, clock_ms now)
{
	s->entries[id].paused = false;
	if (s->entries[id].state == SCHED_PAUSED)
		poll_now(s, id, now);
}

static void poll_again(struct sched *s, uint32_t id, clock_ms now)
{
	(void)now;
	s->entries[id].again = true;
}

static void poll_if_bad(struct sched *s, uint32_t id, clock_ms now)
{
	if (s->entries[id].streak != 0)
		poll_now(s, id, now);
}

/* A pass has ended and its next time is set; what was asked for meanwhile
 * comes first. */
static void settle(struct sched *s, uint32_t id, enum sched_state state,
	clock_ms now)
{
	struct entry *e = &s->entries[id];

	sched_free_slot(s, e);
	set_state(s, id, state);
	if (e->again)
		poll_now(s, id, now);
	else if (e->paused)
		pause_it(s, id, now);
	e->again = false;
}

/* A fixed rate, so that a long pass does not shift the next. */
static void next_round(struct sched *s, uint32_t id, clock_ms now)
{
	struct entry *e = &s->entries[id];
	clock_ms base = base_of(e, now), round = sched_pause_ms(e);
	clock_ms due = base + round;

	if (round != 0 && due < now)
		due = in_step(base, round, now + round / 2);
	arm_about(s, id, due, now);
	settle(s, id, SCHED_WAITING, now);
}

static void went_well(struct sched *s, uint32_t id, clock_ms now)
{
	struct entry *e = &s->entries[id];

	e->streak = 0;
	e->refusals = 0;
	e->succeeded = true;
	next_round(s, id, now);
}

/* Another bad pass. */
static void count_bad(struct entry *e, clock_ms now)
{
	e->slow = now - e->started > SLOW_MS;
	if (e->streak < UINT32_MAX)
		e->streak++;
}

static uint32_t doublings(const struct entry *e)
{
	return e->streak < BACKOFF_DOUBLINGS ? e->streak : BACKOFF_DOUBLINGS;
}

static void back_off(struct sched *s, uint32_t id, clock_ms now,
	uint32_t doubled)
{
	struct entry *e = &s->entries[id];
	clock_ms ms = sched_pause_ms(e), most = ms > SCHED_BACKOFF_MS ? ms
		: SCHED_BACKOFF_MS;

	count_bad(e, now);
	ms <<= doubled;
	arm_about(s, id, now + clock_min(ms, most), now);
	settle(s, id, SCHED_WAITING, now);
}

static void failed(struct sched *s, uint32_t id, clock_ms now)
{
	back_off(s, id, now, doublings(&s->entries[id]));
}

/* Its own interval was too short, unless it has said which one it wants. */
static void delayed(struct sched *s, uint32_t id, clock_ms now)
{
	const struct entry *e = &s->entries[id];
	bool known = e->delay != 0 && e->delay >= e->interval;

	back_off(s, id, now, known ? 0 : doublings(e) + 1);
}

/* Looks again at each interval, tries again at the end. */
static void stay_held(struct sched *s, uint32_t id, clock_ms now)
{
	struct entry *e = &s->entries[id];
	clock_ms look = now + sched_pause_ms(e);

	sched_arm(s, id, e->interval == 0 ? NEVER : clock_min(look, e->hold_end));
	settle(s, id, SCHED_HELD, now);
}

static void stuck(struct sched *s, uint32_t id, clock_ms now)
{
	struct entry *e = &s->entries[id];

	count_bad(e, now);
	e->hold_end = now + SCHED_HOLD_MS;
	stay_held(s, id, now);
}

static void refused(struct sched *s, uint32_t id, clock_ms now)
{
	struct entry *e = &s->entries[id];

	if (e->succeeded && e->refusals < REFUSALS_FORGIVEN) {
		e->refusals++;
		failed(s, id, now);
	} else {
		stuck(s, id, now);
	}
}

static action *const table[SCHED_STATES][SCHED_EVENTS] = {
	[SCHED_WAITING] = {
		[SCHED_DUE] = make_ready, [SCHED_POLL] = poll_now,
		[SCHED_PAUSE] = pause_it, [SCHED_RESUME] = resume,
		[SCHED_CHANGED] = poll_if_bad,
	},
	[SCHED_READY] = {
		[SCHED_STARTED] = start, [SCHED_POLL] = poll_now,
		[SCHED_PAUSE] = pause_it, [SCHED_RESUME] = resume,
		[SCHED_CHANGED] = poll_now,
	},
	[SCHED_RUNNING] = {
		[SCHED_OK] = went_well, [SCHED_MISSED] = next_round,
		[SCHED_FAILED] = failed,
		[SCHED_DELAYED] = delayed, [SCHED_REFUSED] = refused,
		[SCHED_STUCK] = stuck, [SCHED_UNCHANGED] = stay_held,
		[SCHED_POLL] = poll_again, [SCHED_PAUSE] = pause_it,
		[SCHED_RESUME] = resume, [SCHED_CHANGED] = poll_again,
	},
	[SCHED_HELD] = {
		[SCHED_DUE] = make_ready, [SCHED_POLL] = poll_now,
		[SCHED_PAUSE] = pause_it, [SCHED_RESUME] = resume,
		[SCHED_CHANGED] = poll_now,
	},
	[SCHED_PAUSED] = {
		[SCHED_POLL] = poll_now, [SCHED_RESUME] = resume,
	},
};

void sched_event(struct sched *s, uint32_t id, enum sched_event event,
	clock_ms now)
{
	action *act = table[s->entries[id].state][event];

	if (act != NULL)
		act(s, id, now);
}

void sched_advance(struct sched *s, clock_ms now)
{
	const struct timer *first;
	struct timer timer;

	s->now = now;
	while ((first = timers_first(&s->timers)) != NULL
	       && (first->due <= now || !is_current(s, first))) {
		timer = timers_pop(&s->timers);
		if (is_current(s, &timer))
			sched_event(s, timer.id, SCHED_DUE, now);
	}
}

clock_ms sched_next(const struct sched *s)
{
	const struct timer *first = timers_first(&s->timers);

	return first != NULL ? first->due : NEVER;
}

bool sched_take(struct sched *s, uint32_t *id_r, bool *held_r)
{
	uint32_t id = sched_next_ready(s);

	if (id == NOBODY)
		return false;
	sched_event(s, id, SCHED_STARTED, s->now);
	*id_r = id;
	*held_r = s->entries[id].held;
	return true;
}

void sched_delay(struct sched *s, uint32_t id, uint32_t seconds)
{
	s->entries[id].delay = seconds < LIMIT_LOGIN_DELAY ? seconds
		: LIMIT_LOGIN_DELAY;
}

/* ---- looking ---- */

static uint32_t count_running(const struct sched *s)
{
	uint32_t sum = 0;
	int kind;

	for (kind = 0; kind < QUEUES; kind++)
		sum += s->running[kind];
	return sum;
}

bool sched_idle(const struct sched *s)
{
	return s->ready == 0 && count_running(s) == 0;
}

enum sched_state sched_state(const struct sched *s, uint32_t id)
{
	return (enum sched_state)s->entries[id].state;
}

bool sched_is_paused(const struct sched *s, uint32_t id)
{
	return s->entries[id].paused;
}

clock_ms sched_due(const struct sched *s, uint32_t id)
{
	return is_timed(&s->entries[id]) ? s->entries[id].due : NEVER;
}

clock_ms sched_next_poll(const struct sched *s, uint32_t id)
{
	clock_ms due = sched_due(s, id);

	return due != NEVER && s->entries[id].state == SCHED_HELD
		? s->entries[id].hold_end : due;
}

const char *sched_state_name(enum sched_state state)
{
	return state_names[state];
}
