/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "agent/base/arena.h"
#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/daemon/priv.h"
#include "agent/state/memory.h"
#include "config/diff.h"

/* New accounts start one after the other, so that a thousand that have one
 * interval do not all come due at once, for ever. */
#define STAGGER_MS 100

/* What is known of it from before: one that was polled a moment ago has time,
 * also when the daemon was started anew. */
static clock_ms enter(const struct config *config,
	const struct account *account, uint32_t nth, struct sched_past *past_r)
{
	clock_ms step = (clock_ms)account->interval * 1000
		/ (clock_ms)(config->count + 1);
	struct memory memory;
	int64_t rest;

	memory_load(config->state, account->name, &memory);
	past_r->succeeded = memory.outcome.succeeded != 0;
	past_r->streak = (uint32_t)memory.outcome.streak;
	rest = memory.outcome.tried + (int64_t)account->interval - clock_wall();
	if (memory.outcome.streak != 0 || rest < 0
	    || rest > (int64_t)account->interval)
		rest = 0;
	return clock_after(rest * 1000 + (clock_ms)nth
		* clock_min(step, STAGGER_MS));
}

struct roster *daemon_roster(struct arena *arena, const struct config *config,
	const struct roster *old)
{
	const struct account **list = mem_grow(NULL, config->count + 1,
		sizeof(*list));
	struct roster *roster;
	uint32_t n = 0;
	size_t i;

	for (i = 0; i < config->count; i++)
		if (config->accounts[i].enabled)
			list[n++] = &config->accounts[i];
	roster = roster_new(arena, config, list, n, false, old, enter);
	free(list);
	return roster;
}

static void report_mistake(void *arg, const char *line)
{
	fprintf(arg, "%s\n", line);
	log_error("%s", line);
}

static bool load(struct daemon *d, struct arena *arena, FILE *out,
	const struct config **config_r)
{
	const struct config *old = parent_roster(d->parent)->config;
	struct err err = ERR_INIT;
	bool ok = config_load(d->options->config_file, arena, report_mistake,
		out, config_r, &err);

	if (ok && strcmp((*config_r)->state, old->state) != 0)
		ok = err_set(&err, ERR_CONFIG,
			"state: cannot change while the daemon runs; start it anew");
	if (!ok) {
		fprintf(out, "%s; the old configuration stays\n", err.text);
		log_error("%s; the old configuration stays", err.text);
	}
	return ok;
}

static void tell(FILE *out, const char *what, const char *name,
	const char *more)
{
	fprintf(out, "%s%s%s\n", name, what, more);
	log_info("%s%s%s", name, what, more);
}

/* What held a changed account may be gone. */
static unsigned int compare_account(struct daemon *d, const struct roster *old,
	uint32_t before, const struct roster *new, uint32_t id, FILE *out)
{
	char keys[400];

	if (!diff_account(old->accounts[before], new->accounts[id], keys,
		sizeof(keys)))
		return 0;
	tell(out, ": changed: ", new->accounts[id]->name, keys);
	daemon_event(d, id, SCHED_CHANGED);
	return 1;
}

static void tell_changes(struct daemon *d, const struct roster *old,
	const struct roster *new, FILE *out)
{
	unsigned int changes = 0;
	uint32_t i, before;
	char keys[400];

	if (diff_top(old->config, new->config, keys, sizeof(keys))) {
		tell(out, "changed: ", "", keys);
		changes++;
	}
	for (i = 0; i < old->count; i++)
		if (roster_find(new, old->accounts[i]->name)
		    == ROSTER_NOBODY) {
			tell(out, ": removed", old->accounts[i]->name, "");
			changes++;
		}
	for (i = 0; i < new->count; i++) {
		before = roster_find(old, new->accounts[i]->name);
		if (before == ROSTER_NOBODY) {
			tell(out, ": added", new->accounts[i]->name, "");
			changes++;
		} else {
			changes += compare_account(d, old, before, new, i, out);
		}
	}
	if (changes == 0)
		tell(out, "nothing has changed", "", "");
}

static void change_log(const struct daemon *d, const struct config *config,
	FILE *out)
{
	struct err err = ERR_INIT;

	if (!log_open(d->options->level < 0 ? config->log_level
			: (enum log_level)d->options->level,
		config->log_format, config->log_to, &err)) {
		fprintf(out, "%s\n", err.text);
		log_err(LOG_LEVEL_ERROR, &err);
	}
}

bool daemon_reload(struct daemon *d, FILE *out)
{
	struct roster *old = roster_use(parent_roster(d->parent)), *new;
	struct arena *arena = arena_new();
	const struct config *config;

	/* Whatever the configuration is like, the log may have been rotated. */
	log_reopen();
	parent_drop_trust(d->parent);
	if (!load(d, arena, out, &config)) {
		arena_free(arena);
		roster_drop(old);
		return false;
	}
	change_log(d, config, out);
	new = daemon_roster(arena, config, old);
	parent_replace(d->parent, new);
	tell_changes(d, old, new, out);
	roster_drop(old);
	mem_trim();
	return true;
}
