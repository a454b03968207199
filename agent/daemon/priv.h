/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_DAEMON_PRIV_H
#define AGENT_DAEMON_PRIV_H

#include "agent/control/control.h"
#include "agent/daemon/daemon.h"
#include "agent/parent/parent.h"

/*
 * What the files of the daemon share, from the top: daemon.c (its life), ask.c
 * (what callers ask for), reload.c (another configuration), event.c, metrics.c.
 */

struct daemon {
	const struct daemon_options *options;
	struct parent *parent;
	struct control *control;	/* NULL: there is none */
	int lock;			/* of the state directory */
	int64_t since;			/* seconds since 1970 */
	clock_ms next_ping, next_metrics;
	bool reload;			/* SIGHUP came */
};

/* For control_open(). */
int daemon_ask(void *arg, int argc, char **argv, FILE *out);

/* A roster of the enabled accounts of a configuration. */
struct roster *daemon_roster(struct arena *arena, const struct config *config,
	const struct roster *old);
/* Reads the configuration again. What it changes, or every mistake, goes to
 * `out`; the log gets it anyway. False if the old one stays. */
bool daemon_reload(struct daemon *d, FILE *out);
/* event.c: all accounts, or one (an id), are polled now, paused, resumed... */
void daemon_event(struct daemon *d, uint32_t id, enum sched_event event);
#define DAEMON_ALL UINT32_MAX

/* Has the metrics file written, if there is to be one, by a child. */
void daemon_start_metrics(struct daemon *d);
/* For struct parent_owner. */
size_t daemon_foreign(void *arg, int *list);

#endif
