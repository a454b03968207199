/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "agent/base/arena.h"
#include "agent/base/log.h"
#include "agent/command/cmd.h"
#include "agent/status/status.h"

/* Text, or JSON with what stands before it. */
static enum err_class show(const struct cmd_env *env,
	const struct account *account, const struct status_daemon *daemon,
	const char *comma)
{
	struct status_account status;
	struct err err = ERR_INIT;
	struct ledger *ledger;

	if (!cmd_read_ledger(env, account, &ledger, &err))
		log_err(LOG_LEVEL_ERROR, &err);
	status_gather(env->config, account, daemon, ledger, &status);
	if ((env->options & CMD_JSON) != 0) {
		fputs(comma, stdout);
		status_print_json(stdout, &status);
	} else if (err.class == ERR_NONE) {
		status_print_text(stdout, &status);
	}
	ledger_close(ledger);
	return err.class;
}

static void begin(const struct cmd_env *env,
	const struct status_daemon *daemon)
{
	if ((env->options & CMD_JSON) == 0)
		return;
	if (daemon->pid == 0)
		printf("{\"daemon\": null, \"accounts\": [");
	else
		printf("{\"daemon\": {\"pid\": %" PRIu64 ", \"since\": %" PRId64
			"}, \"accounts\": [", daemon->pid, daemon->since);
}

static enum err_class show_all(const struct cmd_env *env,
	const struct account *const *list, size_t n)
{
	enum err_class worst = ERR_NONE;
	struct status_daemon daemon;
	size_t i;

	status_ask(env->config, env->control, &daemon);
	begin(env, &daemon);
	for (i = 0; i < n; i++)
		worst = err_worse(worst, show(env, list[i], &daemon,
			i == 0 ? "\n" : ",\n"));
	if ((env->options & CMD_JSON) != 0)
		printf("\n]}\n");
	status_forget(&daemon);
	return worst;
}

static enum err_class show_metrics(const struct cmd_env *env,
	const struct account *const *list, size_t n)
{
	const struct status_daemon none = { .pid = 0 };
	struct status_account *status = mem_grow(NULL, n + 1, sizeof(*status));
	size_t i;

	for (i = 0; i < n; i++)
		status_gather(env->config, list[i], &none, NULL, &status[i]);
	status_print_metrics(stdout, status, n);
	free(status);
	return ERR_NONE;
}

static int run(const struct cmd_env *env, int argc, char **argv)
{
	const struct account **list = mem_grow(NULL, env->config->count + 1,
		sizeof(*list));
	int status = EX_USAGE;
	size_t n;

	if (cmd_choose(env, argc, argv, true, list, &n))
		status = err_exit_status((env->options & CMD_METRICS) != 0
			? show_metrics(env, list, n)
			: show_all(env, list, n));
	free(list);
	return status;
}

const struct cmd cmd_status = {
	"status", "[--json | --metrics] [ACCOUNT...]",
	"Shows how the named accounts, or all, fare: when they were last polled, since\n"
	"when and why they fail, how much came in all, how long the server's certificate\n"
	"is valid, and every message that is set aside because its destination refused\n"
	"it or the server would not hand it over, with the reason and the time of the\n"
	"next try. What needs a person is marked with `!'. If a daemon runs, it is asked\n"
	"when the next poll is. Touches neither network nor mail.\n"
	"\n"
	"  --json              one JSON object\n"
	"  --metrics           OpenMetrics text\n",
	0, -1, CMD_JSON | CMD_METRICS | CMD_CONTROL, run,
};
