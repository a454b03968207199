/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/num.h"
#include "agent/cmd.h"
#include "agent/ledger.h"

struct tally {
	size_t kept, gone, open, failed;
	int64_t last;			/* delivery, or 0 */
};

static const char *when(char *out, size_t cap, int64_t seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL
	    || strftime(out, cap, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		snprintf(out, cap, "?");
	return out;
}

static void count(struct tally *tally, const struct ledger_entry *e)
{
	switch (e->state) {
	case LEDGER_INTENT:
		tally->open++;
		return;
	case LEDGER_FAILED:
		tally->failed++;
		return;
	case LEDGER_GONE:
		tally->gone++;
		return;
	case LEDGER_DELIVERED:
	case LEDGER_DELETING:
	case LEDGER_BASELINE:
		tally->kept++;
		if (e->state != LEDGER_BASELINE && e->time > tally->last)
			tally->last = e->time;
		return;
	case LEDGER_VOID:
		return;
	}
}

/* What a person may have to do something about. */
static void print_aside(const struct ledger_entry *e)
{
	char uid[200], size[32], next[32];

	if ((e->state != LEDGER_INTENT && e->state != LEDGER_FAILED)
	    || e->tries == 0)
		return;
	printf("  set aside: UID %s, %s, %s %u time%s, next try %s: %s\n",
		log_escape(uid, sizeof(uid), e->uid, e->uid_len),
		num_format_size(size, sizeof(size), e->listed),
		e->state == LEDGER_INTENT ? "refused by the destination"
		: "not handed over by the server", e->tries,
		e->tries == 1 ? "" : "s",
		when(next, sizeof(next), e->next_try), e->reason);
}

static void print_ledger(const struct account *account,
	const struct ledger *ledger)
{
	struct tally t = { 0 };
	char last[32];
	size_t i;

	for (i = 0; i < ledger_count(ledger); i++)
		count(&t, ledger_at(ledger, i));
	printf(
		"%s: %zu seen, %zu deleted on the server, %zu not delivered yet",
		account->name, t.kept, t.gone, t.open + t.failed);
	if (t.last != 0)
		printf(", last delivery %s", when(last, sizeof(last), t.last));
	printf("\n");
	for (i = 0; i < ledger_count(ledger); i++)
		print_aside(ledger_at(ledger, i));
}

/* *ledger_r is NULL without an error if nothing was fetched yet. */
static bool read_ledger(const struct cmd_env *env,
	const struct account *account, struct ledger **ledger_r,
	struct err *err)
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

enum err_class cmd_show_ledger(const struct cmd_env *env,
	const struct account *account, void (*show)(
	const struct account *account, const struct ledger *ledger))
{
	struct err err = ERR_INIT;
	struct ledger *ledger;

	if (!read_ledger(env, account, &ledger, &err)) {
		log_err(LOG_LEVEL_ERROR, &err);
		return err.class;
	}
	if (ledger == NULL)
		printf("%s: nothing fetched yet\n", account->name);
	else
		show(account, ledger);
	ledger_close(ledger);
	return ERR_NONE;
}

static int run(const struct cmd_env *env, int argc, char **argv)
{
	enum err_class worst = ERR_NONE;
	const struct account *account;
	size_t i;

	for (i = 0; argc == 0 && i < env->config->count; i++)
		worst = err_worse(worst, cmd_show_ledger(env,
			&env->config->accounts[i], print_ledger));
	for (i = 0; i < (size_t)argc; i++) {
		account = cmd_account(env, argv[i]);
		if (account == NULL)
			return EX_USAGE;
		worst = err_worse(worst, cmd_show_ledger(env, account,
			print_ledger));
	}
	return err_exit_status(worst);
}

const struct cmd cmd_status = {
	"status", "[ACCOUNT...]",
	"Shows what the ledger knows of each account: how many messages were seen, when\n"
	"the last one was delivered, and every message that is set aside because its\n"
	"destination refused it or the server would not hand it over, with the reason\n"
	"and the time of the next try. Touches neither network nor mail.\n",
	0, -1, 0, run,
};
