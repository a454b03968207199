/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/base/num.h"
#include "agent/import/words.h"
#include "agent/import/priv.h"

/*
 * fdm.conf is a language; what is read of it are accounts, the actions that they
 * may lead to, and the rule that takes everything ("match all action NAME").
 * Its words are like fetchmail's. The cache of an account holds LENGTH, a blank,
 * the UID, and LF.
 */

struct action {
	const char *name, *kind, *value;	/* kind NULL: unknown */
	struct action *next;
};

struct pending {
	struct import_account *account;
	const char *cache;
	struct pending *next;
};

struct reading {
	struct import *im;
	struct word *at;
	struct action *actions;
	struct pending *pending;
	const char *takes_all;		/* name of the action */
	unsigned int rules;
	unsigned int rules_line;
};

static bool is(const struct word *word, const char *text)
{
	return word->text != NULL && !word->quoted
		&& strcasecmp(word->text, text) == 0;
}

static bool begins_statement(const struct word *word)
{
	static const char *const statements[] = { "account", "action",
		"match", "set", "include" };
	size_t i;

	for (i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
		if (is(word, statements[i]))
			return true;
	return word->text == NULL;
}

static const char *next_text(struct reading *r)
{
	return r->at->text != NULL ? r->at++->text : "";
}

static void skip_statement(struct reading *r)
{
	while (!begins_statement(r->at))
		r->at++;
}

/* action "NAME" KIND "VALUE" */
static void read_action(struct reading *r)
{
	struct action *a = arena_alloc(r->im->arena, sizeof(*a));

	a->name = next_text(r);
	if (is(r->at, "maildir") || is(r->at, "mbox") || is(r->at, "pipe")
	    || is(r->at, "exec")) {
		a->kind = next_text(r);
		a->value = next_text(r);
	}
	a->next = r->actions;
	r->actions = a;
	skip_statement(r);
}

/* match all action "NAME" is the only rule with a counterpart. */
static void read_match(struct reading *r)
{
	unsigned int line = r->at->line;

	if (is(r->at, "all") && is(r->at + 1, "action") && r->at[1].text != NULL
	    && r->at[2].text != NULL && r->takes_all == NULL) {
		r->takes_all = r->at[2].text;
		r->at += 3;
	} else if (r->rules++ == 0) {
		r->rules_line = line;
	}
	skip_statement(r);
}

struct draft {
	const char *name, *server, *user, *pass, *cache, *port;
	bool tls, keep, disabled, unchecked, starttls;
};

static const char **text_place(struct draft *d, const struct word *word)
{
	return is(word, "server") ? &d->server : is(word, "user") ? &d->user
		: is(word, "pass") ? &d->pass : is(word, "port") ? &d->port
		: is(word, "cache") ? &d->cache : NULL;
}

static void read_detail(struct reading *r, struct draft *d)
{
	const struct word *word = r->at++;
	const char **place = text_place(d, word);

	if (place != NULL)
		*place = next_text(r);
	else if (is(word, "keep"))
		d->keep = true;
	else if (is(word, "disabled"))
		d->disabled = true;
	else if (is(word, "no-verify"))
		d->unchecked = true;
	else if (is(word, "starttls"))
		d->starttls = true;
	else if (is(word, "new-only") || is(word, "no-apop")
		 || is(word, "no-uidl") || is(word, "verify"))
		return;
	else
		import_remark(r->im, word->line,
			"%s is not understood: left out", word->text);
}

static void add(struct reading *r, const struct draft *d, unsigned int line)
{
	struct import *im = r->im;
	struct import_account *a = import_add(im, d->name, d->server, d->user);
	struct pending *p = arena_alloc(im->arena, sizeof(*p));
	uint64_t port = 0;

	if (d->port != NULL && strcmp(d->port, "pop3s") == 0)
		port = 995;
	else if (d->port != NULL && !num_u64(d->port, strlen(d->port),
		UINT16_MAX, &port))
		port = 0;
	import_set_server(im, a, d->tls ? IMPORT_TLS : d->starttls
		? IMPORT_STARTTLS : IMPORT_PLAIN, port);
	if (d->unchecked)
		import_remark(im, line,
			"account %s: certificates are checked now", a->name);
	if (d->pass != NULL)
		import_set_text(im, a, "password", d->pass);
	else
		import_set(im, a, "password", "{netrc: true}");
	import_set(im, a, "keep", d->keep ? "true" : "false");
	if (d->disabled)
		import_set(im, a, "enabled", "false");
	a->seen.must_match = d->keep;
	*p = (struct pending){ a, d->cache, r->pending };
	r->pending = p;
}

/* account "NAME" pop3s server "H" port N user "U" pass "P" ... */
static void read_account(struct reading *r)
{
	unsigned int line = r->at->line;
	struct draft d = { .name = next_text(r), .server = "", .user = "" };
	const struct word *kind = r->at;

	if (is(kind, "disabled")) {
		d.disabled = true;
		kind = ++r->at;
	}
	d.tls = is(kind, "pop3s");
	if (!d.tls && !is(kind, "pop3")) {
		import_remark(r->im, line,
			"account %s is not POP3: left out", d.name);
		skip_statement(r);
		return;
	}
	r->at++;
	while (!begins_statement(r->at))
		read_detail(r, &d);
	add(r, &d, line);
}

static void read_statement(struct reading *r)
{
	const struct word *word = r->at++;

	if (is(word, "account"))
		read_account(r);
	else if (is(word, "action"))
		read_action(r);
	else if (is(word, "match"))
		read_match(r);
	else if (is(word, "set"))
		skip_statement(r);
	else
		import_remark(r->im, word->line,
			"%s is not understood: left out", word->text);
}

static const struct action *find(const struct reading *r, const char *name)
{
	const struct action *a;

	for (a = r->actions; name != NULL && a != NULL; a = a->next)
		if (strcmp(a->name, name) == 0)
			return a;
	return NULL;
}

static void set_deliver(struct reading *r, struct import_account *account)
{
	const struct action *a = find(r, r->takes_all);

	if (a == NULL || a->kind == NULL) {
		import_set_folder(r->im, account, "maildir", "~/Maildir");
		import_remark(r->im, 0,
			"account %s: no \"match all action\" leads to a Maildir, an mbox or a program: into ~/Maildir instead", account->name);
	} else if (strcasecmp(a->kind, "pipe") == 0
		   || strcasecmp(a->kind, "exec") == 0) {
		import_set_pipe(r->im, account,
			text_command(r->im->arena, a->value));
	} else {
		import_set_folder(r->im, account, a->kind, text_replace(
			r->im->arena, a->value, "%h", "~"));
	}
}

/* A length, a blank, the UID, a newline: the UID may hold any byte. */
static bool read_cache(struct import *im, const struct pending *p,
	struct err *err)
{
	char *text = NULL, *blank;
	uint64_t n;
	size_t len;

	if (p->cache != NULL && !text_read(im->arena,
		text_home(im->arena, text_replace(im->arena, p->cache, "%h",
			"~")), &text, &len, err))
		return false;
	if (text == NULL) {
		import_remark(im, 0,
			"account %s: there is no cache of fetched messages: everything on the server will be fetched", p->account->name);
		return true;
	}
	while (len != 0 && (blank = memchr(text, ' ', len)) != NULL) {
		len -= (size_t)(blank + 1 - text);
		if (!num_u64(text, (size_t)(blank - text), len, &n) || n == len)
			return err_set(err, ERR_CONFIG,
				"the cache %s is damaged", p->cache);
		import_saw(im, p->account, blank + 1, (size_t)n);
		len -= (size_t)n + 1;
		text = blank + 1 + n + 1;
	}
	return true;
}

static bool read_fdm(struct import *im, const char *path, struct err *err)
{
	struct reading r = { .im = im };
	const struct pending *p;
	char *text;
	size_t len;

	if (!text_read(im->arena, path, &text, &len, err))
		return false;
	r.at = words_read(im->arena, text);
	while (r.at->text != NULL)
		read_statement(&r);
	if (r.rules != 0)
		import_remark(im, r.rules_line,
			"%u rule%s no counterpart: put them into a delivery program, such as maildrop", r.rules, r.rules == 1 ? " has" : "s have");
	for (p = r.pending; p != NULL; p = p->next) {
		set_deliver(&r, p->account);
		if (!read_cache(im, p, err))
			return false;
	}
	return true;
}

const struct importer import_fdm = {
	"fdm", { "~/.fdm.conf", "/etc/fdm.conf", NULL }, read_fdm,
};
