/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/arena.h"
#include "agent/base/digest.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "agent/pop3/client_priv.h"
#include "agent/pop3/sasl.h"

/*
 * Logging in: USER and PASS (RFC 1939), SASL (RFC 5034). The mechanism is
 * announced first and the secret sent only when the server asks for it, which
 * every server understands and Microsoft's demands.
 */

#define MASK "********"

struct login {
	struct client *client;
	const struct account *account;
	const struct secret *password;
};

static const struct mechanism {
	const char *sasl;		/* NULL: USER and PASS */
	bool library;			/* GNU SASL does it */
} mechanisms[AUTH_MECHS] = {
	[AUTH_SCRAM_SHA_256] = { "SCRAM-SHA-256", true },
	[AUTH_SCRAM_SHA_1] = { "SCRAM-SHA-1", true },
	[AUTH_CRAM_MD5] = { "CRAM-MD5", true },
	[AUTH_PLAIN] = { "PLAIN", false },
	[AUTH_USER] = { NULL, false },
};

static bool login_refused(const struct reply *reply, const char *how,
	struct err *err)
{
	char what[80];

	snprintf(what, sizeof(what), "the login (%s)", how);
	return reply_refused(reply, ERR_LOGIN, what, err);
}

static bool user_pass(struct login *login, struct err *err)
{
	const struct account *account = login->account;
	struct client *client = login->client;
	struct reply reply;
	size_t ignored;
	char *line;
	bool ok;

	if (asprintf(&line, "USER %s", account->user) < 0)
		return err_sys(err, ENOMEM, "USER");
	ok = wire_put(client->wire, line, &ignored, err)
		&& client_reply(client, "USER", &reply, err);
	free(line);
	if (!ok)
		return false;
	if (reply.kind != REPLY_OK)
		return login_refused(&reply, "USER", err);
	if (asprintf(&line, "PASS %s", login->password->text) < 0)
		return err_sys(err, ENOMEM, "PASS");
	client_patience(client, account->timeouts.login);
	wire_hide(client->wire, login->password->text, NULL);
	ok = wire_put_secret(client->wire, line, "PASS " MASK, err)
		&& client_reply(client, "PASS", &reply, err);
	explicit_bzero(line, strlen(line));
	free(line);
	if (!ok)
		return false;
	return reply.kind == REPLY_OK || login_refused(&reply, "PASS", err);
}

/* RFC 4616: no authorization identity, the user, the password. */
static char *plain_message(const struct login *login)
{
	size_t user = strlen(login->account->user);
	size_t raw_len = 2 + user + login->password->len;
	size_t cap = 4 * (raw_len / 3 + 1) + 1;
	char *raw = mem_grow(NULL, raw_len, 1);
	char *text = mem_grow(NULL, cap, 1);

	raw[0] = '\0';
	memcpy(raw + 1, login->account->user, user);
	raw[1 + user] = '\0';
	memcpy(raw + 2 + user, login->password->text, login->password->len);
	digest_base64(raw, raw_len, text, cap);
	explicit_bzero(raw, raw_len);
	free(raw);
	return text;
}

/* "AUTH NAME", and the server's invitation to go on. */
static bool invite(struct login *login, const char *name, struct reply *reply_r,
	struct err *err)
{
	char line[64];

	snprintf(line, sizeof(line), "AUTH %s", name);
	return client_exchange(login->client, line, reply_r, err);
}

static bool auth_plain(struct login *login, struct err *err)
{
	struct client *client = login->client;
	struct reply reply;
	char *message;
	bool ok;

	if (!invite(login, "PLAIN", &reply, err))
		return false;
	if (reply.kind != REPLY_CONTINUE)
		return login_refused(&reply, "PLAIN", err);
	message = plain_message(login);
	wire_hide(client->wire, login->password->text, message);
	ok = wire_put_secret(client->wire, message, MASK, err)
		&& client_reply(client, "the login", &reply, err);
	wire_hide(client->wire, login->password->text, NULL);
	explicit_bzero(message, strlen(message));
	free(message);
	if (!ok)
		return false;
	return reply.kind == REPLY_OK || login_refused(&reply, "PLAIN", err);
}

/* Challenge and answer until the server has decided. */
static bool converse(struct login *login, struct sasl *sasl, const char *name,
	struct err *err)
{
	char challenge[LIMIT_REPLY_LINE];
	struct client *client = login->client;
	const char *answer;
	struct reply reply;
	bool first = true;

	if (!invite(login, name, &reply, err))
		return false;
	while (reply.kind == REPLY_CONTINUE) {
		/* Some servers put prose into the first, empty challenge of
		 * a mechanism in which the client speaks first. */
		snprintf(challenge, sizeof(challenge), "%.*s",
			first && strncmp(name, "SCRAM", 5) == 0 ? 0
			: (int)reply.len, reply.text);
		first = false;
		if (!sasl_step(sasl, challenge, &answer, err))
			return false;
		wire_hide(client->wire, login->password->text, answer);
		if (!wire_put_secret(client->wire, answer, MASK, err)
		    || !client_reply(client, "the login", &reply, err))
			return false;
		wire_hide(client->wire, login->password->text, NULL);
	}
	if (reply.kind != REPLY_OK)
		return login_refused(&reply, name, err);
	if (!sasl_done(sasl))
		return err_set(err, ERR_PROTO,
			"the server accepted the login without proving that it knows the password");
	return true;
}

static bool auth_library(struct login *login, const char *name,
	struct err *err)
{
	const struct account *account = login->account;
	struct sasl *sasl = sasl_new(name, account->user,
		login->password->text, account->host, err);
	bool ok;

	if (sasl == NULL)
		return false;
	ok = converse(login, sasl, name, err);
	sasl_free(sasl);
	return ok;
}

static bool offered(const struct client *client, enum auth_mech mech)
{
	const struct mechanism *m = &mechanisms[mech];

	if (m->sasl == NULL)
		return client->capa.user || !client->capa.sasl;
	return capa_has_sasl(&client->capa, m->sasl)
		&& (!m->library || sasl_available(m->sasl));
}

static bool try_one(struct login *login, enum auth_mech mech, struct err *err)
{
	const struct mechanism *m = &mechanisms[mech];

	login->client->mechanism = config_auth_name(mech);
	client_patience(login->client, login->account->timeouts.login);
	if (m->sasl == NULL)
		return user_pass(login, err);
	if (m->library)
		return auth_library(login, m->sasl, err);
	return auth_plain(login, err);
}

/* Nothing fits: say what each side has. */
static bool no_mechanism(const struct client *client, struct err *err)
{
	const struct capa *capa = &client->capa;

	return err_set(err, ERR_CONFIG,
		"no login method in common: the server offers%s%s, the account's auth list does not",
		capa->user ? " user" : "", capa->sasl ? capa->sasl_list
		: capa->user ? "" : " none");
}

static bool log_in(struct client *client, const struct secret *password,
	struct err *err)
{
	const struct account *account = client->options.account;
	struct login login = { client, account, password };
	enum auth_mech mech;
	bool tried = false, refused = false;
	size_t i, n = account->auth_count != 0 ? account->auth_count
		: AUTH_MECHS;

	for (i = 0; i < n; i++) {
		mech = account->auth_count != 0 ? account->auth[i]
			: (enum auth_mech)i;
		/* A server may store no SCRAM or CRAM secret for the user, so
		 * one refusal of these is not the last word; but each further
		 * try brings the account nearer to being locked. */
		if (!offered(client, mech)
		    || (refused && mechanisms[mech].library))
			continue;
		/* In the clear a refusal may come from somebody who wants to
		 * see the password. */
		if (refused && client_tls(client) == NULL
		    && account->auth_count == 0)
			break;
		tried = true;
		if (try_one(&login, mech, err))
			return true;
		if (err->class != ERR_LOGIN || !mechanisms[mech].library)
			return false;
		log_debug("%s was refused, trying the next method",
			config_auth_name(mech));
		refused = true;
	}
	return tried ? false : no_mechanism(client, err);
}

bool auth_run(struct client *client, const struct secret *password,
	struct err *err)
{
	bool ok = log_in(client, password, err);

	wire_hide(client->wire, NULL, NULL);
	return ok;
}
