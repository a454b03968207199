/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_COMMAND_ONCE_H
#define AGENT_COMMAND_ONCE_H

#include "agent/command/progress.h"

/*
 * One poll of some accounts, all in parallel, with a person watching.
 */

struct once_options {
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
enum err_class once_run(const struct once_options *options);

#endif
