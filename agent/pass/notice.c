/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "agent/pass/priv.h"

/*
 * Mail of our own: that an account has failed for a while, or works again. It
 * goes through batch and ledger as fetched mail does, under a UID that names
 * the event, so a pass that is cut off anywhere neither loses nor doubles it.
 * Once delivered it is "gone" at once: no server will ever list it.
 */

void pass_notice_done(struct pass *pass, const struct batch_slot *slot)
{
	struct err err = ERR_INIT;

	if (slot->item.state == ITEM_DELIVERED
	    && !ledger_gone(pass->ledger, slot->entry, &err))
		log_err(LOG_LEVEL_WARN, &err);
}

/* What the message is made from. */
struct notice_text {
	const struct account *account;
	const struct outcome *outcome;
	enum report_turn turn;
	int64_t since;
	char user[200], place[200];	/* printable */
	char host[HOST_NAME_MAX + 1];	/* this one */
};

enum form { FOR_PEOPLE, FOR_HEADERS };

static const char *when(char *out, size_t cap, int64_t seconds,
	enum form form)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL
	    || strftime(out, cap, form == FOR_PEOPLE ? "%Y-%m-%d %H:%M:%S %z"
		    : "%a, %d %b %Y %H:%M:%S %z", &tm) == 0)
		snprintf(out, cap, "?");
	return out;
}

/* RFC 5322, 3.2.3: words that need no quotes, parted by dots; no longer than
 * any address may be. */
static bool is_dot_atom(const char *s, size_t len)
{
	static const char atext[] = "abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~.";
	size_t i;

	for (i = 0; i < len; i++)
		if (strchr(atext, s[i]) == NULL
		    || (s[i] == '.' && (i == 0 || i + 1 == len
			|| s[i - 1] == '.')))
			return false;
	return len != 0 && len <= 255;
}

/* The user is often an address; if it makes none with the server's name
 * either, it is the name of a group without members. */
static void put_recipient(FILE *out, const struct notice_text *n)
{
	const char *user = n->account->user, *host = n->account->host, *p;
	const char *at = strrchr(user, '@');

	if (at != NULL && is_dot_atom(user, (size_t)(at - user))
	    && is_dot_atom(at + 1, strlen(at + 1))) {
		fprintf(out, "To: %s\n", user);
		return;
	}
	if (host != NULL && is_dot_atom(user, strlen(user))
	    && is_dot_atom(host, strlen(host))) {
		fprintf(out, "To: %s@%s\n", user, host);
		return;
	}
	fputs("To: \"", out);
	for (p = n->user; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			fputc('\\', out);
		fputc(*p, out);
	}
	fputs("\":;\n", out);
}

static void put_header(FILE *out, const struct notice_text *n,
	const char *epoch)
{
	char date[64], since[64];

	fprintf(out, "From: postrider <postrider@%s>\n", n->host);
	put_recipient(out, n);
	fprintf(out, "Date: %s\n", when(date, sizeof(date), clock_wall(),
		FOR_HEADERS));
	if (n->turn == TURN_FAILING)
		fprintf(out, "Subject: mail of %s could not be fetched since %s\n",
			n->account->name, when(since, sizeof(since), n->since,
				FOR_PEOPLE));
	else
		fprintf(out, "Subject: mail of %s is fetched again\n",
			n->account->name);
	fprintf(out, "Message-ID: <%s.%" PRId64 ".%s@%s>\n",
		n->turn == TURN_FAILING ? "failing" : "recovered", n->since,
		epoch, n->host);
	fputs("Auto-Submitted: auto-generated\nMIME-Version: 1.0\n"
		"Content-Type: text/plain; charset=us-ascii\n"
		"Content-Transfer-Encoding: 7bit\n\n", out);
}

/* What a person can do about an error of each class. */
static const char *const advice[ERR_CONFIG + 1] = {
	[ERR_RETRY] =
		"The server or the network may be down, or the disk here full. If it does not\n"
		"pass by itself, this shows how far a connection gets:\n",
	[ERR_PROTO] =
		"The server does not answer as it should, or cannot be trusted; it may have\n"
		"changed, or somebody else answers in its place. This shows what it says:\n",
	[ERR_LOGIN] =
		"The server refuses the login. The password may have changed or expired, or the\n"
		"provider may want another way to log in. This tries it:\n",
	[ERR_CONFIG] =
		"Somebody must change something here; the error says what. This tells whether it\n"
		"is enough:\n",
};

static void put_error(FILE *out, const struct outcome *o)
{
	char time[64];

	fprintf(out, "The last error, at %s:\n\n    %s\n\n",
		when(time, sizeof(time), o->failed, FOR_PEOPLE), o->text);
	if (o->server[0] != '\0')
		fprintf(out, "The server said:\n\n    %s\n\n", o->server);
}

static void put_failing(FILE *out, const struct notice_text *n)
{
	const struct outcome *o = n->outcome;
	char since[64];

	fprintf(out, "No mail could be fetched from the account\n\n"
		"    %s (%s at %s)\n\nsince %s; %" PRIu64
		" attempt%s failed.\n\n", n->account->name, n->user, n->place,
		when(since, sizeof(since), n->since, FOR_PEOPLE), o->streak,
		o->streak == 1 ? "" : "s");
	put_error(out, o);
	fprintf(out, "%s\n    postrider %s %s\n\n",
		advice[o->class] != NULL ? advice[o->class] : advice[ERR_RETRY],
		o->class == ERR_CONFIG ? "fetch" : "probe", n->account->name);
	fputs("Mail waits on the server meanwhile. Further attempts are made; the first one\n"
		"that succeeds is told as well.\n", out);
}

static void put_recovered(FILE *out, const struct notice_text *n)
{
	char since[64], now[64];

	fprintf(out, "Mail is fetched again from the account\n\n"
		"    %s (%s at %s)\n\nsince %s. It had failed since %s.\n\n",
		n->account->name, n->user, n->place,
		when(now, sizeof(now), n->outcome->succeeded, FOR_PEOPLE),
		when(since, sizeof(since), n->since, FOR_PEOPLE));
	put_error(out, n->outcome);
}

static void fill(struct notice_text *n)
{
	const struct account *a = n->account;
	const char *place = a->socket != NULL ? a->socket : a->host;

	log_escape(n->user, sizeof(n->user), a->user, strlen(a->user));
	log_escape(n->place, sizeof(n->place), place, strlen(place));
	if (gethostname(n->host, sizeof(n->host)) < 0
	    || memchr(n->host, '\0', sizeof(n->host)) == NULL
	    || !is_dot_atom(n->host, strlen(n->host)))
		snprintf(n->host, sizeof(n->host), "localhost");
}

static char *write_text(const struct pass *pass, enum report_turn turn,
	int64_t since, size_t *len_r)
{
	struct notice_text n = { .account = pass->account,
		.outcome = &pass->memory.outcome, .turn = turn,
		.since = since };
	char *text = NULL;
	FILE *out = open_memstream(&text, len_r);

	if (out == NULL)
		return NULL;
	fill(&n);
	put_header(out, &n, ledger_epoch(pass->ledger));
	if (turn == TURN_FAILING)
		put_failing(out, &n);
	else
		put_recovered(out, &n);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

struct text_source {
	struct source source;
	const char *text;
	size_t left;
};

static bool pull(struct source *src, char *buf, size_t cap, size_t *len_r,
	struct err *err)
{
	struct text_source *s = (struct text_source *)(void *)src;
	size_t n = s->left < cap ? s->left : cap;

	(void)err;
	memcpy(buf, s->text, n);
	s->text += n;
	s->left -= n;
	*len_r = n;
	return true;
}

static bool stage(struct pass *pass, struct batch_slot *slot,
	const char *text, size_t len, struct err *err)
{
	struct text_source source = { { pull }, text, len };
	struct dest *dest = pass->batch.dest;
	struct err ignored = ERR_INIT;
	struct sink *sink;
	uint64_t bytes;

	if (dest->kind->stage(dest, &slot->item, &sink, err)
	    && pump(&source.source, sink, 0, &bytes, err) == PUMP_OK) {
		dest_seal(dest, &slot->item);
		return true;
	}
	if (slot->item.fd >= 0
	    && !stage_remove(&dest->stage, &slot->item, &ignored))
		log_err(LOG_LEVEL_WARN, &ignored);
	return false;
}

static bool deliver(struct pass *pass, const char *uid, const char *text,
	size_t len, struct err *err)
{
	struct report_counts counts = *pass->counts;
	struct batch_slot *slot;
	bool ok;

	/* The pass is over: what it could not commit is fetched again. */
	pass_drop_staged(pass);
	slot = batch_next(&pass->batch);
	slot->what.uid = uid;
	slot->what.uid_len = strlen(uid);
	slot->what.identity = identity_none();
	if (!stage(pass, slot, text, len, err))
		return false;
	batch_add(&pass->batch);
	ok = batch_commit(&pass->batch, err);
	/* It is no mail that came. */
	*pass->counts = counts;
	return ok;
}

static bool send_notice(struct pass *pass, enum report_turn turn,
	int64_t since, struct err *err)
{
	char uid[60], *text;
	size_t len = 0;
	bool ok;

	if (!pass->settled)
		return err_set(err, ERR_RETRY,
			"the destination is what fails");
	snprintf(uid, sizeof(uid), LEDGER_NOTICE "%s %" PRId64,
		turn == TURN_FAILING ? "failing" : "recovered", since);
	/* A pass that was cut off before it could remember has sent it. */
	if (ledger_find(pass->ledger, uid, strlen(uid), NULL) != NULL)
		return true;
	text = write_text(pass, turn, since, &len);
	if (text == NULL)
		return err_set(err, ERR_RETRY, "no memory");
	ok = deliver(pass, uid, text, len, err);
	free(text);
	return ok;
}

void pass_notice(struct pass *pass, enum report_turn turn, int64_t since)
{
	struct err err = ERR_INIT;
	char words[64];

	if (send_notice(pass, turn, since, &err))
		return;
	when(words, sizeof(words), since, FOR_PEOPLE);
	if (turn == TURN_FAILING)
		log_warn("no mail could be fetched since %s; a notice of it could not be delivered: %s",
			words, err.text);
	else
		log_warn("mail is fetched again, which had failed since %s; a notice of it could not be delivered: %s",
			words, err.text);
}
