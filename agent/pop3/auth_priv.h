/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_POP3_AUTH_PRIV_H
#define AGENT_POP3_AUTH_PRIV_H

#include "agent/pop3/client_priv.h"

/*
 * The login: auth.c chooses, auth_simple.c, auth_bearer.c and auth_sasl.c are
 * the ways to log in, and auth_step.c is what these consist of.
 */

/* What the trace shows in the place of a secret. */
#define AUTH_MASK "********"

struct login {
	struct client *client;
	const struct account *account;
	const struct secret *secret;	/* password or token; may be empty */
	bool y;				/* SCRAM: we could bind, the server not */
	bool burst;			/* what comes next leaves with the last
					 * message */
	bool brief;			/* AUTH takes its only message along */
	bool untold;			/* the server never hears the secret */
};

/* One attempt with the mechanism of that SASL name (NULL outside SASL).
 * ERR_LOGIN when the server refuses. */
typedef bool auth_attempt(struct login *login, const char *name,
	struct err *err);

auth_attempt auth_user, auth_apop, auth_plain, auth_login, auth_external;
auth_attempt auth_bearer;
auth_attempt auth_library;

/* The channel binding for SCRAM, in base64. False if there is none that GNU
 * SASL can use. */
bool auth_binding(struct client *client, char *out, size_t cap,
	bool *exporter_r);

/* auth_step.c: what the server's refusal means. Returns false. */
bool auth_refused(const struct reply *reply, const char *how,
	struct err *err);

/* "AUTH NAME", and the server's invitation to go on, which is awaited: every
 * server that keeps to RFC 5034 gives it, and Microsoft's drop a long line. */
bool auth_invite(struct login *login, const char *name, struct reply *reply_r,
	struct err *err);

/* What nobody may see from now on: the secret, if the server hears it, and
 * `hidden`. Who does not hear the secret cannot repeat it, and a challenge that
 * happens to hold the few letters of one must be answered as it is. */
void auth_hide(const struct login *login, const char *hidden);

/* A line that is or holds a secret, and the answer; what is masked in the
 * trace is also masked where the server repeats it. */
bool auth_send(struct login *login, const char *line, const char *mask,
	struct reply *reply_r, struct err *err);
/* The same for the last one there is to say. */
bool auth_send_last(struct login *login, const char *line, const char *mask,
	struct reply *reply_r, struct err *err);

/* The whole of a mechanism in which the client says one thing. A server that
 * refuses the command without a word about the login gets it again with the
 * message in the same line: nothing secret had been sent, so the refusal is
 * not about the secret, and some know no other form. If the login is to be brief
 * it is one line at once, on trust, if that is short enough for one. */
bool auth_message(struct login *login, const char *name, const char *message,
	struct reply *reply_r, struct err *err);

/* "*": the exchange cannot go on (RFC 5034 section 4). Keeps `err`. */
void auth_cancel(struct login *login);

#endif
