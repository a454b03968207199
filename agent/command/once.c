/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/command/once.h"

#include "agent/base/log.h"
#include "agent/parent/parent.h"
#include "agent/parent/signals.h"

/* A worker that does not heed STOP within this is ended; recovery does the
 * rest. */
#define STOP_MS 15000

struct once {
	struct parent *parent;
	struct progress progress;
	enum err_class worst;
};

static void ended(void *arg, const struct parent_slot *slot)
{
	struct once *once = arg;

	progress_result(&once->progress, &slot->proc);
	once->worst = err_worse(once->worst,
		(enum err_class)slot->proc.report.class);
}

static clock_ms next(void *arg, clock_ms otherwise)
{
	const struct once *once = arg;

	return progress_next(&once->progress, otherwise);
}

static void react(void *arg, const struct pollfd *fds, size_t count)
{
	struct once *once = arg;

	(void)fds;
	(void)count;
	progress_draw(&once->progress, once->parent);
}

static void signalled(void *arg, unsigned int signals)
{
	struct once *once = arg;

	(void)signals;
	if (!parent_stopping(once->parent))
		log_info("stopping");
	parent_stop(once->parent);
}

static struct roster *all_at_once(const struct once_options *options)
{
	struct roster *roster = roster_new(NULL, options->config,
		options->accounts, (uint32_t)options->count, true, NULL, NULL);
	uint32_t i;

	for (i = 0; i < roster->count; i++)
		sched_event(roster->sched, i, SCHED_POLL, 0);
	return roster;
}

enum err_class once_run(const struct once_options *options)
{
	struct once once = { .worst = ERR_NONE };
	struct parent_options parent = { NULL, options->pass, options->trace,
		STOP_MS, false, { .arg = &once, .ended = ended, .next = next,
		.react = react, .signalled = signalled }, NULL };
	struct err err = ERR_INIT;

	if (!session_prompt(options->accounts, options->count,
		&parent.prompts, &err) || !signals_catch(false, &err)) {
		log_err(LOG_LEVEL_ERROR, &err);
		return err.class;
	}
	progress_init(&once.progress, options->quiet, options->trace == NULL);
	parent.pass.watched = once.progress.live;
	parent.roster = all_at_once(options);
	once.parent = parent_new(&parent);
	for (parent_start(once.parent); !parent_idle(once.parent);)
		parent_turn(once.parent);
	progress_end(&once.progress);
	if (parent_stopping(once.parent))
		once.worst = err_worse(once.worst, ERR_STOP);
	parent_free(once.parent);
	session_prompts_free(parent.prompts);
	return once.worst;
}
