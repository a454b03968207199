/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <sysexits.h>

#include "agent/base/log.h"
#include "agent/command/cmd.h"
#include "agent/state/ledger/ledger.h"

static enum err_class check_ledger(const struct cmd_env *env,
	const struct account *account)
{
	struct err err = ERR_INIT;
	struct ledger *ledger;

	if (!cmd_read_ledger(env, account, &ledger, &err))
		log_err(LOG_LEVEL_ERROR, &err);
	else if (ledger == NULL)
		printf("%s: nothing fetched yet\n", account->name);
	else
		printf("%s: ledger in order, %zu entries\n", account->name,
			ledger_count(ledger));
	ledger_close(ledger);
	return err.class;
}

/* Where the mistakes would stand. */
static size_t tell_advice(const struct config *config)
{
	size_t n;

	for (n = 0; config->advice[n] != NULL; n++)
		fprintf(stderr, "%s\n", config->advice[n]);
	return n;
}

/* Loading has found every mistake already; what is left is to say so. */
static int run(const struct cmd_env *env, int argc, char **argv)
{
	enum err_class worst = ERR_NONE;
	size_t i, n = tell_advice(env->config);

	(void)argc;
	(void)argv;
	for (i = 0; (env->options & CMD_STATE) != 0
	     && i < env->config->count; i++)
		worst = err_worse(worst, check_ledger(env,
			&env->config->accounts[i]));
	if (worst != ERR_NONE)
		return err_exit_status(worst);
	if (!env->quiet && n == 0)
		printf("%s: %zu account%s, no mistakes\n", env->config->file,
			env->config->count,
			env->config->count == 1 ? "" : "s");
	else if (!env->quiet)
		printf("%s: %zu account%s, no mistakes, %zu warning%s\n",
			env->config->file, env->config->count,
			env->config->count == 1 ? "" : "s", n,
			n == 1 ? "" : "s");
	return EX_OK;
}

const struct cmd cmd_check = {
	"check", "[--state]",
	"Reads the configuration and reports every mistake in it at once, as\n"
	"FILE:LINE:COLUMN. Nothing else is touched: no network, no mail. With --state\n"
	"it also reads every account's ledger and says what is wrong with it.\n"
	"\n"
	"A warning tells how a delivery program that is known (procmail, maildrop,\n"
	"dovecot-lda) will lose mail the way it is called.\n"
	"\n"
	"Exit status: 0 without a mistake, whatever the warnings, 78 otherwise.\n",
	0, 0, CMD_STATE, run,
};
