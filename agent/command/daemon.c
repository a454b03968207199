/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/command/cmd.h"
#include "agent/daemon/daemon.h"

static int run(const struct cmd_env *env, int argc, char **argv)
{
	const struct daemon_options options = { env->config, env->config_file,
		env->control, env->trace, env->level };

	(void)argc;
	(void)argv;
	return err_exit_status(daemon_run(&options));
}

const struct cmd cmd_daemon = {
	"daemon", "",
	"Stays in the foreground and polls each enabled account on its `interval` until\n"
	"it is told to stop: by `postrider stop`, SIGTERM or SIGINT. SIGHUP or `postrider\n"
	"reload` reads the configuration again, SIGUSR1 or `postrider poll` polls now.\n"
	"\n"
	"An account that fails is tried again later each time, up to an hour; one whose\n"
	"login is refused waits until its password or configuration changes, or an\n"
	"hour. It runs under a service manager as Type=notify.\n",
	0, 0, CMD_CONTROL, run,
};
