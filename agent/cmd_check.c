/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <sysexits.h>

#include "agent/cmd.h"

/* Loading has found every mistake already; what is left is to say so. */
static int run(const struct cmd_env *env, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	if (!env->quiet)
		printf("%s: %zu account%s, no mistakes\n", env->config->file,
			env->config->count,
			env->config->count == 1 ? "" : "s");
	return EX_OK;
}

const struct cmd cmd_check = {
	"check", "",
	"Reads the configuration and reports every mistake in it at once, as\n"
	"FILE:LINE:COLUMN. Nothing else is touched: no network, no mail.\n"
	"\n"
	"Exit status: 0 without a mistake, 78 otherwise.\n",
	0, 0, run,
};
