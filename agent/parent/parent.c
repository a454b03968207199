/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/parent/priv.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "agent/base/arena.h"
#include "agent/base/log.h"
#include "agent/parent/signals.h"
#include "agent/parent/verdict.h"

/* Before it tries again to start a worker. */
#define BREATHER_MS 1000

/* Reading the store takes longer than a pass that needs none of it. */
static bool needs_system_trust(const struct roster *roster)
{
	const struct account *a;
	uint32_t i;

	for (i = 0; i < roster->count; i++) {
		a = roster->accounts[i];
		if (a->tls != TLS_NONE && a->ca_file == NULL
		    && a->client_cert == NULL && a->trust != TRUST_PIN)
			return true;
	}
	return false;
}

/* So that no worker has to read them. */
static struct tls_trust *load_trust(const struct roster *roster)
{
	struct tls_trust *trust = tls_trust_new(needs_system_trust(roster));
	const struct account *a;
	uint32_t i;

	for (i = 0; i < roster->count; i++) {
		a = roster->accounts[i];
		if (a->tls != TLS_NONE && a->ca_file != NULL
		    && a->client_cert == NULL)
			tls_trust_file(trust, a->ca_file);
	}
	return trust;
}

/* Each account that runs needs two descriptors here. */
static void raise_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

/* Room for as many passes as the configuration allows. */
static void make_room(struct parent *p)
{
	size_t wanted = (size_t)p->roster->config->parallel;

	if (wanted > p->roster->count)
		wanted = p->roster->count;
	/* Those of accounts that are gone do not count for the scheduler. */
	wanted += p->running;
	if (wanted <= p->capacity && p->fds != NULL)
		return;
	p->slots = mem_grow(p->slots, wanted + 1, sizeof(*p->slots));
	memset(p->slots + p->capacity, 0,
		(wanted - p->capacity) * sizeof(*p->slots));
	p->capacity = wanted;
	p->fds = mem_grow(p->fds, 1 + PARENT_GUESTS + 2 * wanted,
		sizeof(*p->fds));
	p->foreign = mem_grow(p->foreign, 3 + PARENT_FOREIGN + 2 * wanted,
		sizeof(*p->foreign));
}

struct parent *parent_new(const struct parent_options *options)
{
	struct parent *p = mem_grow(NULL, 1, sizeof(*p));

	memset(p, 0, sizeof(*p));
	p->options = *options;
	p->roster = options->roster;
	make_room(p);
	raise_limit();
	return p;
}

static int by_number(const void *a, const void *b)
{
	int one = *(const int *)a, other = *(const int *)b;

	return (one > other) - (one < other);
}

/* A worker gets none of the parent's descriptors but its own channel. Sorted
 * here, so that no worker has to copy the page. */
static void collect_foreign(struct parent *p)
{
	const struct proc *proc;
	size_t i, n = 0;

	p->foreign[n++] = signals_fd();
	p->foreign[n++] = signals_write_fd();
	if (p->options.owner.foreign != NULL)
		n += p->options.owner.foreign(p->options.owner.arg,
			p->foreign + n);
	for (i = 0; i < p->running; i++) {
		proc = &p->slots[i]->proc;
		if (proc->chan >= 0)
			p->foreign[n++] = proc->chan;
		if (proc->mda.output >= 0)
			p->foreign[n++] = proc->mda.output;
	}
	qsort(p->foreign, n, sizeof(*p->foreign), by_number);
	p->foreign[n] = -1;
}

/* Only a pass that was let in knows what delay the server wants. */
static void reschedule(struct parent *p, const struct parent_slot *slot)
{
	const struct report *report = &slot->proc.report;
	enum sched_event event = verdict(report);

	if (event == SCHED_OK || report->login_delay != 0)
		sched_delay(p->roster->sched, slot->id, report->login_delay);
	sched_event(p->roster->sched, slot->id, event, clock_now());
}

void parent_ended(struct parent *p, struct parent_slot *slot)
{
	if (slot->id != ROSTER_NOBODY)
		reschedule(p, slot);
	p->options.owner.ended(p->options.owner.arg, slot);
	roster_drop(slot->roster);
}

/* It is not the account's fault. */
static void postpone(struct parent *p, struct parent_slot *slot,
	const struct err *err)
{
	sched_event(p->roster->sched, slot->id, SCHED_POLL, clock_now());
	sched_event(p->roster->sched, slot->id, SCHED_MISSED, clock_now());
	roster_drop(slot->roster);
	p->breather = clock_after(BREATHER_MS);
	if (clock_left(p->next_word) != 0)
		return;
	log_warn("%s; the accounts wait until it is possible", err->text);
	p->next_word = clock_after(60 * BREATHER_MS);
}

/* Loaded for the first pass that may want it. */
static const struct tls_trust *trust(struct parent *p)
{
	if (p->trust == NULL) {
		p->trust = load_trust(p->roster);
		/* A worker begins with a copy of all that is there. */
		mem_trim();
	}
	return p->trust;
}

static void start(struct parent *p, uint32_t id)
{
	const struct session_options session = { .config = p->roster->config,
		.trust = trust(p), .stop_fd = -1, .trace = p->options.trace,
		.prompts = p->options.prompts };
	struct err err = ERR_INIT;
	struct parent_slot *slot;

	if (p->slots[p->running] == NULL)
		p->slots[p->running] = mem_grow(NULL, 1, sizeof(*slot));
	slot = p->slots[p->running];
	proc_init(&slot->proc, p->roster->accounts[id]);
	slot->roster = roster_use(p->roster);
	slot->id = id;
	if (p->options.owner.starting != NULL)
		p->options.owner.starting(p->options.owner.arg, p->roster, id);
	collect_foreign(p);
	if (proc_start(&slot->proc, &session, &p->options.pass, p->foreign,
		&err)) {
		p->running++;
		return;
	}
	if (p->options.patient) {
		postpone(p, slot, &err);
		return;
	}
	slot->proc.state = PROC_DONE;
	report_err(&slot->proc.report, &err);
	parent_ended(p, slot);
}

void parent_start(struct parent *p)
{
	const struct parent_owner *owner = &p->options.owner;
	uint32_t id;
	bool held;

	if (p->stopping)
		return;
	sched_advance(p->roster->sched, clock_now());
	if (p->breather != 0 && clock_left(p->breather) == 0)
		p->breather = 0;
	while (p->breather == 0 && p->running < p->capacity
	       && sched_take(p->roster->sched, &id, &held)) {
		if (held && owner->changed != NULL
		    && !owner->changed(owner->arg, p->roster, id))
			sched_event(p->roster->sched, id, SCHED_UNCHANGED,
				clock_now());
		else
			start(p, id);
	}
}

void parent_stop(struct parent *p)
{
	size_t i;

	if (p->stopping)
		return;
	p->stopping = true;
	p->stop_deadline = clock_after(p->options.stop_ms);
	for (i = 0; i < p->running; i++)
		proc_stop(&p->slots[i]->proc);
}

bool parent_stopping(const struct parent *p)
{
	return p->stopping;
}

bool parent_idle(const struct parent *p)
{
	return p->running == 0 && (p->stopping || sched_idle(p->roster->sched));
}

void parent_replace(struct parent *p, struct roster *roster)
{
	struct parent_slot *slot;
	size_t i;

	for (i = 0; i < p->running; i++) {
		slot = p->slots[i];
		if (slot->id == ROSTER_NOBODY)
			continue;
		slot->id = roster_find(roster, slot->proc.account->name);
		if (slot->id == ROSTER_NOBODY)
			proc_stop(&slot->proc);
	}
	roster_drop(p->roster);
	p->roster = roster;
	parent_drop_trust(p);
	make_room(p);
}

void parent_drop_trust(struct parent *p)
{
	tls_trust_free(p->trust);
	p->trust = NULL;
}

struct roster *parent_roster(const struct parent *p)
{
	return p->roster;
}

struct parent_slot *const *parent_active(const struct parent *p,
	size_t *count_r)
{
	*count_r = p->running;
	return p->slots;
}

void parent_free(struct parent *p)
{
	size_t i;

	if (p == NULL)
		return;
	for (i = 0; i < p->capacity; i++)
		free(p->slots[i]);
	roster_drop(p->roster);
	parent_drop_trust(p);
	free(p->slots);
	free(p->fds);
	free(p->foreign);
	free(p);
}
