/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/status/status.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/arena.h"
#include "agent/base/log.h"
#include "agent/base/num.h"
#include "agent/control/control.h"

/* The next word of a line whose words are parted by blanks or tabs. */
static size_t next_word(const char **p, const char **word_r)
{
	size_t n;

	*p += strspn(*p, " \t");
	*word_r = *p;
	n = strcspn(*p, " \t\n");
	*p += n;
	return n;
}

static bool next_number(const char **p, uint64_t *number_r)
{
	const char *word;
	size_t n = next_word(p, &word);

	return num_u64(word, n, INT64_MAX, number_r);
}

/* The account of that name; answers come in the order of the configuration,
 * so the search begins where the last one ended. */
static size_t find_account(const struct config *config, const char *name,
	size_t len, size_t from)
{
	size_t i, at;

	for (i = 0; i < config->count; i++) {
		at = (from + i) % config->count;
		if (strncmp(config->accounts[at].name, name, len) == 0
		    && config->accounts[at].name[len] == '\0')
			return at;
	}
	return config->count;
}

/* NAME STATE NEXT */
static size_t take_task(const struct config *config, const char *line,
	size_t from, struct status_task *tasks)
{
	const char *name, *state;
	size_t name_len = next_word(&line, &name), at;
	size_t len = next_word(&line, &state);
	uint64_t next;

	at = find_account(config, name, name_len, from);
	if (at == config->count || len == 0 || len >= sizeof(tasks->state)
	    || strspn(state, "abcdefghijklmnopqrstuvwxyz") != len
	    || !next_number(&line, &next))
		return from;
	memcpy(tasks[at].state, state, len);
	tasks[at].state[len] = '\0';
	tasks[at].next = (int64_t)next;
	return at + 1;
}

/* "daemon PID SINCE", then a line for each account. */
static void take_answer(const struct config *config, const char *text,
	struct status_daemon *daemon)
{
	const char *p = text, *word;
	uint64_t pid, since;
	size_t from = 0;

	if (next_word(&p, &word) != 6 || strncmp(word, "daemon", 6) != 0
	    || !next_number(&p, &pid) || !next_number(&p, &since)) {
		log_warn("the daemon's answer is not of this version of postrider");
		return;
	}
	daemon->pid = pid;
	daemon->since = (int64_t)since;
	daemon->tasks = mem_grow(NULL, config->count, sizeof(*daemon->tasks));
	memset(daemon->tasks, 0, config->count * sizeof(*daemon->tasks));
	while ((p = strchr(p, '\n')) != NULL)
		from = take_task(config, ++p, from, daemon->tasks);
}

void status_ask(const struct config *config, const char *control,
	struct status_daemon *daemon_r)
{
	static const char *const request[] = { "status", NULL };
	struct err err = ERR_INIT;
	char path[PATH_MAX], *text = NULL;
	size_t len = 0;
	int status = 0;
	FILE *out = open_memstream(&text, &len);
	bool ok;

	memset(daemon_r, 0, sizeof(*daemon_r));
	if (out == NULL)
		return;
	control_find(control, path, sizeof(path));
	ok = control_call(path, 1, request, out, &status, &err);
	if (fclose(out) != 0)
		ok = false;
	/* One that is not ours, at the usual place, is no news. */
	if (!ok)
		log_err(control != NULL ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG,
			&err);
	else if (status != 0)
		log_warn("the daemon does not tell: %s", text);
	else
		take_answer(config, text, daemon_r);
	free(text);
}

void status_forget(struct status_daemon *daemon)
{
	free(daemon->tasks);
	daemon->tasks = NULL;
}

static void count(struct status_tally *tally, const struct ledger_entry *e)
{
	/* None of the server's. */
	if (ledger_is_notice(e) && e->state == LEDGER_GONE)
		return;
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

void status_gather(const struct config *config, const struct account *account,
	const struct status_daemon *daemon, const struct ledger *ledger,
	struct status_account *status_r)
{
	size_t i, at = (size_t)(account - config->accounts);

	memset(status_r, 0, sizeof(*status_r));
	status_r->account = account;
	status_r->ledger = ledger;
	if (daemon->tasks != NULL && daemon->tasks[at].state[0] != '\0')
		status_r->task = &daemon->tasks[at];
	memory_load(config->state, account->name, &status_r->memory);
	for (i = 0; ledger != NULL && i < ledger_count(ledger); i++)
		count(&status_r->tally, ledger_at(ledger, i));
}

bool status_set_aside(const struct ledger_entry *e)
{
	return ledger_pending(e)->tries != 0 && (e->state == LEDGER_INTENT
		|| e->state == LEDGER_FAILED);
}

bool status_cert_days(const struct outcome *outcome, int64_t now,
	int64_t *days_r)
{
	int64_t left = outcome->cert_expiry - now;

	*days_r = (left >= 0 ? left : left - 86399) / 86400;
	return outcome->cert_expiry != 0;
}
