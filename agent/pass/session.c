/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pass/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/arena.h"
#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "config/secret.h"

struct answer {
	const struct account *account;
	struct secret secret;
};

struct session_prompts {
	struct answer *list;
	size_t count;
};

void session_trace(void *arg, char dir, const char *text, size_t len)
{
	char line[4 * LIMIT_REPLY_LINE + 8];

	fprintf(arg, " %c: %s\n", dir,
		log_escape(line, sizeof(line), text, len));
	fflush(arg);
}

/* Only a server that proves who he is, and only on the direct way. */
static bool may_be_found(const struct session_options *options)
{
	const struct account *a = options->account;

	return options->found != NULL && a->tls != TLS_NONE
		&& a->tunnel == NULL && a->socket == NULL
		&& a->proxy.host == NULL
		&& strlen(a->host) < sizeof(options->found->host);
}

static const char *found_at(const struct session_options *options)
{
	const struct found *found = options->found;
	int64_t age;

	if (!may_be_found(options)
	    || strcmp(found->host, options->account->host) != 0)
		return NULL;
	age = clock_wall() - found->at;
	return age >= 0 && age < LIMIT_FOUND_S ? found->address : NULL;
}

static void note_found(const struct session_options *options,
	const struct client *client)
{
	struct found *found = options->found;

	if (found != NULL)
		memset(found, 0, sizeof(*found));
	if (client == NULL || !may_be_found(options))
		return;
	snprintf(found->host, sizeof(found->host), "%s",
		options->account->host);
	snprintf(found->address, sizeof(found->address), "%s",
		client_peer(client));
	found->at = clock_wall();
}

/* The network or the peer, which has not spoken as a POP3 server. */
static bool may_have_moved(const struct err *err)
{
	return (err->class == ERR_RETRY || err->class == ERR_PROTO)
		&& err->server[0] == '\0';
}

struct client *session_connect(const struct session_options *options,
	struct err *err)
{
	struct client_options o = { options->account, options->trust,
		options->config->secret_env, options->stop_fd,
		options->trace != NULL ? session_trace : NULL, options->trace,
		options->recall, found_at(options) };
	struct client *client;

	if (o.address != NULL) {
		client = client_open(&o, err);
		if (client != NULL || !may_have_moved(err))
			return client;
		log_debug("looking up %s anew: %s", options->account->host,
			err->text);
		err_clear(err);
		o.address = NULL;
	}
	client = client_open(&o, err);
	note_found(options, client);
	return client;
}

static struct answer *find(const struct session_options *options)
{
	struct session_prompts *prompts = options->prompts;
	size_t i;

	for (i = 0; prompts != NULL && i < prompts->count; i++)
		if (prompts->list[i].account == options->account)
			return &prompts->list[i];
	return NULL;
}

static const struct secret_source *source_of(const struct account *account)
{
	return account->token.kind != SECRET_NONE ? &account->token
		: &account->password;
}

static bool read_secret(const struct account *account,
	const char *const *hide, bool may_ask, struct secret *secret_r,
	struct err *err)
{
	const struct secret_source *source = source_of(account);
	const struct secret_query query = {
		.what = source == &account->token ? "token" : "password",
		.host = account->host, .user = account->user,
		.account = account->name, .hide = hide, .may_ask = may_ask,
	};

	return secret_read(source, &query, secret_r, err);
}

bool session_secret(const struct session_options *options,
	struct secret *secret_r, struct err *err)
{
	const struct answer *answer = find(options);

	*secret_r = (struct secret){ NULL, 0 };
	if (source_of(options->account)->kind == SECRET_NONE)
		return true;
	if (answer != NULL && answer->secret.text != NULL)
		return secret_copy(&answer->secret, secret_r, err);
	return read_secret(options->account, options->config->secret_env,
		options->may_ask, secret_r, err);
}

bool session_surprised(const struct client *client, const struct err *err)
{
	/* Who gives a reason has understood, and to ask again at once would be
	 * the wrong answer; not every server says "busy" with a code. */
	bool later = err->class == ERR_RETRY && err->server[0] != '\0';

	return client_on_trust(client) && err->class != ERR_STOP
		&& err->code == ERR_CODE_NONE && !later;
}

static struct client *log_in(const struct session_options *options,
	const struct secret *secret, struct err *err)
{
	struct client *client = session_connect(options, err);
	bool surprise;

	if (client == NULL)
		return NULL;
	client_ahead(client, options->ahead, options->last);
	if (client_login(client, secret, err))
		return client;
	surprise = session_surprised(client, err);
	client_close(client);
	if (!surprise)
		return NULL;
	log_debug("asking the server anew: %s", err->text);
	recall_doubt(options->recall, clock_wall());
	err_clear(err);
	return log_in(options, secret, err);
}

/* The old one may have run out since it was stored. The same one again would
 * be refused again, and count as an attack. */
static struct client *with_new_token(const struct session_options *options,
	const struct secret *refused, struct err *err)
{
	struct client *client = NULL;
	struct err why = ERR_INIT;
	struct secret token;

	if (!session_secret(options, &token, &why)) {
		*err = why;
		return NULL;
	}
	if (!secret_equal(&token, refused)) {
		log_info("%s; trying the new one", err->text);
		err_clear(err);
		client = log_in(options, &token, err);
	}
	secret_wipe(&token);
	return client;
}

struct client *session_open(const struct session_options *options,
	struct err *err)
{
	struct client *client;
	struct secret secret;

	if (!session_secret(options, &secret, err))
		return NULL;
	client = log_in(options, &secret, err);
	if (client == NULL && err->class == ERR_LOGIN
	    && options->account->token.kind != SECRET_NONE)
		client = with_new_token(options, &secret, err);
	secret_wipe(&secret);
	return client;
}

bool session_prompt(const struct account *const *accounts, size_t count,
	struct session_prompts **prompts_r, struct err *err)
{
	struct session_prompts *prompts = NULL;
	struct answer *answer;
	size_t i;

	*prompts_r = NULL;
	for (i = 0; i < count && secret_can_ask(); i++) {
		if (source_of(accounts[i])->kind != SECRET_PROMPT)
			continue;
		if (prompts == NULL) {
			prompts = mem_grow(NULL, 1, sizeof(*prompts));
			*prompts = (struct session_prompts){ NULL, 0 };
		}
		prompts->list = mem_grow(prompts->list, prompts->count + 1,
			sizeof(*prompts->list));
		answer = &prompts->list[prompts->count];
		answer->account = accounts[i];
		if (!read_secret(accounts[i], NULL, true, &answer->secret,
			err)) {
			err_prefix(err, "%s", accounts[i]->name);
			session_prompts_free(prompts);
			return false;
		}
		prompts->count++;
	}
	*prompts_r = prompts;
	return true;
}

void session_lend(const struct session_options *options, bool lent)
{
	struct answer *answer = find(options);

	if (answer != NULL)
		secret_lend(&answer->secret, lent);
}

void session_forget(const struct session_options *options)
{
	struct answer *answer = find(options);

	if (answer != NULL)
		secret_wipe(&answer->secret);
}

void session_prompts_free(struct session_prompts *prompts)
{
	size_t i;

	if (prompts == NULL)
		return;
	for (i = 0; i < prompts->count; i++)
		secret_wipe(&prompts->list[i].secret);
	free(prompts->list);
	free(prompts);
}
