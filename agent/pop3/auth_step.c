/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pop3/auth_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/arena.h"
#include "agent/base/log.h"

/*
 * What one step of a login says and hears, below the ways to log in.
 */

bool auth_refused(const struct reply *reply, const char *how, struct err *err)
{
	char what[80];

	snprintf(what, sizeof(what), "the login (%s)", how);
	return reply_refused(reply, ERR_LOGIN, what, err);
}

bool auth_invite(struct login *login, const char *name, struct reply *reply_r,
	struct err *err)
{
	char line[64];

	snprintf(line, sizeof(line), "AUTH %s", name);
	if (!client_exchange(login->client, line, reply_r, err))
		return false;
	if (reply_r->kind == REPLY_CONTINUE)
		login->client->on_trust = false;
	return true;
}

void auth_hide(const struct login *login, const char *hidden)
{
	wire_hide(login->client->wire, login->untold ? NULL
		: login->secret->text, hidden);
}

/* `hidden` is the part of the line that nobody may see. */
static bool send_line(struct login *login, const char *line, const char *mask,
	const char *hidden, bool ahead, struct reply *reply_r, struct err *err)
{
	struct client *client = login->client;
	bool ok;

	client_patience(client, login->account->timeouts.login);
	auth_hide(login, hidden);
	ok = client_in_step(client, err)
		&& wire_put_secret(client->wire, line, mask, err)
		&& (!ahead || client_put_ahead(client, err))
		&& client_reply(client, "the login", reply_r, err);
	auth_hide(login, NULL);
	return ok;
}

bool auth_send(struct login *login, const char *line, const char *mask,
	struct reply *reply_r, struct err *err)
{
	return send_line(login, line, mask, line, false, reply_r, err);
}

/* What relied on that cannot go on. */
static bool heard_all(const struct reply *reply, struct err *err)
{
	return reply->kind != REPLY_CONTINUE || err_set(err, ERR_PROTO,
		"the server wants to hear more where the login should end");
}

static bool send_last(struct login *login, const char *line, const char *mask,
	const char *hidden, struct reply *reply_r, struct err *err)
{
	return send_line(login, line, mask, hidden, login->burst, reply_r, err)
		&& (!login->burst || heard_all(reply_r, err));
}

bool auth_send_last(struct login *login, const char *line, const char *mask,
	struct reply *reply_r, struct err *err)
{
	return send_last(login, line, mask, line, reply_r, err);
}

/* RFC 4422 section 4: "=" is an empty message. */
static bool in_one_line(struct login *login, const char *name,
	const char *message, struct reply *reply_r, struct err *err)
{
	size_t cap = strlen("AUTH  =") + strlen(name) + strlen(message) + 1;
	char mask[64], *line = mem_grow(NULL, cap, 1);
	bool ok;

	snprintf(line, cap, "AUTH %s %s", name,
		message[0] != '\0' ? message : "=");
	snprintf(mask, sizeof(mask), "AUTH %s " AUTH_MASK, name);
	ok = send_last(login, line, mask, message, reply_r, err);
	explicit_bzero(line, cap);
	free(line);
	return ok;
}

bool auth_message(struct login *login, const char *name, const char *message,
	struct reply *reply_r, struct err *err)
{
	size_t len = strlen("AUTH  \r\n") + strlen(name) + strlen(message);

	if (login->brief && len <= LIMIT_COMMAND_LINE) {
		login->client->on_trust = true;
		return in_one_line(login, name, message, reply_r, err)
			&& heard_all(reply_r, err);
	}
	if (!auth_invite(login, name, reply_r, err))
		return false;
	if (reply_r->kind == REPLY_CONTINUE)
		return auth_send_last(login, message, AUTH_MASK, reply_r, err);
	if (reply_r->kind == REPLY_OK)
		return err_set(err, ERR_PROTO,
			"the server accepted the login (%s) before there was one",
			name);
	(void)auth_refused(reply_r, name, err);
	if (err->class != ERR_LOGIN || client_on_trust(login->client))
		return false;
	log_debug("AUTH %s alone was refused, sending all in one line", name);
	err_clear(err);
	return in_one_line(login, name, message, reply_r, err);
}

void auth_cancel(struct login *login)
{
	struct err ignored = ERR_INIT;
	struct reply reply;
	size_t len;

	client_patience(login->client, login->account->timeouts.command);
	if (wire_put(login->client->wire, "*", &len, &ignored)
	    && client_reply(login->client, "*", &reply, &ignored))
		log_debug("the login was cancelled");
}
