/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pop3/client.h"

#include <stdlib.h>

#include "agent/pop3/client_priv.h"

/* Slower than this a body is taken for an attempt to hold us up. */
#define SLOWEST_BYTES_PER_SECOND 200

void client_patience(struct client *client, uint64_t seconds)
{
	wire_deadline(client->wire, clock_min(client->session_end,
		clock_after((int64_t)seconds * 1000)));
}

const struct account_timeouts *client_timeouts(const struct client *client)
{
	return &client->options.account->timeouts;
}

bool client_reply(struct client *client, const char *what,
	struct reply *reply_r, struct err *err)
{
	const char *line;
	size_t len;

	if (!wire_line(client->wire, &line, &len, err)) {
		err_prefix(err, "%s", what);
		return false;
	}
	reply_parse(line, len, reply_r);
	if (reply_r->kind != REPLY_BAD)
		return true;
	reply_r->text = line;
	reply_r->len = len;
	return reply_refused(reply_r, ERR_PROTO, what, err);
}

bool client_in_step(struct client *client, struct err *err)
{
	return !wire_has_input(client->wire) || err_set(err, ERR_PROTO,
		"the server sent a line that answers no command");
}

bool client_stalled(const struct client *client)
{
	return client->stalled;
}

void client_lockstep(struct client *client)
{
	client->capa.pipelining = false;
}

bool client_exchange(struct client *client, const char *line,
	struct reply *reply_r, struct err *err)
{
	size_t ignored;

	return client_in_step(client, err)
		&& wire_put(client->wire, line, &ignored, err)
		&& client_reply(client, line, reply_r, err);
}

bool client_command(struct client *client, const char *line,
	struct reply *reply_r, struct err *err)
{
	client_patience(client, client_timeouts(client)->login);
	return client_exchange(client, line, reply_r, err);
}

bool client_must(struct client *client, const char *line, uint64_t seconds,
	enum err_class class, struct reply *reply_r, struct err *err)
{
	client_patience(client, seconds);
	if (!client_exchange(client, line, reply_r, err))
		return false;
	return reply_r->kind == REPLY_OK
		|| reply_refused(reply_r, class, line, err);
}

void client_close(struct client *client)
{
	if (client == NULL)
		return;
	wire_free(client->wire);
	free(client);
}

const struct capa *client_capa(const struct client *client)
{
	return &client->capa;
}

const struct capa *client_capa_clear(const struct client *client)
{
	return &client->capa_clear;
}

struct tls *client_tls(struct client *client)
{
	return wire_tls(client->wire);
}

const char *client_greeting(const struct client *client)
{
	return client->greeting;
}

const char *client_peer(const struct client *client)
{
	return client->peer;
}

const char *client_story(const struct client *client)
{
	return client->story;
}

const char *client_mechanism(const struct client *client)
{
	return client->mechanism;
}

const char *client_why(const struct client *client)
{
	return client->why;
}

bool client_stat(struct client *client, uint64_t *count_r, uint64_t *size_r,
	struct err *err)
{
	struct reply reply;

	if (!client_must(client, "STAT", client_timeouts(client)->command, ERR_PROTO, &reply,
		err))
		return false;
	if (reply_list(reply.text, reply.len, count_r, size_r))
		return true;
	return reply_refused(&reply, ERR_PROTO, "STAT", err);
}

bool client_last(struct client *client, uint64_t *last_r, struct err *err)
{
	struct reply reply;
	uint64_t ignored;

	if (!client_must(client, "LAST", client_timeouts(client)->command, ERR_MSG, &reply,
		err))
		return false;
	if (reply_list(reply.text, reply.len, last_r, &ignored))
		return true;
	return err_set(err, ERR_MSG, "LAST was answered without a number");
}

static bool ask_stat(struct client *client, bool *refused_r, struct err *err)
{
	uint64_t count, size;
	struct reply reply;

	if (!client_exchange(client, "STAT", &reply, err))
		return false;
	*refused_r = reply.kind != REPLY_OK;
	return *refused_r || reply_list(reply.text, reply.len, &count, &size)
		|| err_set(err, ERR_PROTO,
			"the server answers out of step: STAT without numbers");
}

/* No stray line holds numbers as the answer to STAT does. A server that does
 * not know STAT refuses it each time. */
bool client_prove_step(struct client *client, struct err *err)
{
	bool refused, again;

	if (!ask_stat(client, &refused, err))
		return false;
	return !refused || (ask_stat(client, &again, err) && (again
		|| err_set(err, ERR_PROTO,
			"the server answers out of step: STAT refused, then not")));
}

bool client_noop(struct client *client, struct err *err)
{
	struct reply reply;

	return client_must(client, "NOOP", client_timeouts(client)->command, ERR_PROTO,
		&reply, err);
}

bool client_rset(struct client *client, struct err *err)
{
	struct reply reply;

	return client_must(client, "RSET", client_timeouts(client)->command, ERR_PROTO,
		&reply, err);
}

bool client_quit(struct client *client, struct err *err)
{
	struct reply reply;

	return client_must(client, "QUIT", client_timeouts(client)->quit, ERR_RETRY, &reply,
		err);
}

static bool body_pull(struct source *src, char *buf, size_t cap,
	size_t *len_r, struct err *err)
{
	struct client *client = (struct client *)(void *)
		((char *)src - offsetof(struct client, body));
	const char *data;
	size_t len, used;

	*len_r = 0;
	while (*len_r == 0 && !dot_ended(&client->dot)) {
		/* Silence ends it, and so does a trickle. */
		wire_deadline(client->wire, clock_min(client->body_end,
			clock_after((int64_t)client_timeouts(client)->body * 1000)));
		if (!wire_peek(client->wire, &data, &len, err)) {
			err_prefix(err, "in the middle of a message");
			return false;
		}
		dot_decode(&client->dot, data, len, buf, cap, &used, len_r);
		wire_take(client->wire, used);
	}
	return true;
}

struct source *client_body(struct client *client, uint64_t size)
{
	const struct dot start = DOT_INIT;
	uint64_t seconds = client_timeouts(client)->body
		+ size / SLOWEST_BYTES_PER_SECOND;

	client->body.pull = body_pull;
	client->dot = start;
	/* An unknown size cannot be judged: the session's end has to do. */
	client->body_end = size == 0 ? client->session_end
		: clock_min(client->session_end,
			clock_after((int64_t)seconds * 1000));
	return &client->body;
}
