/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/fsx.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "agent/base/num.h"
#include "agent/base/spawn.h"
#include "delivery/dest.h"
#include "delivery/filter.h"

/*
 * A program that delivers (MDA). It commits inside its own process, so a
 * crash between its success and our note leaves one message in doubt, which
 * is delivered again and marked. The notes:
 *
 *	start K		attempt K may have begun (durable before it does)
 *	ran		the program took the message
 *	failed K	attempt K ended with a refusal: no doubt
 */

static bool pipe_open(struct dest *dest, struct err *err)
{
	static const struct filter_options whole = { false, false, true };

	(void)err;
	dest->chain = filter_new(&whole);
	return true;
}

static bool pipe_stage(struct dest *dest, struct item *item,
	struct sink **sink_r, struct err *err)
{
	if (!stage_create(&dest->stage, item, err))
		return false;
	*sink_r = filter_start(dest->chain, item->fd, dest->stage.path, "", "",
		err);
	return *sink_r != NULL;
}

static bool hint_number(struct dest *dest, struct item *item, const char *word,
	unsigned int k, struct err *err)
{
	char text[32];

	snprintf(text, sizeof(text), "%s %u", word, k);
	return dest->env->hint(dest->env->arg, item, text, err);
}

/* The attempt that comes next; *doubt_r if the last one may have succeeded. */
static unsigned int next_attempt(const struct item *item, bool *doubt_r)
{
	const char *space = strchr(item->hint, ' ');
	uint64_t k = 0;

	*doubt_r = strncmp(item->hint, "start ", 6) == 0;
	if (space != NULL)
		num_u64(space + 1, strlen(space + 1), 1000000, &k);
	return (unsigned int)k + 1;
}

/* The program gets a descriptor that can only read. */
static bool reopen_to_read(struct dest *dest, struct item *item,
	struct err *err)
{
	stage_close(item);
	item->fd = openat(dest->stage.dir, item->name,
		O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (item->fd >= 0)
		return true;
	return err_sys(err, errno, "cannot open %s/%s", dest->stage.path,
		item->name);
}

static bool refused(struct dest *dest, struct item *item, unsigned int attempt,
	int status, const char *output, struct err *err)
{
	char words[80];

	item->state = ITEM_DEFERRED;
	err_set(&item->err, ERR_MSG, "%s %s%s%s", dest->path,
		spawn_status(words, sizeof(words), status),
		output[0] != '\0' ? ": " : "", output);
	return hint_number(dest, item, "failed", attempt, err)
		&& dest->env->hint_flush(dest->env->arg, err);
}

static bool deliver_one(struct dest *dest, struct item *item, struct err *err)
{
	char output[LIMIT_MDA_OUTPUT];
	const struct dest_env *env = dest->env;
	struct dest_run run;
	bool doubt;
	int status;

	run.attempt = next_attempt(item, &doubt);
	if (doubt)
		log_warn(
			"message %s: the last run was cut off while %s had it; attempt %u may deliver it a second time",
			item->name, dest->path, run.attempt);
	if (!env->may_go_on(env->arg, err)
	    || !reopen_to_read(dest, item, err)
	    || !sender_read(item, run.sender, err)
	    || !hint_number(dest, item, "start", run.attempt, err)
	    || !env->hint_sync(env->arg, err)
	    || !env->spawn(env->arg, item, &run, &status, output,
		    sizeof(output), err))
		return false;
	stage_close(item);
	if (status != 0)
		return refused(dest, item, run.attempt, status, output, err);
	item->state = ITEM_DELIVERED;
	return env->hint(env->arg, item, "ran", err)
		&& env->hint_flush(env->arg, err);
}

static bool pipe_commit(struct dest *dest, struct item *const *items,
	size_t n, struct err *err)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!deliver_one(dest, items[i], err))
			return false;
	return true;
}

static bool pipe_sync(struct dest *dest, struct err *err)
{
	(void)dest;
	(void)err;
	return true;
}

static void pipe_release(struct dest *dest, struct item *const *items,
	size_t n)
{
	stage_clear(&dest->stage, items, n);
}

static bool pipe_look(struct dest *dest, struct item *const *items,
	size_t n, struct err *err)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (strcmp(items[i]->hint, "ran") == 0)
			items[i]->state = ITEM_DELIVERED;
		else if (!stage_reopen(&dest->stage, items[i], err))
			return false;
	}
	return true;
}

static void pipe_close(struct dest *dest)
{
	(void)dest;
}

const struct dest_kind dest_pipe = {
	"pipe", false, true, pipe_open, pipe_stage, pipe_commit, pipe_sync,
	pipe_release, pipe_look, pipe_close,
};
