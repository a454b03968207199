/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

#include "agent/base/fsx.h"
#include "agent/base/log.h"
#include "agent/base/log_escape.h"
#include "agent/command/cmd.h"
#include "agent/import/import.h"
#include "agent/state/account_dir.h"
#include "agent/state/ledger/ledger.h"
#include "config/path.h"

/*
 * Either there is no configuration yet: then it is made of the other program's.
 * Or there is one, written by hand or made before: then its accounts learn what
 * the other program has fetched, by host and user.
 */

struct moving {
	struct cmd_env env;		/* with the configuration */
	struct import im;
	struct arena *arena;
	const char *path;		/* of the configuration */
	bool exists;
	char *text;			/* what it is to hold */
};

/* Other programs' words on a terminal. */
static void tell(const char *text)
{
	char line[2048];

	fprintf(stderr, "%s\n", log_escape(line, sizeof(line), text,
		strlen(text)));
}

static void report(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "%s\n", line);
}

static bool load(struct moving *m, struct err *err)
{
	struct err none = ERR_INIT;

	m->path = m->env.config_file;
	if (m->path == NULL)
		m->exists = path_find_config(m->arena, &m->path, &none);
	else
		m->exists = access(m->path, F_OK) == 0 || errno != ENOENT;
	if (m->path == NULL)
		return err_set(err, ERR_CONFIG,
			"there is no place for a configuration: $HOME is not set; give one with --config FILE");
	if (m->exists)
		return config_load(m->path, m->arena, report, NULL,
			&m->env.config, err);
	return config_parse("the imported configuration", m->text,
		strlen(m->text), m->arena, report, NULL, &m->env.config, err);
}

static bool is_for(const struct import_account *a,
	const struct account *account)
{
	return account->host != NULL && account->user != NULL
		&& strcasecmp(a->host, account->host) == 0
		&& strcmp(a->user, account->user) == 0
		&& (a->port == 0 || a->port == account->port);
}

/* The next account of ours that is this one of the other program. */
static const struct account *next_match(const struct moving *m,
	const struct import_account *a, const struct account *after)
{
	const struct config *config = m->env.config;
	const struct account *end = config->accounts + config->count;
	const struct account *at = after == NULL ? config->accounts
		: after + 1;

	for (; at != end; at++)
		if (m->exists ? is_for(a, at) : strcmp(a->name, at->name) == 0)
			return at;
	return NULL;
}

/* A ledger of our own knows better, and what is not in it was not delivered. */
static bool is_new(struct moving *m, const struct account *account,
	struct err *err)
{
	struct ledger *ledger;
	bool found;

	if (!cmd_read_ledger(&m->env, account, &ledger, err))
		return false;
	found = ledger != NULL;
	ledger_close(ledger);
	return !found || err_set(err, ERR_CONFIG,
		"account %s has fetched mail already, and knows what: only an account that has not can learn from %s", account->name, m->im.program);
}

static bool check_all(struct moving *m, struct err *err)
{
	const struct import_account *a;
	const struct account *ours;

	for (a = m->im.accounts; a != NULL; a = a->next) {
		ours = next_match(m, a, NULL);
		if (ours == NULL)
			return err_set(err, ERR_CONFIG,
				"%s has no account for %s at %s: add what is shown above, or move the file away", m->path, a->user, a->host);
		for (; ours != NULL; ours = next_match(m, a, ours))
			if (!is_new(m, ours, err))
				return false;
	}
	return true;
}

static void show_plan(struct moving *m)
{
	const struct import_account *a;
	const struct account *ours;

	for (a = m->im.accounts; a != NULL; a = a->next)
		for (ours = next_match(m, a, NULL); ours != NULL;
		     ours = next_match(m, a, ours))
			tell(arena_printf(m->arena,
				"%s: %s at %s, %zu message%s fetched by %s",
				ours->name, a->user, a->host, a->seen.count,
				a->seen.count == 1 ? "" : "s",
				m->im.program));
}

static bool write_state(struct moving *m, const struct import_account *a,
	const struct account *ours, struct err *err)
{
	struct account_dir dir;
	bool ok;

	if (!account_dir_open(&dir, m->env.config->state, ours->name, err))
		return false;
	ok = imported_write(dir.dir, &a->seen, err);
	account_dir_close(&dir);
	return ok;
}

static bool write_config(struct moving *m, struct err *err)
{
	char *copy = arena_strdup(m->arena, m->path);
	int dir = fsx_makedir(dirname(copy), err), fd;
	bool ok;

	if (dir < 0)
		return false;
	fd = open(m->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ok = fd >= 0 ? fsx_write(fd, m->text, strlen(m->text), m->path, err)
			&& fsx_sync(fd, m->path, err)
			&& fsx_sync_dir(dir, m->path, err)
		: err_sys(err, errno, "cannot make %s", m->path);
	if (fd >= 0)
		close(fd);
	close(dir);
	return ok;
}

/* What is known first: without a configuration nobody fetches. */
static bool write_all(struct moving *m, struct err *err)
{
	const struct import_account *a;
	const struct account *ours;

	for (a = m->im.accounts; a != NULL; a = a->next)
		for (ours = next_match(m, a, NULL); ours != NULL;
		     ours = next_match(m, a, ours))
			if (!write_state(m, a, ours, err))
				return false;
	if (!m->exists && !write_config(m, err))
		return false;
	fprintf(stderr,
		"%s %s. \"postrider fetch\" fetches what %s has not; keep %s from being started again\n",
		m->exists ? "the accounts are in" : "wrote", m->path,
		m->im.program, m->im.program);
	return true;
}

static bool move_in(struct moving *m, int argc, char **argv, struct err *err)
{
	bool writes = (m->env.options & CMD_WRITE) != 0;

	if (!import_read(&m->im, argv[0], argc > 1 ? argv[1] : NULL, err))
		return false;
	m->text = import_config(&m->im);
	if (!writes)
		fputs(m->text, stdout);
	if (!load(m, err))
		return false;
	show_plan(m);
	if (!check_all(m, err))
		return false;
	if (writes)
		return write_all(m, err);
	fprintf(stderr, "nothing was written; with --write %s %s\n",
		m->exists ? "this is told to the accounts in"
		: "this becomes", m->path);
	return true;
}

static int run(const struct cmd_env *env, int argc, char **argv)
{
	struct moving m = { .env = *env, .arena = arena_new() };
	struct err err = ERR_INIT;

	m.im.arena = m.arena;
	m.im.tell = tell;
	if (!move_in(&m, argc, argv, &err))
		log_err(LOG_LEVEL_ERROR, &err);
	free(m.text);
	arena_free(m.arena);
	return err_exit_status(err.class);
}

const struct cmd cmd_import = {
	"import", "[--write] fetchmail|mpop|getmail|fdm [PATH]",
	"Moves in from another program: reads its configuration, at PATH or where it\n"
	"usually is, and the list of what it has fetched, and prints a configuration\n"
	"for postrider. What has no counterpart is told, with what is done instead;\n"
	"certificates are always checked. Nothing of the other program is changed.\n"
	"\n"
	"  --write   write the configuration, and have each account know what the other\n"
	"            program has fetched: the next fetch marks that as seen, and keep\n"
	"            counts from now. If there is a configuration already, its accounts\n"
	"            of the same host and user learn that.\n"
	"\n"
	"Exit status: 0 done, 78 when nothing can be imported, while the other program\n"
	"is running, or for an account that has fetched mail already.\n",
	1, 2, CMD_WRITE | CMD_NO_CONFIG, run,
};
