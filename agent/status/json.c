/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/status/status.h"

#include <inttypes.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"

/* Text in quotes; what is not printable ASCII as \xNN, as in the log. */
static void put_text(FILE *out, const char *text, size_t len)
{
	char printable[4 * LIMIT_UID + 8], *p;

	log_escape(printable, sizeof(printable), text, len);
	fputc('"', out);
	for (p = printable; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			fputc('\\', out);
		fputc(*p, out);
	}
	fputc('"', out);
}

static void put_word(FILE *out, const char *key, const char *text)
{
	fprintf(out, ", \"%s\": ", key);
	put_text(out, text, strlen(text));
}

/* A time that is 0 never was, and is null. */
static void put_time(FILE *out, const char *key, int64_t time)
{
	if (time == 0)
		fprintf(out, ", \"%s\": null", key);
	else
		fprintf(out, ", \"%s\": %" PRId64, key, time);
}

static void put_count(FILE *out, const char *key, uint64_t count)
{
	fprintf(out, ", \"%s\": %" PRIu64, key, count);
}

static void put_error(FILE *out, const struct outcome *o)
{
	if (o->failed == 0) {
		fprintf(out, ", \"last_error\": null");
		return;
	}
	fprintf(out, ", \"last_error\": {\"time\": %" PRId64, o->failed);
	put_word(out, "class", err_class_name(o->class));
	put_word(out, "text", o->text);
	put_word(out, "server", o->server);
	fputc('}', out);
}

static void put_outcome(FILE *out, const struct outcome *o)
{
	const char *comma = "";
	int64_t days;
	int i;

	put_time(out, "last_success", o->succeeded);
	put_time(out, "last_try", o->tried);
	put_time(out, "failing_since", o->failing_since);
	put_count(out, "failed_in_a_row", o->streak);
	put_error(out, o);
	put_count(out, "passes", o->passes);
	put_count(out, "messages", o->messages);
	put_count(out, "bytes", o->bytes);
	fprintf(out, ", \"failures\": {");
	for (i = ERR_MSG; i <= ERR_CONFIG; i++) {
		fprintf(out, "%s\"%s\": %" PRIu64, comma,
			err_class_name((enum err_class)i), o->failures[i]);
		comma = ", ";
	}
	fputc('}', out);
	put_time(out, "certificate_expires", o->cert_expiry);
	if (status_cert_days(o, clock_wall(), &days))
		fprintf(out, ", \"certificate_days_left\": %" PRId64, days);
	else
		fprintf(out, ", \"certificate_days_left\": null");
}

static void put_aside(FILE *out, const struct ledger_entry *e)
{
	const struct ledger_pending *p = ledger_pending(e);

	fprintf(out, "{\"uid\": ");
	put_text(out, e->uid, e->uid_len);
	put_count(out, "size", e->listed);
	put_word(out, "by", e->state == LEDGER_INTENT ? "destination"
		: "server");
	put_count(out, "tries", p->tries);
	put_time(out, "next_try", p->next_try);
	put_word(out, "reason", p->reason);
	fputc('}', out);
}

static void put_ledger(FILE *out, const struct status_account *s)
{
	const char *comma = "";
	size_t i;

	if (s->ledger == NULL) {
		fprintf(out, ", \"ledger\": null");
		return;
	}
	fprintf(out, ", \"ledger\": {\"seen\": %zu", s->tally.kept);
	put_count(out, "deleted", s->tally.gone);
	put_count(out, "not_delivered", s->tally.open + s->tally.failed);
	put_time(out, "last_delivery", s->tally.last);
	fprintf(out, ", \"set_aside\": [");
	for (i = 0; i < ledger_count(s->ledger); i++) {
		if (!status_set_aside(ledger_at(s->ledger, i)))
			continue;
		fputs(comma, out);
		put_aside(out, ledger_at(s->ledger, i));
		comma = ", ";
	}
	fputs("]}", out);
}

void status_print_json(FILE *out, const struct status_account *s)
{
	fprintf(out, "{\"name\": ");
	put_text(out, s->account->name, strlen(s->account->name));
	fprintf(out, ", \"enabled\": %s",
		s->account->enabled ? "true" : "false");
	if (s->task != NULL)
		put_word(out, "state", s->task->state);
	else
		fprintf(out, ", \"state\": null");
	put_time(out, "next_poll", s->task != NULL ? s->task->next : 0);
	put_outcome(out, &s->memory.outcome);
	put_ledger(out, s);
	fputc('}', out);
}
