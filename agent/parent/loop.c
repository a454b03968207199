/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "agent/base/log.h"
#include "agent/parent/priv.h"
#include "agent/parent/signals.h"

/*
 * One round of the parent: it waits for all descriptors at once, and deals with
 * what has happened.
 */

#define FOREVER_MS 3600000
/* Between two looks at everything when the system cannot wait for us. */
#define NAP_MS 50

static int timeout(const struct parent *p)
{
	const struct parent_owner *owner = &p->options.owner;
	clock_ms next = clock_after(FOREVER_MS);
	size_t i;

	if (owner->next != NULL)
		next = owner->next(owner->arg, next);
	if (p->stopping)
		next = clock_min(next, p->stop_deadline);
	else
		next = clock_min(next, sched_next(p->roster->sched));
	if (p->breather != 0)
		next = clock_min(next, p->breather);
	for (i = 0; i < p->running; i++)
		next = proc_next(&p->slots[i]->proc, next);
	return clock_left(next);
}

static void watch(struct pollfd *p, int fd)
{
	p->fd = fd;
	p->events = POLLIN;
	p->revents = 0;
}

static size_t fill_fds(struct parent *p)
{
	const struct parent_owner *owner = &p->options.owner;
	struct parent_slot *slot;
	size_t i, n = 1;

	watch(&p->fds[0], signals_fd());
	p->guests = owner->watch == NULL ? 0
		: owner->watch(owner->arg, p->fds + 1);
	n += p->guests;
	for (i = 0; i < p->running; i++) {
		slot = p->slots[i];
		watch(&p->fds[n++], slot->proc.chan);
		/* The system counts what need not be watched, too. */
		slot->output_watched = mda_speaks(&slot->proc.mda);
		if (slot->output_watched)
			watch(&p->fds[n++], slot->proc.mda.output);
	}
	return n;
}

/* If the system cannot wait for so many, each is looked at now and then:
 * reading where nothing is does no harm. */
static void wait_for_events(struct parent *p)
{
	size_t i, n = fill_fds(p);
	int ready = poll(p->fds, n, timeout(p));
	short all = POLLIN;

	if (ready >= 0) {
		p->blind = false;
		return;
	}
	if (errno == EINTR) {
		all = 0;
	} else {
		if (!p->blind)
			log_error("poll: %s; looking at everything %d times a second",
				strerror(errno), 1000 / NAP_MS);
		p->blind = true;
		clock_sleep(NAP_MS);
	}
	for (i = 0; i < n; i++)
		p->fds[i].revents = all;
}

static void read_slots(struct parent *p)
{
	const struct pollfd *fd = p->fds + 1 + p->guests;
	struct parent_slot *slot;
	struct proc *proc;
	size_t i;

	for (i = 0; i < p->running; i++) {
		slot = p->slots[i];
		proc = &slot->proc;
		if (fd++->revents != 0 && proc->chan >= 0)
			proc_read_channel(proc);
		if (slot->output_watched && fd++->revents != 0
		    && proc->mda.output >= 0)
			mda_read(&proc->mda);
		proc_tick(proc);
	}
}

static void retire(struct parent *p, size_t i)
{
	struct parent_slot *slot = p->slots[i];

	p->slots[i] = p->slots[--p->running];
	p->slots[p->running] = slot;
	parent_ended(p, slot);
}

static void reap(struct parent *p)
{
	int status;
	pid_t pid;
	size_t i;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (i = 0; i < p->running; i++) {
			if (!proc_reaped(&p->slots[i]->proc, pid, status))
				continue;
			if (p->slots[i]->proc.state == PROC_DONE)
				retire(p, i);
			break;
		}
}

static void read_signals(struct parent *p)
{
	const struct parent_owner *owner = &p->options.owner;
	unsigned int set = signals_take();

	if (owner->signalled != NULL && (set & ~(unsigned)SIGNALS_CHILD) != 0)
		owner->signalled(owner->arg, set);
	reap(p);
}

/* Recovery does the rest. */
static void kill_slow(struct parent *p)
{
	size_t i;

	if (!p->stopping || clock_left(p->stop_deadline) > 0)
		return;
	for (i = 0; i < p->running; i++)
		proc_kill(&p->slots[i]->proc);
	/* A program that does not heed TERM gets less time before KILL. */
	p->stop_deadline = clock_after(p->options.stop_ms / 4);
}

void parent_turn(struct parent *p)
{
	const struct parent_owner *owner = &p->options.owner;
	struct pollfd guests[PARENT_GUESTS];

	wait_for_events(p);
	read_slots(p);
	if (p->fds[0].revents != 0)
		read_signals(p);
	/* A guest may replace the roster, and all arrays with it. */
	memcpy(guests, p->fds + 1, p->guests * sizeof(*guests));
	if (owner->react != NULL)
		owner->react(owner->arg, guests, p->guests);
	kill_slow(p);
	parent_start(p);
}
