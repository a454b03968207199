/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "agent/base/num.h"
#include "agent/import/priv.h"

/*
 * .mpoprc has a command and its argument in a line; an account begins with the
 * values of `defaults`, or of the accounts that it names. Its list of UIDs,
 * one file an account unless uidls_file says otherwise, holds blocks:
 *
 *	 COUNT HOST USER
 *	UID			COUNT times; since 1.4.23 with the time behind
 *
 * Host and user count as they are written there, with their case.
 */

/* A command of the file: the last one of a name is in force. */
struct setting {
	const char *name, *value;
	unsigned int line;
	struct setting *next;
};

struct section {
	const char *name;		/* "" for the defaults */
	struct setting *settings;
	struct section *next;
};

static const struct setting *get(const struct section *of, const char *name)
{
	const struct setting *s;

	for (s = of->settings; s != NULL; s = s->next)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

static const char *value(const struct section *of, const char *name,
	const char *otherwise)
{
	const struct setting *s = get(of, name);

	return s != NULL && s->value[0] != '\0' ? s->value : otherwise;
}

static bool is_on(const struct section *of, const char *name, bool otherwise)
{
	const struct setting *s = get(of, name);

	return s == NULL ? otherwise : strcmp(s->value, "off") != 0;
}

static struct section *find(struct section *all, const char *name)
{
	for (; all != NULL; all = all->next)
		if (strcmp(all->name, name) == 0)
			return all;
	return NULL;
}

static struct setting *push(struct import *im, struct setting *before,
	const char *name, const char *text, unsigned int line)
{
	struct setting *s = arena_alloc(im->arena, sizeof(*s));

	*s = (struct setting){ name, text, line, before };
	return s;
}

/* "NAME [: PARENT,...]": the settings of the parents lie under its own. */
static struct section *begin_account(struct import *im, struct section *all,
	char *rest, unsigned int line)
{
	struct section *a = arena_alloc(im->arena, sizeof(*a)), *parent;
	char *colon = strchr(rest, ':'), *name;

	if (colon != NULL)
		*colon++ = '\0';
	a->name = text_trim(rest);
	a->next = all;
	parent = find(all, "");
	a->settings = parent != NULL ? parent->settings : NULL;
	for (; colon != NULL && *(name = colon) != '\0';) {
		colon = strchr(name, ',');
		if (colon != NULL)
			*colon++ = '\0';
		parent = find(all, text_trim(name));
		if (parent != NULL)
			a->settings = parent->settings;
		else
			import_remark(im, line, "account %s is not known: left out", name);
	}
	return a;
}

static struct section *read_sections(struct import *im, char *text)
{
	struct section *all = arena_alloc(im->arena, sizeof(*all)), *now = all;
	char *line, *word, *rest;
	unsigned int number = 0;

	all->name = "";
	while ((line = text_line(&text)) != NULL) {
		number++;
		rest = text_trim(line);
		if (rest[0] == '#' || rest[0] == '\0')
			continue;
		word = text_word(&rest);
		if (strcmp(word, "defaults") == 0)
			now = find(all, "");
		else if (strcmp(word, "account") == 0)
			now = all = begin_account(im, all, rest, number);
		else if (strcmp(word, "eval") == 0)
			import_remark(im, number,
				"eval runs a program to make a line: not run; write down what it prints");
		else
			now->settings = push(im, now->settings, word,
				text_unquote(rest), number);
	}
	return all;
}

/* What we have. All else is told; what does not matter is not. */
static bool is_known(const char *name)
{
	static const char *const known[] = {
		"host", "port", "user", "password", "passwordeval", "auth",
		"tls", "tls_starttls", "tls_trust_file", "tls_fingerprint",
		"tls_certcheck", "tls_host_override", "keep", "skipsize",
		"delivery", "uidls_file", "timeout", "pipelining",
		"tls_key_file", "tls_cert_file", "socket", "only_new",
		"source_ip", "tls_priorities", "received_header",
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i], name) == 0)
			return true;
	return false;
}

static void tell_unknown(struct import *im, const struct section *of)
{
	const struct setting *s;

	for (s = of->settings; s != NULL; s = s->next)
		if (!is_known(s->name))
			import_remark(im, s->line,
				"%s has no counterpart: left out", s->name);
	s = get(of, "only_new");
	if (s != NULL && strcmp(s->value, "off") == 0)
		import_remark(im, s->line,
			"only_new off would fetch everything again each time: what was fetched is not fetched again");
	if (is_on(of, "received_header", true))
		import_remark(im, 0,
			"account %s: no Received line is added to messages",
			of->name);
}

static void set_deliver(struct import *im, struct import_account *a,
	const struct section *of)
{
	const struct setting *s = get(of, "delivery");
	char *rest = arena_strdup(im->arena, s != NULL ? s->value : ""), *kind;

	kind = text_word(&rest);
	rest = text_unquote(rest);
	if (strcmp(kind, "maildir") == 0 || strcmp(kind, "mbox") == 0) {
		import_set_folder(im, a, kind, rest);
	} else if (strcmp(kind, "mda") == 0) {
		import_set_pipe(im, a, text_command(im->arena,
			text_replace(im->arena, rest, "%F", "%{sender}")));
	} else {
		import_set_folder(im, a, "maildir", "~/Maildir");
		import_remark(im, s != NULL ? s->line : 0,
			"account %s: delivery %s has no counterpart: into ~/Maildir instead", of->name, kind);
	}
}

static void set_trust(struct import *im, struct import_account *a,
	const struct section *of)
{
	const char *file = value(of, "tls_trust_file", "system");
	const struct setting *s = get(of, "tls_fingerprint");

	if (strcmp(file, "system") != 0)
		import_set_text(im, a, "ca_file", file);
	if (s != NULL && s->value[0] != '\0')
		import_remark(im, s->line,
			"tls_fingerprint is of the certificate, a pin of its key: left out; postrider probe %s shows what to write", a->name);
	if (!is_on(of, "tls_certcheck", true))
		import_remark(im, get(of, "tls_certcheck")->line,
			"certificates are checked now");
	if (get(of, "tls_host_override") != NULL)
		import_set_text(im, a, "tls_name",
			value(of, "tls_host_override", a->host));
	if (value(of, "tls_key_file", NULL) != NULL
	    && value(of, "tls_cert_file", NULL) != NULL) {
		import_set_text(im, a, "client_key",
			value(of, "tls_key_file", ""));
		import_set_text(im, a, "client_cert",
			value(of, "tls_cert_file", ""));
	}
	if (value(of, "tls_priorities", NULL) != NULL)
		import_set_text(im, a, "priority",
			value(of, "tls_priorities", ""));
}

static void set_server(struct import *im, struct import_account *a,
	const struct section *of)
{
	const char *text = value(of, "port", "0");
	enum import_tls tls = !is_on(of, "tls", false) ? IMPORT_PLAIN
		: is_on(of, "tls_starttls", true) ? IMPORT_STARTTLS : IMPORT_TLS;
	uint64_t port = 0;

	if (!num_u64(text, strlen(text), UINT16_MAX, &port))
		import_remark(im, get(of, "port")->line,
			"port %s is no number: the usual one", text);
	import_set_server(im, a, tls, port);
	if (tls != IMPORT_PLAIN)
		set_trust(im, a, of);
	if (value(of, "source_ip", NULL) != NULL)
		import_set_text(im, a, "source_address",
			value(of, "source_ip", ""));
	if (value(of, "socket", NULL) != NULL)
		import_set_text(im, a, "socket", value(of, "socket", ""));
}

static void set_login(struct import *im, struct import_account *a,
	const struct section *of)
{
	const char *command = value(of, "passwordeval", NULL);
	const char *auth = value(of, "auth", "on");

	if (command != NULL)
		import_set_password_command(im, a, command);
	else if (value(of, "password", NULL) != NULL)
		import_set_text(im, a, "password", value(of, "password", ""));
	else
		import_set(im, a, "password", "{netrc: true}");
	if (strcmp(auth, "on") != 0 && strcmp(auth, "off") != 0)
		import_set(im, a, "auth", arena_printf(im->arena, "[%s]",
			auth));
}

static void set_keep(struct import *im, struct import_account *a,
	const struct section *of)
{
	const char *keep = value(of, "keep", "on"), *size;

	import_set(im, a, "keep", strcmp(keep, "on") == 0 ? "true"
		: strcmp(keep, "off") == 0 ? "false" : keep);
	size = value(of, "skipsize", "0");
	if (strcmp(size, "0") != 0)
		import_set(im, a, "limits", arena_printf(im->arena,
			"{message: %s}", text_upper(im->arena, size)));
	a->seen.must_match = strcmp(keep, "off") != 0;
}

/* UID [TIME]: a time is digits, and a UID has no blank. */
static void saw(struct import *im, struct import_account *a, char *line)
{
	import_saw(im, a, line, strcspn(line, " \t"));
}

static bool is_block_of(const struct import_account *a, char *line,
	uint64_t *count_r)
{
	char *rest = line + 1, *count, *host;

	if (line[0] != ' ')
		return false;
	count = text_word(&rest);
	host = text_word(&rest);
	if (!num_u64(count, strlen(count), SIZE_MAX, count_r))
		*count_r = 0;
	return strcmp(host, a->host) == 0 && strcmp(rest, a->user) == 0;
}

static bool read_uids(struct import *im, struct import_account *a,
	const char *path, struct err *err)
{
	uint64_t left = 0;
	bool ours = false;
	char *text, *line;
	size_t len;

	if (!text_read(im->arena, path, &text, &len, err))
		return false;
	if (text == NULL) {
		import_remark(im, 0,
			"account %s: there is no list of fetched messages in %s: everything on the server will be fetched", a->name, path);
		return true;
	}
	while ((line = text_line(&text)) != NULL) {
		if (left != 0) {
			left--;
			if (ours)
				saw(im, a, line);
		} else if (line[0] == ' ') {
			ours = is_block_of(a, line, &left);
		}
	}
	return true;
}

static bool add(struct import *im, const struct section *of, struct err *err)
{
	struct import_account *a;
	const char *host = value(of, "host", NULL), *path;

	if (host == NULL)
		return true;
	a = import_add(im, of->name, host, value(of, "user", ""));
	set_server(im, a, of);
	set_login(im, a, of);
	set_keep(im, a, of);
	set_deliver(im, a, of);
	tell_unknown(im, of);
	path = value(of, "uidls_file", "~/.mpop_uidls/%U_at_%H");
	path = text_replace(im->arena, path, "%U", a->user);
	path = text_replace(im->arena, path, "%H", a->host);
	return read_uids(im, a, text_home(im->arena, path), err);
}

/* One that only gives another a second name is that other. */
static bool is_alias(const struct section *of)
{
	const struct section *other;

	for (other = of->next; other != NULL; other = other->next)
		if (other->settings == of->settings)
			return true;
	return false;
}

/* In the order of the file. */
static bool add_all(struct import *im, const struct section *all,
	struct err *err)
{
	if (all == NULL)
		return true;
	if (!add_all(im, all->next, err))
		return false;
	return all->name[0] == '\0' || is_alias(all) || add(im, all, err);
}

static bool read_mpop(struct import *im, const char *path, struct err *err)
{
	char *text;
	size_t len;

	return text_read(im->arena, path, &text, &len, err)
		&& add_all(im, read_sections(im, text), err);
}

const struct importer import_mpop = {
	"mpop", { "~/.mpoprc", "~/.config/mpop/config", NULL }, read_mpop,
};
