/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/status/status.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/arena.h"
#include "agent/base/clock.h"
#include "agent/base/fsx.h"

/*
 * OpenMetrics 1.0: families one after another, each with its type, its unit
 * where its name ends in one, and a line for each account.
 */

static void put_account(FILE *out, const char *name)
{
	const char *p;

	fputs("{account=\"", out);
	for (p = name; *p != '\0'; p++) {
		if (*p == '\n') {
			fputs("\\n", out);
			continue;
		}
		if (*p == '"' || *p == '\\')
			fputc('\\', out);
		fputc(*p, out);
	}
	fputc('"', out);
}

static void put_sample(FILE *out, const char *name, const char *suffix,
	const struct status_account *s, int64_t value)
{
	fprintf(out, "%s%s", name, suffix);
	put_account(out, s->account->name);
	fprintf(out, "} %" PRId64 "\n", value);
}

struct family {
	const char *name, *type, *unit, *help;
	/* False if nothing is known. */
	bool (*get)(const struct outcome *outcome, int64_t *value_r);
};

static bool get_succeeded(const struct outcome *o, int64_t *value_r)
{
	*value_r = o->succeeded;
	return true;
}

static bool get_tried(const struct outcome *o, int64_t *value_r)
{
	*value_r = o->tried;
	return true;
}

static bool get_failing(const struct outcome *o, int64_t *value_r)
{
	*value_r = o->failing_since != 0;
	return true;
}

static bool get_messages(const struct outcome *o, int64_t *value_r)
{
	*value_r = (int64_t)o->messages;
	return true;
}

static bool get_bytes(const struct outcome *o, int64_t *value_r)
{
	*value_r = (int64_t)o->bytes;
	return true;
}

static bool get_passes(const struct outcome *o, int64_t *value_r)
{
	*value_r = (int64_t)o->passes;
	return true;
}

static bool get_cert_days(const struct outcome *o, int64_t *value_r)
{
	return status_cert_days(o, clock_wall(), value_r);
}

static const struct family families[] = {
	{ "postrider_last_success_timestamp_seconds", "gauge", "seconds",
	  "End of the last pass that went through, 0 for never.",
	  get_succeeded },
	{ "postrider_last_try_timestamp_seconds", "gauge", "seconds",
	  "End of the last pass, 0 for never.", get_tried },
	{ "postrider_failing", "gauge", NULL,
	  "1 while the account cannot be polled.", get_failing },
	{ "postrider_messages", "counter", NULL, "Messages delivered.",
	  get_messages },
	{ "postrider_bytes", "counter", "bytes", "Bytes of messages fetched.",
	  get_bytes },
	{ "postrider_passes", "counter", NULL, "Passes, good and bad.",
	  get_passes },
	{ "postrider_certificate_days_left", "gauge", NULL,
	  "Whole days until the server's certificate expires.",
	  get_cert_days },
};

static void put_head(FILE *out, const char *name, const char *type,
	const char *unit, const char *help)
{
	fprintf(out, "# TYPE %s %s\n", name, type);
	if (unit != NULL)
		fprintf(out, "# UNIT %s %s\n", name, unit);
	fprintf(out, "# HELP %s %s\n", name, help);
}

static void put_family(FILE *out, const struct family *f,
	const struct status_account *list, size_t n)
{
	const char *suffix = strcmp(f->type, "counter") == 0 ? "_total" : "";
	int64_t value;
	size_t i;

	put_head(out, f->name, f->type, f->unit, f->help);
	for (i = 0; i < n; i++)
		if (f->get(&list[i].memory.outcome, &value))
			put_sample(out, f->name, suffix, &list[i], value);
}

static void put_failures(FILE *out, const struct status_account *list,
	size_t n)
{
	size_t i;
	int class;

	put_head(out, "postrider_failures", "counter", NULL,
		"Passes that went wrong, by the kind of fault.");
	for (i = 0; i < n; i++)
		for (class = ERR_MSG; class <= ERR_CONFIG; class++) {
			fputs("postrider_failures_total", out);
			put_account(out, list[i].account->name);
			fprintf(out, ",class=\"%s\"} %" PRIu64 "\n",
				err_class_name((enum err_class)class),
				list[i].memory.outcome.failures[class]);
		}
}

void status_print_metrics(FILE *out, const struct status_account *list,
	size_t n)
{
	size_t i;

	for (i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		put_family(out, &families[i], list, n);
	put_failures(out, list, n);
	fputs("# EOF\n", out);
}

static size_t gather_enabled(const struct config *config,
	struct status_account *list)
{
	const struct status_daemon none = { .pid = 0 };
	size_t i, n = 0;

	for (i = 0; i < config->count; i++)
		if (config->accounts[i].enabled)
			status_gather(config, &config->accounts[i], &none,
				NULL, &list[n++]);
	return n;
}

bool status_write_metrics(const struct config *config, const char *path,
	struct err *err)
{
	struct status_account *list = mem_grow(NULL, config->count + 1,
		sizeof(*list));
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	bool ok;

	if (out != NULL)
		status_print_metrics(out, list, gather_enabled(config, list));
	if (out == NULL || fclose(out) != 0)
		ok = err_set(err, ERR_RETRY, "no memory for the metrics");
	else
		ok = fsx_replace(AT_FDCWD, path, text, len, 0644, err);
	free(text);
	free(list);
	return ok;
}
