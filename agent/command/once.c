/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/command/once.h"

#include "agent/base/log.h"
#include "agent/parent/parent.h"
#include "agent/parent/signals.h"

/* A worker that does not heed STOP within this is ended; recovery does the
 * rest. */
#define STOP_MS 15000

struct fetch {
	struct parent *parent;
	struct progress progress;
	enum err_class worst;
};

static void ended(void *arg, const struct parent_slot *slot)
{
	struct fetch *fetch = arg;

	progress_result(&fetch->progress, &slot->proc);
	fetch->worst = err_worse(fetch->worst,
		(enum err_class)slot->proc.report.class);
}

static clock_ms next(void *arg, clock_ms otherwise)
{
	const struct fetch *fetch = arg;

	return progress_next(&fetch->progress, otherwise);
}

static void react(void *arg, const struct pollfd *fds, size_t count)
{
	struct fetch *fetch = arg;

	(void)fds;
	(void)count;
	progress_draw(&fetch->progress, fetch->parent);
}

static void signalled(void *arg, unsigned int signals)
{
	struct fetch *fetch = arg;

	(void)signals;
	if (!parent_stopping(fetch->parent))
		log_info("stopping");
	parent_stop(fetch->parent);
}

static struct roster *all_at_once(const struct fetch_options *options)
{
	struct roster *roster = roster_new(NULL, options->config,
		options->accounts, (uint32_t)options->count, true, NULL, NULL);
	uint32_t i;

	for (i = 0; i < roster->count; i++)
		sched_event(roster->sched, i, SCHED_POLL, 0);
	return roster;
}

enum err_class fetch_run(const struct fetch_options *options)
{
	struct fetch fetch = { .worst = ERR_NONE };
	struct parent_options parent = { NULL, options->pass, options->trace,
		STOP_MS, false, { .arg = &fetch, .ended = ended, .next = next,
		.react = react, .signalled = signalled }, NULL };
	struct err err = ERR_INIT;

	if (!session_prompt(options->accounts, options->count,
		&parent.prompts, &err) || !signals_catch(false, &err)) {
		log_err(LOG_LEVEL_ERROR, &err);
		return err.class;
	}
	progress_init(&fetch.progress, options->quiet, options->trace == NULL);
	parent.pass.watched = fetch.progress.live;
	parent.roster = all_at_once(options);
	fetch.parent = parent_new(&parent);
	for (parent_start(fetch.parent); !parent_idle(fetch.parent);)
		parent_turn(fetch.parent);
	progress_end(&fetch.progress);
	if (parent_stopping(fetch.parent))
		fetch.worst = err_worse(fetch.worst, ERR_STOP);
	parent_free(fetch.parent);
	session_prompts_free(parent.prompts);
	return fetch.worst;
}
