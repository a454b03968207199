/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "agent/base/arena.h"
#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/num.h"
#include "agent/command/cmd.h"
#include "agent/command/once.h"
#include "agent/state/account_dir.h"
#include "agent/state/memory.h"

/* The line about new mail names no more accounts than this. */
#define NAMES 5

/* Whether it went well or not: one that fails is not tried more often. */
static bool is_fresh(const struct outcome *outcome, uint64_t seconds)
{
	int64_t now = clock_wall();

	return outcome->tried != 0 && outcome->tried <= now
		&& (uint64_t)(now - outcome->tried) < seconds;
}

/* Leaves those that are to be polled, and how many messages each has had. */
static size_t keep_older(const struct cmd_env *env, uint64_t seconds,
	const struct account **list, size_t count, uint64_t *messages)
{
	const char *state = env->config->state;
	struct memory memory;
	size_t i, n = 0;

	for (i = 0; i < count; i++) {
		memory_load(state, list[i]->name, &memory);
		if (is_fresh(&memory.outcome, seconds)
		    || account_dir_busy(state, list[i]->name))
			continue;
		messages[n] = memory.outcome.messages;
		list[n++] = list[i];
	}
	return n;
}

/* "3 new messages for home, work" */
static void tell_news(const struct cmd_env *env,
	const struct account *const *list, size_t count,
	const uint64_t *messages)
{
	char names[NAMES * (LIMIT_ACCOUNT_NAME + 2) + 1] = "";
	uint64_t news = 0, one;
	size_t i, n = 0, len = 0;
	struct memory memory;

	for (i = 0; i < count; i++) {
		memory_load(env->config->state, list[i]->name, &memory);
		one = memory.outcome.messages - messages[i];
		if (memory.outcome.messages <= messages[i])
			continue;
		news += one;
		if (n++ < NAMES)
			len += (size_t)snprintf(names + len,
				sizeof(names) - len, "%s%s",
				n > 1 ? ", " : "", list[i]->name);
	}
	if (news == 0)
		return;
	printf("%" PRIu64 " new message%s for %s", news, news == 1 ? "" : "s",
		names);
	if (n > NAMES)
		printf(" and %zu more", n - NAMES);
	printf("\n");
}

/* No question reaches a person, and no answer us. */
static void close_input(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && dup2(fd, STDIN_FILENO) >= 0)
		close(fd);
}

/* At a login: quick, silent, and never in the way. */
static enum err_class fetch_older(const struct cmd_env *env, uint64_t seconds,
	const struct account **list, struct once_options *options)
{
	uint64_t *messages = mem_grow(NULL, options->count + 1,
		sizeof(*messages));
	enum err_class worst = ERR_NONE;

	close_input();
	options->pass.unattended = true;
	options->count = keep_older(env, seconds, list, options->count,
		messages);
	if (options->count == 0)
		log_info("nothing to fetch: all accounts were polled within %s, or are being polled",
			env->if_older);
	else
		worst = once_run(options);
	if (env->quiet)
		tell_news(env, list, options->count, messages);
	free(messages);
	return worst;
}

static enum err_class fetch(const struct cmd_env *env, uint64_t seconds,
	const struct account **list, size_t count)
{
	struct once_options options = { env->config, list, count, {
		(env->options & CMD_BASELINE) != 0,
		(env->options & CMD_ACCEPT_NEW_STATE) != 0, false, false },
		env->trace, env->quiet };

	if (count == 0)
		log_warn("no account is enabled");
	return env->if_older != NULL
		? fetch_older(env, seconds, list, &options)
		: once_run(&options);
}

/* What the options say together; false after an error message. */
static bool judge_options(const struct cmd_env *env, uint64_t *seconds_r)
{
	const char *older = env->if_older;

	*seconds_r = 0;
	if (older == NULL)
		return true;
	if (!num_duration(older, strlen(older), seconds_r))
		log_error("--if-older takes a duration such as 90s, 10m or 2h");
	else if ((env->options & (CMD_BASELINE | CMD_ACCEPT_NEW_STATE)) != 0)
		log_error("--if-older goes with neither --baseline nor --accept-new-state, which a person decides on");
	else
		return true;
	return false;
}

static int run(const struct cmd_env *env, int argc, char **argv)
{
	const struct account **list = mem_grow(NULL, env->config->count + 1,
		sizeof(*list));
	int status = EX_USAGE;
	uint64_t seconds;
	size_t count;

	if (judge_options(env, &seconds)
	    && cmd_choose(env, argc, argv, false, list, &count))
		status = err_exit_status(fetch(env, seconds, list, count));
	free(list);
	return status;
}

const struct cmd cmd_fetch = {
	"fetch", "[--if-older TIME | --baseline | --accept-new-state] [ACCOUNT...]",
	"Polls the named accounts, or all that are enabled, once and in parallel,\n"
	"and exits when all are done. New messages go to each account's destination;\n"
	"what its `keep` lets go is deleted on the server.\n"
	"\n"
	"  --if-older TIME     poll only accounts that were not polled within that\n"
	"                      time (10m, 2h) and that no other process works on;\n"
	"                      never ask for anything; with --quiet say only, in one\n"
	"                      line, that mail came\n"
	"  --baseline          mark what is on the server as seen, fetch nothing;\n"
	"                      messages marked so are never deleted\n"
	"  --accept-new-state  go on although the ledger is missing or an old copy, or\n"
	"                      the folder of the mail was made anew: messages may be\n"
	"                      delivered a second time\n"
	"\n"
	"Exit status: 0 when all went well (also without mail), 74 its output\n"
	"could not be written, 75 try later, 76 the server misbehaves, 77 login\n"
	"refused, 78 configuration; the worst account decides.\n",
	0, -1, CMD_IF_OLDER | CMD_BASELINE | CMD_ACCEPT_NEW_STATE, run,
};
