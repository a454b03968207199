/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pop3/auth_priv.h"

#include <stdio.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/pop3/sasl.h"

/*
 * Which way to log in, and when to stop trying.
 */

static const struct mechanism {
	const char *sasl;		/* NULL: commands of RFC 1939 */
	auth_attempt *attempt;
	bool library;			/* GNU SASL does it */
	bool shows;			/* who listens gets the secret, or with
					 * some computing (MD5) may get it */
	bool answers;			/* to a challenge, which needs a secret
					 * that the server may not have stored */
	bool binds;			/* to the TLS connection */
} mechanisms[AUTH_MECHS] = {
	[AUTH_SCRAM_SHA_256_PLUS] = { "SCRAM-SHA-256-PLUS", auth_library,
		.library = true, .answers = true, .binds = true },
	[AUTH_SCRAM_SHA_256] = { "SCRAM-SHA-256", auth_library,
		.library = true, .answers = true },
	[AUTH_SCRAM_SHA_1_PLUS] = { "SCRAM-SHA-1-PLUS", auth_library,
		.library = true, .answers = true, .binds = true },
	[AUTH_SCRAM_SHA_1] = { "SCRAM-SHA-1", auth_library,
		.library = true, .answers = true },
	[AUTH_CRAM_MD5] = { "CRAM-MD5", auth_library, .library = true,
		.answers = true, .shows = true },
	[AUTH_GSSAPI] = { "GSSAPI", auth_library, .library = true },
	[AUTH_EXTERNAL] = { .sasl = "EXTERNAL", .attempt = auth_external },
	[AUTH_OAUTHBEARER] = { "OAUTHBEARER", auth_bearer, .shows = true },
	[AUTH_XOAUTH2] = { "XOAUTH2", auth_bearer, .shows = true },
	[AUTH_PLAIN] = { "PLAIN", auth_plain, .shows = true },
	[AUTH_LOGIN] = { "LOGIN", auth_login, .shows = true },
	[AUTH_USER] = { NULL, auth_user, .shows = true },
	[AUTH_APOP] = { NULL, auth_apop, .shows = true },
};

/* Nobody but the server can listen, or the account does not mind. */
static bool unheard(const struct login *login)
{
	return client_tls(login->client) != NULL
		|| login->account->socket != NULL
		|| login->account->accept_plaintext;
}

static bool binds(struct client *client)
{
	char binding[256];
	bool exporter;

	return auth_binding(client, binding, sizeof(binding), &exporter);
}

static bool offered(struct login *login, enum auth_mech mech)
{
	const struct mechanism *m = &mechanisms[mech];
	struct client *client = login->client;
	const struct capa *capa = &client->capa;

	if (mech == AUTH_USER)
		return capa->user || !capa->sasl;
	if (mech == AUTH_APOP)
		return client->timestamp[0] != '\0';
	/* What was asked for by name is tried where nothing is announced. */
	if (!capa_has_sasl(capa, m->sasl)
	    && (capa->sasl || login->account->auth_count == 0))
		return false;
	/* Last: the library sets all of its mechanisms up to answer. */
	return !m->library || sasl_available(m->sasl);
}

/* A secret that a mechanism cannot use is not tried with it. */
static bool usable(const struct login *login, enum auth_mech mech)
{
	return !mechanisms[mech].answers || login->secret->text == NULL
		|| sasl_prepares(login->secret->text);
}

/* The ways that are left, the best first. */
static size_t choose(struct login *login, enum auth_mech *list)
{
	const struct account *account = login->account;
	bool automatic = account->auth_count == 0;
	size_t i, n = 0, count = automatic ? AUTH_MECHS : account->auth_count;
	enum auth_mech mech;

	for (i = 0; i < count; i++) {
		mech = automatic ? (enum auth_mech)i : account->auth[i];
		if (config_auth_possible(account, mech)
		    && offered(login, mech) && usable(login, mech)
		    && (!mechanisms[mech].shows || unheard(login))
		    && (!mechanisms[mech].binds || binds(login->client)))
			list[n++] = mech;
	}
	return n;
}

static bool hides_plus(const struct capa *capa)
{
	return !capa_has_sasl(capa, "SCRAM-SHA-256-PLUS")
		&& !capa_has_sasl(capa, "SCRAM-SHA-1-PLUS");
}

static void note_choice(struct login *login, enum auth_mech mech, size_t left)
{
	struct client *client = login->client;

	client->mechanism = config_auth_name(mech);
	snprintf(client->why, sizeof(client->why), "%s%s",
		login->account->auth_count != 0
		? "the first of the account's list that the server offers"
		: "the strongest that the server offers and the account has the secret for",
		left == 1 ? ", and the only one" : "");
}

/* What one refusal leaves. The secret that answers a challenge is stored in a
 * form of its own, and a server may not have it: then the password itself gets
 * one try. More would bring the account nearer to being locked; and in the
 * clear the refusal may come from somebody who wants to see the password. */
static bool may_follow(const struct login *login, enum auth_mech refused,
	enum auth_mech next)
{
	return mechanisms[refused].answers && !mechanisms[next].answers
		&& client_tls(login->client) != NULL;
}

static bool attempt(struct login *login, enum auth_mech mech, struct err *err)
{
	client_patience(login->client, login->account->timeouts.login);
	login->untold = mechanisms[mech].library;
	auth_hide(login, NULL);
	return mechanisms[mech].attempt(login, mechanisms[mech].sasl, err);
}

static void list_possible(const struct account *account, char *out, size_t cap)
{
	size_t i, n = 0;

	out[0] = '\0';
	for (i = 0; i < AUTH_MECHS && n < cap; i++)
		if (config_auth_possible(account, (enum auth_mech)i))
			n += (size_t)snprintf(out + n, cap - n, " %s",
				config_auth_name((enum auth_mech)i));
}

/* Nothing fits: say what each side has, and what is in the way. */
static bool no_mechanism(struct login *login, struct err *err)
{
	const struct capa *capa = &login->client->capa;
	const struct account *account = login->account;
	bool apop = account->auth_count == 1 && account->auth[0] == AUTH_APOP;
	char ours[160];

	if (apop && login->client->timestamp[0] == '\0')
		return err_set(err, ERR_CONFIG,
			"no login with apop: the server's greeting has no timestamp, or one that is not safe to answer");
	list_possible(account, ours, sizeof(ours));
	return err_set(err, ERR_CONFIG,
		"no login method in common: the server offers%s%.*s, the account can use%s%s%s%s",
		capa->user ? " user" : capa->sasl ? "" : " none",
		/* A blank stands at its end. */
		capa->sasl ? (int)strlen(capa->sasl_list) - 1 : 0,
		capa->sasl_list, ours,
		unheard(login) ? "" : " (but nothing that shows the password without TLS)",
		sasl_version() != NULL ? ""
		: " (but SCRAM, CRAM-MD5 and GSSAPI need GNU SASL, which is not built in)",
		usable(login, AUTH_SCRAM_SHA_256) ? ""
		: " (but SCRAM and CRAM-MD5 cannot use this password: it is not UTF-8, or has characters that SASLprep, RFC 4013, does not allow; choose another password, or allow plain with TLS)");
}

/* Puts first the way that went well the last time, if it is still allowed. */
static bool prefer_known(const struct login *login, enum auth_mech *list,
	size_t count)
{
	const struct recall *recall = login->client->recall;
	enum auth_mech known;
	size_t i;

	for (i = 0; recall != NULL && i < count; i++) {
		known = list[i];
		if (strcmp(config_auth_name(known), recall->mechanism) != 0)
			continue;
		memmove(list + 1, list, i * sizeof(*list));
		list[0] = known;
		return true;
	}
	return false;
}

/* What left behind the login may have been the fault; and a way that the
 * server was not asked about may be one it does not know any more. */
static bool ends_here(const struct client *client, const struct err *err)
{
	return err->class != ERR_LOGIN || client->ahead_sent != 0
		|| (client_on_trust(client) && err->code != ERR_CODE_AUTH);
}

/* At first contact: who takes commands in a row is not of those that drop a long
 * line, and who marks a refused secret shows that a refusal without the mark is
 * about the form. */
static bool takes_one_line(const struct client *client)
{
	return client->recall == NULL && client->capa.auth_resp_code
		&& client_may_go_ahead(client);
}

static bool log_in(struct login *login, struct err *err)
{
	struct client *client = login->client;
	enum auth_mech list[AUTH_MECHS];
	size_t i, count = choose(login, list);

	/* A server is told that it hides -PLUS only when it has just done so;
	 * what is remembered was believed by it when it was learnt. */
	login->y = client->recall == NULL && hides_plus(&client->capa);
	login->burst = prefer_known(login, list, count)
		&& client->capa.pipelining && client->ahead != AHEAD_NONE;
	login->brief = login->burst || takes_one_line(client);
	if (count == 0)
		return no_mechanism(login, err);
	note_choice(login, list[0], count);
	if (attempt(login, list[0], err))
		return true;
	if (ends_here(client, err))
		return false;
	for (i = 1; i < count; i++)
		if (may_follow(login, list[0], list[i]))
			break;
	if (i == count)
		return false;
	log_debug("%s was refused, trying %s", config_auth_name(list[0]),
		config_auth_name(list[i]));
	err_clear(err);
	login->burst = login->brief = false;
	note_choice(login, list[i], count);
	snprintf(client->why, sizeof(client->why), "%s was refused",
		config_auth_name(list[0]));
	return attempt(login, list[i], err);
}

bool auth_run(struct client *client, const struct secret *secret,
	struct err *err)
{
	struct login login = { .client = client,
		.account = client->options.account, .secret = secret };
	bool ok;

	ok = log_in(&login, err);
	wire_hide(client->wire, NULL, NULL);
	return ok;
}
