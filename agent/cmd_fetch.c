/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <sysexits.h>

#include "agent/base/arena.h"
#include "agent/base/log.h"
#include "agent/cmd.h"
#include "agent/fetch.h"

static int run(const struct cmd_env *env, int argc, char **argv)
{
	const struct account **list = mem_grow(NULL, env->config->count + 1,
		sizeof(*list));
	const struct pass_options pass = {
		(env->options & CMD_BASELINE) != 0,
		(env->options & CMD_ACCEPT_NEW_STATE) != 0,
	};
	struct fetch_options options = { env->config, list, 0, pass,
		env->trace, env->quiet };
	int status = EX_USAGE;

	if (cmd_choose(env, argc, argv, false, list, &options.count)) {
		if (options.count == 0)
			log_warn("no account is enabled");
		status = err_exit_status(fetch_run(&options));
	}
	free(list);
	return status;
}

const struct cmd cmd_fetch = {
	"fetch", "[--baseline | --accept-new-state] [ACCOUNT...]",
	"Polls the named accounts, or all that are enabled, once and in parallel,\n"
	"and exits when all are done. New messages go to each account's destination;\n"
	"what its `keep` lets go is deleted on the server.\n"
	"\n"
	"  --baseline          mark what is on the server as seen, fetch nothing;\n"
	"                      messages marked so are never deleted\n"
	"  --accept-new-state  go on although the ledger is missing or an old copy:\n"
	"                      messages may be delivered a second time\n"
	"\n"
	"Exit status: 0 when all went well (also without mail), 75 try later,\n"
	"76 the server misbehaves, 77 login refused, 78 configuration; the worst\n"
	"account decides.\n",
	0, -1, CMD_BASELINE | CMD_ACCEPT_NEW_STATE, run,
};
