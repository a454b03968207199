/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/daemon/priv.h"
#include "config/near.h"

/* Seconds since 1970, or 0 for never. */
static int64_t wall(clock_ms due)
{
	return due == INT64_MAX ? 0
		: clock_wall() + (due - clock_now()) / 1000;
}

/* For status_ask(): one line an account. */
static int status(struct daemon *d, int argc, char **argv, FILE *out)
{
	const struct roster *roster = parent_roster(d->parent);
	const struct sched *sched = roster->sched;
	uint32_t i;

	(void)argc;
	(void)argv;
	fprintf(out, "daemon\t%ld\t%" PRId64 "\n", (long)getpid(), d->since);
	for (i = 0; i < roster->count; i++)
		fprintf(out, "%s\t%s\t%" PRId64 "\n", roster->accounts[i]->name,
			sched_state_name(sched_state(sched, i)),
			wall(sched_next_poll(sched, i)));
	return EX_OK;
}

static bool all_known(const struct roster *roster, int argc, char **argv,
	FILE *out)
{
	const char *hint;
	struct near near;
	uint32_t id;
	int i;

	for (i = 0; i < argc; i++) {
		if (roster_find(roster, argv[i]) != ROSTER_NOBODY)
			continue;
		near_start(&near, argv[i]);
		for (id = 0; id < roster->count; id++)
			near_offer(&near, roster->accounts[id]->name);
		hint = near_best(&near);
		fprintf(out, "the daemon has no enabled account %s", argv[i]);
		if (hint != NULL)
			fprintf(out, "; did you mean %s?", hint);
		fputs("\n", out);
		return false;
	}
	return true;
}

static int for_each(struct daemon *d, enum sched_event event, const char *done,
	int argc, char **argv, FILE *out)
{
	const struct roster *roster = parent_roster(d->parent);
	int i;

	if (!all_known(roster, argc, argv, out))
		return EX_USAGE;
	if (argc == 0) {
		daemon_event(d, DAEMON_ALL, event);
		fprintf(out, "%s all %" PRIu32 " accounts\n", done,
			roster->count);
	}
	for (i = 0; i < argc; i++) {
		daemon_event(d, roster_find(roster, argv[i]), event);
		fprintf(out, "%s %s\n", done, argv[i]);
	}
	return EX_OK;
}

static int poll_them(struct daemon *d, int argc, char **argv, FILE *out)
{
	return for_each(d, SCHED_POLL, "polling", argc, argv, out);
}

static int pause_them(struct daemon *d, int argc, char **argv, FILE *out)
{
	return for_each(d, SCHED_PAUSE, "paused", argc, argv, out);
}

static int resume_them(struct daemon *d, int argc, char **argv, FILE *out)
{
	return for_each(d, SCHED_RESUME, "resumed", argc, argv, out);
}

static int reload(struct daemon *d, int argc, char **argv, FILE *out)
{
	(void)argc;
	(void)argv;
	return daemon_reload(d, out) ? EX_OK : EX_CONFIG;
}

static int stop(struct daemon *d, int argc, char **argv, FILE *out)
{
	(void)argc;
	(void)argv;
	log_info("stopping");
	parent_stop(d->parent);
	fputs("stopping\n", out);
	return EX_OK;
}

static const struct request {
	const char *name;
	bool accounts;			/* takes names */
	int (*run)(struct daemon *d, int argc, char **argv, FILE *out);
} requests[] = {
	{ "status", false, status },
	{ "poll", true, poll_them },
	{ "pause", true, pause_them },
	{ "resume", true, resume_them },
	{ "reload", false, reload },
	{ "stop", false, stop },
};

int daemon_ask(void *arg, int argc, char **argv, FILE *out)
{
	size_t i;

	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		if (strcmp(requests[i].name, argv[0]) == 0
		    && (requests[i].accounts || argc == 1))
			return requests[i].run(arg, argc - 1, argv + 1, out);
	fprintf(out, "the daemon does not know this request: %s\n", argv[0]);
	return EX_USAGE;
}
