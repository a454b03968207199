/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/status/status.h"

#include <inttypes.h>
#include <time.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/num.h"

static const char *when(char *out, size_t cap, int64_t seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (seconds == 0)
		snprintf(out, cap, "never");
	else if (localtime_r(&t, &tm) == NULL
	    || strftime(out, cap, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		snprintf(out, cap, "?");
	return out;
}

static void print_ledger(FILE *out, const struct status_account *s)
{
	const struct status_tally *t = &s->tally;
	char last[32];

	if (s->ledger == NULL) {
		fprintf(out, "%s: nothing fetched yet\n", s->account->name);
		return;
	}
	fprintf(out,
		"%s: %zu seen, %zu deleted on the server, %zu not delivered yet",
		s->account->name, t->kept, t->gone, t->open + t->failed);
	if (t->last != 0)
		fprintf(out, ", last delivery %s",
			when(last, sizeof(last), t->last));
	fprintf(out, "\n");
}

static void print_course(FILE *out, const struct outcome *o)
{
	char success[32], last[32], since[32];

	if (o->tried == 0)
		return;
	when(success, sizeof(success), o->succeeded);
	when(last, sizeof(last), o->tried);
	if (o->failing_since == 0)
		fprintf(out, "  last success %s, last try %s\n", success,
			last);
	else
		fprintf(out,
			"  ! failing since %s, %" PRIu64 " pass%s; last success %s, last try %s\n",
			when(since, sizeof(since), o->failing_since),
			o->streak, o->streak == 1 ? "" : "es", success, last);
}

static void print_error(FILE *out, const struct outcome *o)
{
	char time[32];

	if (o->failed == 0)
		return;
	fprintf(out, "  last error %s (%s): %s",
		when(time, sizeof(time), o->failed), err_class_name(o->class),
		o->text);
	if (o->server[0] != '\0')
		fprintf(out, "; the server said: %s", o->server);
	fprintf(out, "\n");
}

static void print_counts(FILE *out, const struct outcome *o)
{
	const char *comma = "; failures: ";
	char bytes[32];
	int i;

	if (o->passes == 0)
		return;
	fprintf(out, "  in all %" PRIu64 " pass%s, %" PRIu64 " message%s, %s",
		o->passes, o->passes == 1 ? "" : "es", o->messages,
		o->messages == 1 ? "" : "s",
		num_format_size(bytes, sizeof(bytes), o->bytes));
	for (i = ERR_MSG; i <= ERR_CONFIG; i++) {
		if (o->failures[i] == 0)
			continue;
		fprintf(out, "%s%" PRIu64 " %s", comma, o->failures[i],
			err_class_name((enum err_class)i));
		comma = ", ";
	}
	fprintf(out, "\n");
}

static void print_certificate(FILE *out, const struct outcome *o)
{
	char expiry[32];
	int64_t days;

	if (!status_cert_days(o, clock_wall(), &days))
		return;
	when(expiry, sizeof(expiry), o->cert_expiry);
	if (days < 0)
		fprintf(out, "  ! the server's certificate expired at %s\n",
			expiry);
	else
		fprintf(out, "  %sthe server's certificate expires in %" PRId64
			" day%s, at %s\n", days < STATUS_CERT_DAYS ? "! " : "",
			days, days == 1 ? "" : "s", expiry);
}

static void print_task(FILE *out, const struct status_account *s)
{
	char next[32];

	if (!s->account->enabled)
		fprintf(out, "  not enabled\n");
	if (s->task == NULL)
		return;
	fprintf(out, "  %s", s->task->state);
	if (s->task->next != 0)
		fprintf(out, ", next poll %s", when(next, sizeof(next),
			s->task->next));
	fprintf(out, "\n");
}

/* What a person may have to do something about. */
static void print_aside(FILE *out, const struct ledger_entry *e)
{
	const struct ledger_pending *p = ledger_pending(e);
	char uid[200], size[32], next[32];

	fprintf(out,
		"  set aside: UID %s, %s, %s %u time%s, next try %s: %s\n",
		log_escape(uid, sizeof(uid), e->uid, e->uid_len),
		num_format_size(size, sizeof(size), e->listed),
		e->state == LEDGER_INTENT ? "refused by the destination"
		: "not handed over by the server", p->tries,
		p->tries == 1 ? "" : "s",
		when(next, sizeof(next), p->next_try), p->reason);
}

void status_print_text(FILE *out, const struct status_account *s)
{
	const struct outcome *o = &s->memory.outcome;
	size_t i;

	print_ledger(out, s);
	print_task(out, s);
	print_course(out, o);
	print_error(out, o);
	print_counts(out, o);
	print_certificate(out, o);
	for (i = 0; s->ledger != NULL && i < ledger_count(s->ledger); i++)
		if (status_set_aside(ledger_at(s->ledger, i)))
			print_aside(out, ledger_at(s->ledger, i));
}
