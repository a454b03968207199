/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pop3/auth_priv.h"

#include <stdio.h>
#include <string.h>

#include "agent/pop3/sasl.h"

/*
 * The mechanisms of GNU SASL: challenge and answer until the server has
 * decided.
 */

bool auth_binding(struct client *client, char *out, size_t cap,
	bool *exporter_r)
{
	struct tls *tls = client_tls(client);

	return tls != NULL && tls_channel_binding(tls, out, cap, exporter_r)
		&& sasl_binds(*exporter_r);
}

static bool speaks_first(const char *name)
{
	return strncmp(name, "SCRAM", 5) == 0 || strcmp(name, "GSSAPI") == 0;
}

/* Some servers put prose into the first, empty challenge of a mechanism in
 * which the client speaks first. */
static bool answer(struct login *login, struct sasl *sasl, const char *name,
	bool first, struct reply *reply, struct err *err)
{
	char challenge[LIMIT_REPLY_LINE + 1];
	const char *line;
	size_t len = first ? 0 : reply->len;

	memcpy(challenge, reply->text, len);
	challenge[len] = '\0';
	if (strlen(challenge) != len) {
		auth_cancel(login);
		return err_set(err, ERR_PROTO,
			"the server's challenge holds a NUL");
	}
	if (!sasl_step(sasl, challenge, &line, err)) {
		auth_cancel(login);
		return false;
	}
	/* The signature of SCRAM that comes next would let whoever reads the
	 * trace try passwords on it. */
	wire_veil(login->client->wire, !first && speaks_first(name));
	/* CRAM-MD5 may be refused, and followed by another mechanism. */
	return (sasl_done(sasl) && speaks_first(name) ? auth_send_last
		: auth_send)(login, line, AUTH_MASK, reply, err);
}

/* No mechanism has an answer to what comes behind its end. */
static bool may_answer(const struct sasl *sasl, unsigned int round,
	struct err *err)
{
	if (sasl_done(sasl))
		return err_set(err, ERR_PROTO,
			"the server's challenges go on where the login should end");
	return round < LIMIT_SASL_ROUNDS || err_set(err, ERR_PROTO,
		"the server's challenges do not end: there were %d of them",
		LIMIT_SASL_ROUNDS);
}

static bool converse(struct login *login, struct sasl *sasl, const char *name,
	struct err *err)
{
	bool first = speaks_first(name);
	unsigned int round = 0;
	struct reply reply;

	if (!auth_invite(login, name, &reply, err))
		return false;
	while (reply.kind == REPLY_CONTINUE) {
		if (!may_answer(sasl, round++, err)
		    || !answer(login, sasl, name, first, &reply, err))
			return false;
		first = false;
	}
	if (reply.kind != REPLY_OK)
		return auth_refused(&reply, name, err);
	if (!sasl_done(sasl))
		return err_set(err, ERR_PROTO,
			"the server accepted the login without proving that it knows the password");
	return true;
}

bool auth_library(struct login *login, const char *name, struct err *err)
{
	char binding[256];
	struct sasl_login how = { .mechanism = name,
		.user = login->account->user, .host = login->account->host,
		.password = login->secret->text };
	size_t len = strlen(name);
	bool ok, plus = len > 5 && strcmp(name + len - 5, "-PLUS") == 0;
	struct sasl *sasl;

	/* Where the server offers -PLUS, but the account's list does not, it
	 * must not be told that we believe it cannot. */
	if ((plus || login->y) && auth_binding(login->client, binding,
		sizeof(binding), &how.exporter))
		how.binding = binding;
	sasl = sasl_new(&how, err);
	if (sasl == NULL)
		return false;
	ok = converse(login, sasl, name, err);
	wire_veil(login->client->wire, false);
	sasl_free(sasl);
	return ok;
}
