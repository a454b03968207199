/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_COMMAND_CMD_H
#define AGENT_COMMAND_CMD_H

#include <stdbool.h>
#include <stdio.h>

#include "config/config.h"

/*
 * The commands: one file each, one row each in main.c.
 */

/* Options that only some commands take. */
enum cmd_option {
	CMD_STATE = 1,			/* --state */
	CMD_BASELINE = 2,		/* --baseline */
	CMD_ACCEPT_NEW_STATE = 4,	/* --accept-new-state */
	CMD_JSON = 8,			/* --json */
	CMD_METRICS = 16,		/* --metrics */
	CMD_IF_OLDER = 32,		/* --if-older DURATION */
	CMD_WRITE = 64,			/* --write */
	CMD_CONTROL = 256,		/* --control PATH */
	/* No option: the command needs no configuration and gets none. */
	CMD_NO_CONFIG = 512
};

struct cmd_env {
	const struct config *config;	/* loaded and free of mistakes */
	const char *config_file;	/* --config, or NULL */
	int level;			/* of --verbose or --quiet, or negative */
	FILE *trace;			/* --trace, or NULL */
	bool quiet;
	unsigned int options;		/* enum cmd_option */
	const char *control;		/* --control, or NULL */
	const char *if_older;		/* --if-older, or NULL */
};

struct cmd {
	const char *name;
	const char *usage;		/* arguments */
	const char *help;		/* what --help adds */
	int min_args, max_args;		/* max_args < 0: any number */
	unsigned int options;		/* enum cmd_option it takes */
	/* argv holds argc arguments; argv[-1] is the command's name. Returns
	 * an exit status (sysexits.h). */
	int (*run)(const struct cmd_env *env, int argc, char **argv);
};

extern const struct cmd cmd_fetch;
extern const struct cmd cmd_check;
extern const struct cmd cmd_probe;
extern const struct cmd cmd_talk;
extern const struct cmd cmd_status;
extern const struct cmd cmd_import;
extern const struct cmd cmd_daemon;
extern const struct cmd cmd_poll;
extern const struct cmd cmd_pause;
extern const struct cmd cmd_resume;
extern const struct cmd cmd_reload;
extern const struct cmd cmd_stop;

/* The account an argument names, or NULL after an error message with the
 * nearest known name. */
const struct account *cmd_account(const struct cmd_env *env, const char *name);

/* The accounts that the arguments name, each once; with none, all that are
 * enabled, or `all`. The list has room for every account. False after an
 * error message. */
bool cmd_choose(const struct cmd_env *env, int argc, char **argv, bool all,
	const struct account **list, size_t *count_r) MUST_USE;

/* Reads an account's ledger to look at; *ledger_r is NULL without an error if
 * there is none yet. */
struct ledger;
bool cmd_read_ledger(const struct cmd_env *env, const struct account *account,
	struct ledger **ledger_r, struct err *err) MUST_USE;

#endif
