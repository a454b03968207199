/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pop3/client_priv.h"
#include "agent/pop3/window.h"

/*
 * What may leave together with the login, and what of that is taken on trust.
 */

/* RFC 2449 section 6.6: who takes commands in a row does so before the login
 * and behind it. Who turned out not to has been remembered. In the clear a
 * surprise may be of somebody who wants to see a second login. */
bool client_may_go_ahead(const struct client *client)
{
	return client->ahead != AHEAD_NONE && client->capa.pipelining
		&& recall_allowed(client->options.account)
		&& !recall_doubted(client->options.recall, clock_wall());
}

void client_ahead(struct client *client, enum client_ahead ahead,
	uint64_t last)
{
	client->ahead = ahead;
	client->ahead_last = last;
}

bool client_put_ahead(struct client *client, struct err *err)
{
	bool look = client->ahead == AHEAD_LOOK;

	client->on_trust = true;
	client->ahead_sent = 2;
	return client_put(client, look ? "STAT" : "UIDL", 0, err)
		&& client_put(client, look ? "UIDL" : "LIST",
			look ? client->ahead_last : 0, err);
}

size_t client_take_ahead(struct client *client, enum client_ahead what)
{
	size_t sent = client->ahead == what ? client->ahead_sent : 0;

	client->ahead_sent -= sent;
	return sent;
}

void client_ahead_answered(struct client *client)
{
	client->on_trust &= client->recall != NULL;
}

bool client_on_trust(const struct client *client)
{
	return client->on_trust;
}
