/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_POP3_CLIENT_PRIV_H
#define AGENT_POP3_CLIENT_PRIV_H

#include "agent/base/limits.h"
#include "agent/pop3/client.h"
#include "agent/pop3/dot.h"

/*
 * What the files of the client share: client_open.c (up to the login),
 * client_ahead.c (what leaves with it), client.c (single commands), window.c
 * (many commands), listing.c, look.c, auth.c.
 */

struct client {
	struct client_options options;
	struct wire *wire;
	struct capa capa, capa_clear;
	clock_ms session_end;
	char greeting[256];
	char timestamp[LIMIT_TIMESTAMP + 1];	/* for APOP; "" if there is none */
	char peer[64];
	char story[RACE_STORY];
	const char *mechanism;
	char why[200];			/* and why that one */
	/* The last session's, if it holds; the texts are this one's. */
	const struct recall *recall, *ticket;
	char capa_before[LIMIT_RECALL_CAPA], capa_text[LIMIT_RECALL_CAPA];
	enum client_ahead ahead;
	uint64_t ahead_last;
	size_t ahead_sent;		/* so many commands left with the login */
	bool on_trust;			/* see client_on_trust() */
	bool stalled;			/* see client_stalled() */
	/* The body being read. */
	struct source body;
	struct dot dot;
	clock_ms body_end;
	/* window.c: what the commands put since the last call weigh. */
	size_t put_bytes;
};

/* Sets the deadline of the next waits: `seconds`, but never beyond the end of
 * the session. */
void client_patience(struct client *client, uint64_t seconds);

/* Reads one status line. ERR_PROTO if it is none. */
bool client_reply(struct client *client, const char *what,
	struct reply *reply_r, struct err *err) MUST_USE;

/* One command and its status line; client_patience() before it. */
bool client_exchange(struct client *client, const char *line,
	struct reply *reply_r, struct err *err) MUST_USE;

/* The same; an answer of -ERR is an error of this class. */
bool client_must(struct client *client, const char *line, uint64_t seconds,
	enum err_class class, struct reply *reply_r, struct err *err) MUST_USE;
const struct account_timeouts *client_timeouts(const struct client *client);

/* client_ahead.c, here and below. At first contact: a server that has just
 * announced PIPELINING is trusted with more than it was asked for. */
bool client_may_go_ahead(const struct client *client);

/* Puts the commands that leave with the login. */
bool client_put_ahead(struct client *client, struct err *err) MUST_USE;
/* How many of these have left already; none from now on. */
size_t client_take_ahead(struct client *client, enum client_ahead what);
/* The first of them was answered: who was asked for all the rest takes commands
 * in a row, and nothing else was taken on trust. */
void client_ahead_answered(struct client *client);

/* auth.c: the login. */
bool auth_run(struct client *client, const struct secret *secret,
	struct err *err) MUST_USE;

#endif
