/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "agent/base/num.h"
#include "agent/import/fetchmail_draft.h"
#include "agent/import/words.h"

/*
 * .fetchmailrc: `set` options, then `poll SERVER` (or skip) with what is true of
 * the server, then for each `user` what is true of that account; `defaults`
 * stands before all servers.
 */

/* How many words an option takes, and what becomes of it: what is SILENT means
 * nothing to us, and nothing is lost without it. */
enum kind { TAKEN, SILENT, TOLD };
struct option {
	const char *name;
	unsigned int words;
	enum kind kind;
};

static const struct option options[] = {
	{ "via", 1, TAKEN }, { "proto", 1, TAKEN }, { "protocol", 1, TAKEN },
	{ "port", 1, TAKEN }, { "service", 1, TAKEN },
	{ "interval", 1, TAKEN }, { "timeout", 1, SILENT },
	{ "auth", 1, TAKEN }, { "authenticate", 1, TAKEN },
	{ "uidl", 0, SILENT }, { "tracepolls", 0, SILENT },
	{ "aka", 1, TOLD }, { "localdomains", 1, TOLD },
	{ "envelope", 1, TOLD }, { "qvirtual", 1, TOLD },
	{ "dns", 0, SILENT }, { "checkalias", 0, SILENT },
	{ "plugin", 1, TOLD }, { "plugout", 1, TOLD },
	{ "interface", 1, TOLD }, { "monitor", 1, TOLD },
	{ "principal", 1, TOLD }, { "bad-header", 1, TOLD },
	{ "user", 1, TAKEN }, { "username", 1, TAKEN },
	{ "there", 0, SILENT }, { "here", 0, SILENT },
	{ "pass", 1, TAKEN }, { "password", 1, TAKEN },
	{ "passwordfile", 1, TAKEN },
	{ "is", 1, TAKEN }, { "to", 1, TAKEN },
	{ "ssl", 0, TAKEN }, { "sslproto", 1, TAKEN },
	{ "sslcertck", 0, TAKEN }, { "sslcertfile", 1, TAKEN },
	{ "sslcertpath", 1, TOLD }, { "sslcommonname", 1, TAKEN },
	{ "sslfingerprint", 1, TOLD }, { "sslcert", 1, TAKEN },
	{ "sslkey", 1, TAKEN }, { "keep", 0, TAKEN },
	{ "fetchall", 0, TOLD }, { "flush", 0, TOLD },
	{ "limitflush", 0, TOLD }, { "limit", 1, TAKEN },
	{ "fetchlimit", 1, TAKEN }, { "fetchsizelimit", 1, SILENT },
	{ "fastuidl", 1, SILENT }, { "expunge", 1, SILENT },
	{ "batchlimit", 1, SILENT }, { "warnings", 1, SILENT },
	{ "mda", 1, TAKEN }, { "bsmtp", 1, TOLD }, { "lmtp", 0, TOLD },
	{ "smtphost", 1, TOLD }, { "smtp", 1, TOLD },
	{ "fetchdomains", 1, TOLD }, { "smtpaddress", 1, TOLD },
	{ "smtpname", 1, TOLD }, { "antispam", 1, TOLD },
	{ "spamresponse", 1, TOLD }, { "preconnect", 1, TOLD },
	{ "postconnect", 1, TOLD }, { "rewrite", 0, SILENT },
	{ "stripcr", 0, SILENT }, { "forcecr", 0, SILENT },
	{ "pass8bits", 0, SILENT }, { "mimedecode", 0, TOLD },
	{ "dropstatus", 0, TOLD }, { "dropdelivered", 0, TOLD },
	{ "idle", 0, TOLD }, { "folder", 1, TOLD }, { "properties", 1, TOLD },
	{ "esmtpname", 1, TOLD }, { "esmtppassword", 1, TOLD },
};
#define OPTIONS (sizeof(options) / sizeof(options[0]))

struct reading {
	struct import *im;
	struct word *at;
	struct draft defaults, server, now;
	bool in_user;
	uint64_t daemon;		/* seconds */
	const char *ids;
};

static uint64_t number(struct import *im, const struct word *word)
{
	uint64_t n = 0;

	if (!num_u64(word->text, strlen(word->text), UINT32_MAX, &n))
		import_remark(im, word->line, "%s is no number: left out",
			word->text);
	return n;
}

static uint64_t port(struct import *im, const struct word *word)
{
	if (strcmp(word->text, "pop3s") == 0)
		return 995;
	return strcmp(word->text, "pop3") == 0 ? 110 : number(im, word);
}

static const struct option *option_of(const struct word *word)
{
	size_t i;

	for (i = 0; !word->quoted && i < OPTIONS; i++)
		if (strcmp(options[i].name, word->text) == 0)
			return &options[i];
	return NULL;
}

/* Options with an argument, by the place it goes to. */
static const char **text_place(struct draft *d, const char *name)
{
	const struct { const char *name; const char **place; } places[] = {
		{ "via", &d->via }, { "proto", &d->proto },
		{ "protocol", &d->proto }, { "auth", &d->auth },
		{ "authenticate", &d->auth }, { "pass", &d->password },
		{ "password", &d->password },
		{ "passwordfile", &d->password_file }, { "is", &d->local },
		{ "to", &d->local }, { "sslproto", &d->sslproto },
		{ "sslcertfile", &d->ca_file },
		{ "sslcommonname", &d->tls_name }, { "sslcert", &d->cert },
		{ "sslkey", &d->key }, { "mda", &d->mda },
	};
	size_t i;

	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (strcmp(places[i].name, name) == 0)
			return places[i].place;
	return NULL;
}

static void take_number(struct reading *r, const char *name,
	const struct word *word)
{
	struct draft *d = &r->now;

	if (strcmp(name, "port") == 0 || strcmp(name, "service") == 0)
		d->port = port(r->im, word);
	else if (strcmp(name, "interval") == 0)
		d->interval = number(r->im, word);
	else if (strcmp(name, "limit") == 0)
		d->limit = number(r->im, word);
	else
		d->fetchlimit = number(r->im, word);
}

static void take_flag(struct draft *d, const char *name, bool yes)
{
	if (strcmp(name, "ssl") == 0)
		d->ssl = yes;
	else if (strcmp(name, "sslcertck") == 0)
		d->unchecked = !yes;
	else
		d->keep = yes;
}

static void take_option(struct reading *r, const struct option *o, bool yes,
	unsigned int line)
{
	const struct word *value = r->at;
	const char **place;

	if (o->words != 0 && yes) {
		if (value->text == NULL)
			return;
		r->at++;
	}
	if (o->kind == TOLD && yes)
		import_remark(r->im, line, "%s has no counterpart: left out",
			o->name);
	if (o->kind != TAKEN)
		return;
	if (o->words == 0) {
		take_flag(&r->now, o->name, yes);
		return;
	}
	place = text_place(&r->now, o->name);
	if (place != NULL && yes)
		*place = value->text;
	else if (yes)
		take_number(r, o->name, value);
}

/* What has been said of a user is all. */
static void end_user(struct reading *r)
{
	r->now.seconds = r->daemon;
	if (r->in_user)
		fetchmail_add(r->im, &r->now, r->at->line);
	r->in_user = false;
}

static void begin_server(struct reading *r, bool enabled)
{
	end_user(r);
	r->now = r->defaults;
	r->now.enabled = enabled;
	r->now.poll = r->at->text;
	if (r->at->text != NULL)
		r->at++;
	r->server = r->now;
}

static void begin_user(struct reading *r)
{
	/* What was said before the first user is true of them all. */
	if (!r->in_user)
		r->server = r->now;
	end_user(r);
	r->now = r->server;
	r->in_user = r->now.poll != NULL && r->at->text != NULL;
	r->now.user = r->at->text;
	if (r->at->text != NULL)
		r->at++;
}

static void take_set(struct reading *r)
{
	static const char *const flags[] = { "syslog", "invisible",
		"bouncemail", "softbounce", "showdots", "spambounce" };
	const struct word *name = r->at;
	size_t i;

	if (name->text == NULL)
		return;
	r->at++;
	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (strcmp(name->text, flags[i]) == 0)
			return;
	if (strcmp(name->text, "no") == 0 || r->at->text == NULL)
		return;
	if (strcmp(name->text, "daemon") == 0)
		r->daemon = number(r->im, r->at);
	else if (strcmp(name->text, "idfile") == 0)
		r->ids = r->at->text;
	r->at++;
}

static void poll_server(struct reading *r)
{
	begin_server(r, true);
}

static void skip_server(struct reading *r)
{
	begin_server(r, false);
}

/* What stands before the first server is true of all. */
static void begin_defaults(struct reading *r)
{
	end_user(r);
	r->now.poll = NULL;
}

/* Words that begin something. */
static bool take_beginning(struct reading *r, const struct word *word)
{
	static const struct {
		const char *name;
		void (*begin)(struct reading *r);
	} beginnings[] = {
		{ "poll", poll_server }, { "server", poll_server },
		{ "skip", skip_server }, { "defaults", begin_defaults },
		{ "set", take_set }, { "user", begin_user },
		{ "username", begin_user },
	};
	size_t i;

	for (i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++)
		if (strcmp(beginnings[i].name, word->text) == 0) {
			beginnings[i].begin(r);
			return true;
		}
	return false;
}

/* "no keep" and "nokeep" are the same. */
static const struct option *negated(struct reading *r, const struct word *word)
{
	struct word rest = { word->text + 2, word->line, false };

	if (word->quoted || strncmp(word->text, "no", 2) != 0)
		return NULL;
	if (rest.text[0] != '\0')
		return option_of(&rest);
	return r->at->text != NULL ? option_of(r->at++) : NULL;
}

static void take_word(struct reading *r)
{
	const struct word *word = r->at++;
	const struct option *o;

	if (!word->quoted && take_beginning(r, word))
		return;
	o = option_of(word);
	if (o != NULL)
		take_option(r, o, true, word->line);
	else if ((o = negated(r, word)) != NULL)
		take_option(r, o, false, word->line);
	else
		import_remark(r->im, word->line,
			"%s is not understood: left out", word->text);
	if (r->now.poll == NULL)
		r->defaults = r->now;
}

static bool read_fetchmail(struct import *im, const char *path,
	struct err *err)
{
	struct reading r = { .im = im, .ids = "~/.fetchids" };
	char *text;
	size_t len;

	if (!text_read(im->arena, path, &text, &len, err))
		return false;
	r.at = words_read(im->arena, text);
	while (r.at->text != NULL)
		take_word(&r);
	end_user(&r);
	return fetchmail_read_ids(im, text_home(im->arena, r.ids), err);
}

const struct importer import_fetchmail = {
	"fetchmail", { "~/.fetchmailrc", NULL }, read_fetchmail,
};
