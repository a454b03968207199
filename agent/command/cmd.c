/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/command/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/state/ledger/ledger.h"

const struct account *cmd_account(const struct cmd_env *env, const char *name)
{
	const struct account *account = config_account(env->config, name);
	const char *near;

	if (account != NULL)
		return account;
	near = config_nearest_account(env->config, name);
	if (near != NULL)
		log_error("there is no account %s in %s; did you mean %s?",
			name, env->config->file, near);
	else
		log_error("there is no account %s in %s", name,
			env->config->file);
	return NULL;
}

static bool already(const struct account *const *list, size_t n,
	const struct account *account)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (list[i] == account)
			return true;
	return false;
}

bool cmd_choose(const struct cmd_env *env, int argc, char **argv, bool all,
	const struct account **list, size_t *count_r)
{
	const struct config *config = env->config;
	const struct account *account;
	size_t i, n = 0;

	for (i = 0; argc == 0 && i < config->count; i++)
		if (all || config->accounts[i].enabled)
			list[n++] = &config->accounts[i];
	for (i = 0; i < (size_t)argc; i++) {
		account = cmd_account(env, argv[i]);
		if (account == NULL)
			return false;
		if (!already(list, n, account))
			list[n++] = account;
	}
	*count_r = n;
	return true;
}

bool cmd_read_ledger(const struct cmd_env *env, const struct account *account,
	struct ledger **ledger_r, struct err *err)
{
	char path[600];
	int dir;

	*ledger_r = NULL;
	snprintf(path, sizeof(path), "%s/%s", env->config->state,
		account->name);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT
			|| err_sys(err, errno, "cannot open %s", path);
	*ledger_r = ledger_read(dir, path, account->name, err);
	close(dir);
	return *ledger_r != NULL || err->class == ERR_NONE;
}
