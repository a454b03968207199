/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "agent/base/log.h"
#include "agent/command/cmd.h"
#include "agent/control/control.h"

/*
 * The commands that are a message to the daemon. They need no configuration:
 * the daemon has one, and the file on disk may be broken just then.
 */

/* Asks, and shows the answer where it belongs. */
static bool ask(const char *path, int argc, const char *const *argv,
	int *status_r, struct err *err)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	bool ok;

	if (out == NULL)
		return err_set(err, ERR_RETRY, "no memory for an answer");
	ok = control_call(path, argc, argv, out, status_r, err);
	fclose(out);
	if (ok)
		fputs(text, *status_r == EX_OK ? stdout : stderr);
	free(text);
	return ok;
}

static int run(const struct cmd_env *env, int argc, char **argv)
{
	/* The name of the command, too. */
	const char *const *request = (const char *const *)(argv - 1);
	struct err err = ERR_INIT;
	char path[PATH_MAX];
	int status = EX_OK;
	bool ok;

	control_find(env->control, path, sizeof(path));
	ok = ask(path, argc + 1, request, &status, &err);
	if (ok && status == EX_OK && strcmp(request[0], "stop") == 0)
		ok = control_wait_gone(path, LIMIT_CONTROL_ANSWER_MS, &err);
	if (ok)
		return status;
	log_err(LOG_LEVEL_ERROR, &err);
	return err.class == ERR_STOP ? EX_UNAVAILABLE
		: err_exit_status(err.class);
}

#define OPTIONS (CMD_CONTROL | CMD_NO_CONFIG)

const struct cmd cmd_poll = {
	"poll", "[ACCOUNT...]",
	"Has the daemon poll the named accounts, or all that are not paused, as soon as\n"
	"there is room, whatever they wait for. Does not wait for the mail.\n",
	0, -1, OPTIONS, run,
};

const struct cmd cmd_pause = {
	"pause", "[ACCOUNT...]",
	"Has the daemon poll the named accounts, or all, no more until `postrider\n"
	"resume`. What is being fetched now is finished.\n",
	0, -1, OPTIONS, run,
};

const struct cmd cmd_resume = {
	"resume", "[ACCOUNT...]",
	"Has the daemon poll the named accounts, or all, again.\n",
	0, -1, OPTIONS, run,
};

const struct cmd cmd_reload = {
	"reload", "",
	"Has the daemon read its configuration again and prints what changed. If the\n"
	"file has mistakes the daemon keeps the configuration it has; all of them are\n"
	"printed, and the exit status is 78.\n",
	0, 0, OPTIONS, run,
};

const struct cmd cmd_stop = {
	"stop", "",
	"Ends the daemon and waits until it is gone. Messages that are being delivered\n"
	"are finished first.\n",
	0, 0, OPTIONS, run,
};
