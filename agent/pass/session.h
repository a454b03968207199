/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_PASS_SESSION_H
#define AGENT_PASS_SESSION_H

#include <stdio.h>

#include "agent/pop3/client.h"

/*
 * From an account to a logged-in connection: the part that a pass, probe and
 * talk have in common.
 */

struct session_prompts;

struct session_options {
	const struct config *config;
	const struct account *account;
	const struct tls_trust *trust;
	int stop_fd;
	FILE *trace;			/* where the dialogue is shown, or NULL */
	struct session_prompts *prompts;	/* answers, or NULL */
	bool may_ask;			/* a person can be asked right now */
	struct recall *recall;		/* see struct client_options; or NULL */
	enum client_ahead ahead;	/* see client_ahead() */
	uint64_t last;
	struct found *found;		/* is used and renewed; or NULL */
};

/* Connects and secures, but does not log in. If that fails where the host was
 * found last, it is looked up anew. */
struct client *session_connect(const struct session_options *options,
	struct err *err) MUST_USE;

/* The account's password or token, to be wiped right after the login; empty
 * when it has none, because it logs in with a certificate or a ticket. */
bool session_secret(const struct session_options *options,
	struct secret *secret_r, struct err *err) MUST_USE;

/* The secret is read before the connection is made, so that a server does not
 * wait for a person, and wiped right after the login. When a token is refused
 * it is read once more: if it is another one by now, it gets a connection.
 * After a surprise what was remembered of the server is in doubt, and a new
 * connection made without it. */
struct client *session_open(const struct session_options *options,
	struct err *err) MUST_USE;
/* Did something fail that rests on what was remembered (client_on_trust()), and
 * has the server not said clearly why? */
bool session_surprised(const struct client *client, const struct err *err);

/* Workers share the terminal, so they cannot ask for anything: all of it is
 * asked for before the first one starts, one account after the other. NULL
 * when no account has {prompt: true}, and without a person to ask: then only
 * the passes of these accounts fail. ERR_STOP when the person gives up. */
bool session_prompt(const struct account *const *accounts, size_t count,
	struct session_prompts **prompts_r, struct err *err) MUST_USE;
/* Around the fork of the account's worker, which alone inherits the answer:
 * true before it, false in the worker. The parent forgets it then. */
void session_lend(const struct session_options *options, bool lent);
void session_forget(const struct session_options *options);
/* Wipes what is left; NULL is allowed. */
void session_prompts_free(struct session_prompts *prompts);

/* For wire_trace: a " C: " or " S: " line on the stream `arg`, escaped. */
void session_trace(void *arg, char dir, const char *text, size_t len);

#endif
