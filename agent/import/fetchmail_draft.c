/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/import/fetchmail_draft.h"

#include <string.h>
#include <strings.h>

/*
 * .fetchids has a line USER@HOST UID for each message that is known and still
 * there, whatever the port: users and hosts are compared without case, the host
 * is the name that was connected to, and a UID is cut after 128 bytes.
 */

/* By default mail goes to the mail server of this machine, for a local user. */
static void set_deliver(struct import *im, struct import_account *a,
	const struct draft *d, unsigned int line)
{
	const char *const sendmail[] = { "/usr/sbin/sendmail", "-i", "-f",
		"%{sender}", "--", d->local != NULL ? d->local : a->user,
		NULL };
	const char *mda = d->mda;

	if (mda == NULL) {
		import_set_pipe(im, a, sendmail);
		import_remark(im, line,
			"account %s: mail goes to the local mail server through %s now, not through port 25; a Maildir of your own is simpler (deliver: {maildir: ~/Maildir})", a->name, sendmail[0]);
		return;
	}
	mda = text_replace(im->arena, mda, "%F", "%{sender}");
	mda = text_replace(im->arena, mda, "%T", sendmail[5]);
	mda = text_replace(im->arena, mda, "%s", sendmail[5]);
	import_set_pipe(im, a, text_command(im->arena, mda));
}

static void set_tls(struct import *im, struct import_account *a,
	const struct draft *d, unsigned int line)
{
	enum import_tls tls = d->ssl || d->port == 995 ? IMPORT_TLS
		: IMPORT_STARTTLS;

	if (tls != IMPORT_TLS && d->sslproto != NULL && d->sslproto[0] == '\0')
		tls = IMPORT_PLAIN;
	import_set_server(im, a, tls, d->port);
	if (tls == IMPORT_STARTTLS)
		import_remark(im, line,
			"account %s: without ssl TLS was used where the server offers it; now it must (tls: starttls)", a->name);
	if (d->unchecked)
		import_remark(im, line,
			"account %s: certificates are checked now", a->name);
	if (d->ca_file != NULL)
		import_set_text(im, a, "ca_file", d->ca_file);
	if (d->tls_name != NULL)
		import_set_text(im, a, "tls_name", d->tls_name);
	if (d->cert != NULL && d->key != NULL) {
		import_set_text(im, a, "client_cert", d->cert);
		import_set_text(im, a, "client_key", d->key);
	}
}

static void set_login(struct import *im, struct import_account *a,
	const struct draft *d, unsigned int line)
{
	if (d->password_file != NULL)
		import_set(im, a, "password", arena_printf(im->arena,
			"{file: %s}", text_yaml(im->arena, d->password_file)));
	else if (d->password != NULL)
		import_set_text(im, a, "password", d->password);
	else
		import_set(im, a, "password", "{netrc: true}");
	if (d->proto != NULL && strcasecmp(d->proto, "apop") == 0)
		import_set(im, a, "auth", "[apop]");
	else if (d->auth != NULL && strcmp(d->auth, "any") != 0
		 && strcmp(d->auth, "password") != 0)
		import_remark(im, line,
			"account %s: auth %s: the safest that the server knows is used instead", a->name, d->auth);
}

static void set_limits(struct import *im, struct import_account *a,
	const struct draft *d)
{
	const char *comma = d->limit != 0 && d->fetchlimit != 0 ? ", " : "";
	const char *message = "", *messages = "";

	if (d->limit != 0)
		message = arena_printf(im->arena, "message: %llu",
			(unsigned long long)d->limit);
	if (d->fetchlimit != 0)
		messages = arena_printf(im->arena, "messages: %llu",
			(unsigned long long)d->fetchlimit);
	if (d->limit != 0 || d->fetchlimit != 0)
		import_set(im, a, "limits", arena_printf(im->arena,
			"{%s%s%s}", message, comma, messages));
}

static bool is_pop3(const struct draft *d)
{
	return d->proto == NULL || strcasecmp(d->proto, "pop3") == 0
		|| strcasecmp(d->proto, "apop") == 0
		|| strcasecmp(d->proto, "auto") == 0;
}

void fetchmail_add(struct import *im, const struct draft *d, unsigned int line)
{
	struct import_account *a;

	if (!is_pop3(d)) {
		import_remark(im, line,
			"user %s at %s: protocol %s is not POP3: left out",
			d->user, d->poll, d->proto);
		return;
	}
	a = import_add(im, d->poll, d->via != NULL ? d->via : d->poll,
		d->user);
	if (!d->enabled)
		import_set(im, a, "enabled", "false");
	set_tls(im, a, d, line);
	set_login(im, a, d, line);
	import_set(im, a, "keep", d->keep ? "true" : "false");
	a->seen.must_match = d->keep;
	if (d->seconds != 0)
		import_set_number(im, a, "interval", d->seconds
			* (d->interval != 0 ? d->interval : 1), "s");
	set_limits(im, a, d);
	set_deliver(im, a, d, line);
}

/* USER@HOST UID: both may hold '@', and the user blanks. */
static void take_seen(struct import *im, char *line)
{
	char *uid = strrchr(line, ' '), *at;
	struct import_account *a;

	if (uid == NULL || uid[1] == '\0')
		return;
	*uid++ = '\0';
	at = strrchr(line, '@');
	if (at == NULL)
		return;
	*at++ = '\0';
	for (a = im->accounts; a != NULL; a = a->next)
		if (strcasecmp(a->user, line) == 0
		    && strcasecmp(a->host, at) == 0)
			import_saw(im, a, uid, strlen(uid));
}

bool fetchmail_read_ids(struct import *im, const char *path, struct err *err)
{
	struct import_account *a;
	char *text, *line;
	size_t len;

	for (a = im->accounts; a != NULL; a = a->next)
		a->seen.cuts = true;
	if (!text_read(im->arena, path, &text, &len, err))
		return false;
	if (text == NULL) {
		import_remark(im, 0,
			"there is no list of fetched messages in %s: everything on the servers will be fetched", path);
		return true;
	}
	while ((line = text_line(&text)) != NULL)
		take_seen(im, line);
	return true;
}
