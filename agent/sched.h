/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_SCHED_H
#define AGENT_SCHED_H

#include "agent/progress.h"

/*
 * The parent: starts a worker for every due account, as many at once as the
 * configuration allows, runs MDAs for them, and collects what they report. It
 * never reads a byte from the network.
 */

struct sched_options {
	const struct config *config;
	const struct account *const *accounts;	/* whom to poll */
	size_t count;
	struct pass_options pass;
	FILE *trace;			/* the dialogue, or NULL */
	bool quiet;
};

/* Polls every account once and returns when all are done: the worst class of
 * all of them (ERR_NONE when all went well). SIGINT, SIGTERM and SIGHUP ask
 * the workers to end and wait for them. */
enum err_class sched_fetch(const struct sched_options *options);

#endif
