/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "agent/pop3/client_priv.h"
#include "agent/pop3/window.h"

/*
 * The way into a session: connection, TLS, greeting, capabilities, login.
 */

/* On a port for TLS nothing comes, or an alert, which is no line. */
static bool hear_first(struct client *client, struct err *err)
{
	const char *data;
	size_t len;

	if (wire_tls(client->wire) != NULL)
		return true;
	if (!wire_peek(client->wire, &data, &len, err)) {
		err_prefix(err, "no greeting (a port for TLS wants tls: implicit)");
		return false;
	}
	return (data[0] != 21 && data[0] != 22) || err_set(err, ERR_PROTO,
		"the server speaks TLS from the first byte on this port: set tls: implicit (with port 995 as a rule)");
}

static bool greet(struct client *client, struct err *err)
{
	const char *stamp;
	struct reply reply;
	size_t len;

	client_patience(client, client_timeouts(client)->greeting);
	if (!hear_first(client, err)
	    || !client_reply(client, "the greeting", &reply, err))
		return false;
	if (reply.kind != REPLY_OK)
		return reply_refused(&reply, ERR_RETRY, "the connection", err);
	log_escape(client->greeting, sizeof(client->greeting), reply.text,
		reply.len);
	if (reply_timestamp(reply.text, reply.len, &stamp, &len))
		memcpy(client->timestamp, stamp, len);
	return true;
}

/* Servers that do not know CAPA answer -ERR: then everything optional is
 * tried once, and nothing is pipelined. */
static bool take_capa(struct client *client, struct err *err)
{
	const char *line;
	struct reply reply;
	size_t len, n;

	memset(&client->capa, 0, sizeof(client->capa));
	client->capa_text[0] = '\0';
	if (!client_reply(client, "CAPA", &reply, err))
		return false;
	if (reply.kind != REPLY_OK) {
		client->capa.user = true;
		return true;
	}
	client->capa.known = true;
	for (n = 0; n <= LIMIT_CAPA_LINES; n++) {
		if (!wire_line(client->wire, &line, &len, err))
			return false;
		if (len == 1 && line[0] == '.')
			return true;
		reply_capa(line, len, &client->capa);
		recall_add(client->capa_text, sizeof(client->capa_text), line,
			len);
	}
	return err_set(err, ERR_PROTO,
		"the server lists more than %d capabilities", LIMIT_CAPA_LINES);
}

static bool put_capa(struct client *client, struct err *err)
{
	client_patience(client, client_timeouts(client)->command);
	return client_in_step(client, err)
		&& client_put(client, "CAPA", 0, err);
}

static bool ask_capa(struct client *client, struct err *err)
{
	return put_capa(client, err) && take_capa(client, err);
}

static bool secure(struct client *client, struct err *err)
{
	const struct account *account = client->options.account;
	const struct tls_options options = {
		account->name, account->tls_name, account->trust,
		account->ca_file, account->pin, account->priority,
		account->client_cert, account->client_key,
		account->tls == TLS_IMPLICIT,
		client->ticket != NULL ? client->ticket->ticket : NULL,
		client->ticket != NULL ? client->ticket->ticket_len : 0,
	};

	return wire_start_tls(client->wire, client->options.trust, &options,
		clock_min(client->session_end,
			clock_after((int64_t)account->timeouts.tls * 1000)),
		err);
}

/* What the last session was told is not asked for again. */
static bool learn_capa(struct client *client, struct err *err)
{
	if (client->recall == NULL)
		return ask_capa(client, err);
	recall_capa(client->recall->before, &client->capa);
	return true;
}

static bool ask_tls(struct client *client, struct err *err)
{
	bool hidden = client->capa.known && !client->capa.stls;
	struct reply reply;

	client_patience(client, client_timeouts(client)->command);
	if (!client_exchange(client, "STLS", &reply, err))
		return false;
	if (reply.kind == REPLY_OK)
		return true;
	(void)reply_refused(&reply, ERR_PROTO, "STLS", err);
	if (hidden && err->class == ERR_PROTO)
		err_set(err, ERR_PROTO,
			"the server does not offer STLS, and refused it; use tls: implicit with port 995");
	err_server(err, reply.text, reply.len);
	return false;
}

/* STLS is mandatory here: a server, or somebody between, that refuses it ends
 * the session before anything secret is sent, so it may be tried where it is
 * not offered. RFC 2595 section 4: what was learnt in the clear is forgotten. */
static bool start_tls(struct client *client, struct err *err)
{
	if (client->recall == NULL && !ask_capa(client, err))
		return false;
	client->capa_clear = client->capa;
	return ask_tls(client, err) && secure(client, err);
}

static bool say_hello(struct client *client, struct err *err)
{
	enum tls_mode tls = client->options.account->tls;

	if (tls == TLS_IMPLICIT && !secure(client, err))
		return false;
	if (!greet(client, err)
	    || (tls == TLS_STARTTLS && !start_tls(client, err)))
		return false;
	return learn_capa(client, err);
}

static struct client *new_client(const struct client_options *options,
	const struct net *net, bool with_ticket)
{
	struct client *client = mem_grow(NULL, 1, sizeof(*client));
	const struct account *account = options->account;
	const struct recall *recall = options->recall;

	memset(client, 0, sizeof(*client));
	client->options = *options;
	if (recall != NULL && recall_holds(recall, account, clock_wall()))
		client->recall = recall;
	if (with_ticket)
		client->ticket = recall;
	client->session_end =
		clock_after((int64_t)account->timeouts.session * 1000);
	snprintf(client->peer, sizeof(client->peer), "%s", net->peer);
	snprintf(client->story, sizeof(client->story), "%s", net->story);
	client->wire = wire_new(net, options->trace, options->trace_arg);
	return client;
}

static struct client *open_once(const struct client_options *options,
	bool with_ticket, struct err *err)
{
	const struct account *account = options->account;
	const struct way way = { account->host, account->port,
		account->source_address, options->secret_env, account->tunnel,
		&account->proxy, account->socket, options->address };
	struct client *client;
	clock_ms deadline;
	struct net net;

	deadline = clock_after((int64_t)account->timeouts.connect * 1000);
	if (!net_connect(&net, &way, options->stop_fd, deadline, err))
		return NULL;
	client = new_client(options, &net, with_ticket);
	if (say_hello(client, err))
		return client;
	client_close(client);
	return NULL;
}

struct client *client_open(const struct client_options *options,
	struct err *err)
{
	bool ticket = options->recall != NULL
		&& options->recall->ticket_len != 0
		&& recall_fits(options->recall, options->account);
	struct client *client = open_once(options, ticket, err);

	if (client != NULL || !ticket || err->class != ERR_PROTO)
		return client;
	/* The certificates in a ticket may be those of last week. */
	log_debug("without the TLS ticket once more: %s", err->text);
	err_clear(err);
	return open_once(options, false, err);
}

/* CAPA again, as some servers tell only then what they can do, and what comes
 * next in any case. */
static bool ask_capa_and_more(struct client *client, struct err *err)
{
	bool more = client_may_go_ahead(client);

	return put_capa(client, err)
		&& (!more || client_put_ahead(client, err))
		&& take_capa(client, err);
}

bool client_login(struct client *client, const struct secret *secret,
	struct err *err)
{
	memcpy(client->capa_before, client->capa_text,
		sizeof(client->capa_before));
	client->on_trust = client->recall != NULL;
	if (!auth_run(client, secret, err))
		return false;
	client->on_trust = client->ahead_sent != 0;
	if (client->recall == NULL)
		return ask_capa_and_more(client, err);
	recall_capa(client->recall->after, &client->capa);
	return true;
}

static void learn_server(const struct client *client, struct recall *recall)
{
	struct recall news = { .learned = clock_wall() };

	memcpy(news.key, recall_key(client->options.account).text,
		sizeof(news.key));
	memcpy(news.before, client->capa_before, sizeof(news.before));
	memcpy(news.after, client->capa_text, sizeof(news.after));
	snprintf(news.mechanism, sizeof(news.mechanism), "%s",
		client->mechanism);
	recall_renew(recall, &news, news.learned);
}

void client_learn(struct client *client, struct recall *recall)
{
	struct tls *tls = client_tls(client);

	if (client->recall == NULL)
		learn_server(client, recall);
	/* The one that was remembered may have been refused. */
	snprintf(recall->mechanism, sizeof(recall->mechanism), "%s",
		client->mechanism);
	if (tls == NULL || !tls_ticket(tls, recall->ticket, LIMIT_TICKET,
		&recall->ticket_len))
		recall->ticket_len = 0;
}
