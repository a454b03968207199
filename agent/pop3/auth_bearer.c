/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pop3/auth_priv.h"

#include <stdlib.h>
#include <string.h>

#include "agent/pop3/bearer.h"

/*
 * OAUTHBEARER and XOAUTH2. A refusal comes as a challenge that says why, which
 * must be answered before the server says -ERR.
 */

/* RFC 7628 section 3.2.3: one control-A, in base64. XOAUTH2: nothing. */
static bool give_up(struct login *login, bool oauthbearer,
	const struct reply *challenge, struct err *err)
{
	char why[400];
	struct reply reply;

	bearer_fault(challenge->text, challenge->len, login->secret->text, why,
		sizeof(why));
	if (!auth_send(login, oauthbearer ? "AQ==" : "",
		oauthbearer ? "AQ==" : "", &reply, err))
		return false;
	if (reply.kind != REPLY_ERR)
		return auth_refused(&reply, "token", err);
	/* The code may say that the fault is the server's. */
	(void)auth_refused(&reply, "token", err);
	err_set(err, err->class, "%s", why);
	err_server(err, reply.text, reply.len);
	return false;
}

bool auth_bearer(struct login *login, const char *name, struct err *err)
{
	const struct account *account = login->account;
	bool ok, oauthbearer = strcmp(name, "OAUTHBEARER") == 0;
	struct reply reply;
	char *message;

	if (!bearer_is_token(login->secret->text))
		return err_set(err, ERR_CONFIG,
			"token: it has a character that no token has, such as a blank");
	/* A refusal looks like an invitation, and wants an answer: nothing else
	 * may be on its way. */
	login->burst = login->brief = false;
	message = bearer_message(oauthbearer, account->user, account->host,
		(unsigned int)account->port, login->secret->text);
	ok = auth_message(login, name, message, &reply, err);
	explicit_bzero(message, strlen(message));
	free(message);
	if (!ok)
		return false;
	if (reply.kind == REPLY_CONTINUE)
		return give_up(login, oauthbearer, &reply, err);
	return reply.kind == REPLY_OK || auth_refused(&reply, name, err);
}
