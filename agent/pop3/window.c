/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/limits.h"
#include "agent/pop3/client_priv.h"
#include "agent/pop3/window.h"

/*
 * Two cursors over one list of commands: `sent` runs ahead of `got` as far as
 * the bytes of unanswered commands allow, and is moved on when a quarter of
 * that is free: long before the wire drains, but not for each reply, as every
 * packet costs both sides more than the commands in it. The commands leave when
 * a reply has to be waited for.
 */

/* "TOP 1 0" and CRLF, the shortest, is 6 bytes at least ("RETR 1\r\n" is 8). */
#define SLOTS (LIMIT_WINDOW_BYTES / 4)
#define REFILL_BELOW (LIMIT_WINDOW_BYTES / 4 * 3)
/* "RETR 18446744073709551615 0" and CRLF fits. */
#define COMMAND 48

struct progress {
	size_t sent;
	size_t bytes;			/* of unanswered commands */
	uint8_t weight[SLOTS];		/* of command i at i % SLOTS */
};

bool client_put(struct client *client, const char *verb, uint64_t number,
	struct err *err)
{
	char line[COMMAND];

	if (number == 0)
		snprintf(line, sizeof(line), "%s", verb);
	else
		snprintf(line, sizeof(line), "%s %" PRIu64 "%s", verb, number,
			strcmp(verb, "TOP") == 0 ? " 0" : "");
	return wire_put(client->wire, line, &client->put_bytes, err);
}

static bool may_send(const struct client *client, const struct window *window,
	const struct progress *p)
{
	if (p->sent == window->got)
		return true;
	/* The next command is about as long as the last one. */
	return client->capa.pipelining
		&& p->bytes + client->put_bytes <= LIMIT_WINDOW_BYTES
		&& p->sent - window->got < SLOTS;
}

static bool refill(struct client *client, const struct window *window,
	struct progress *p, struct err *err)
{
	if (p->sent != window->got && p->bytes > REFILL_BELOW)
		return true;
	while (p->sent < window->count && may_send(client, window, p)) {
		if (p->sent == window->got && !client_in_step(client, err))
			return false;
		if (!window->send(window->arg, p->sent, err))
			return false;
		p->weight[p->sent % SLOTS] = (uint8_t)client->put_bytes;
		p->bytes += client->put_bytes;
		p->sent++;
	}
	return true;
}

bool client_window(struct client *client, struct window *window,
	struct err *err)
{
	struct progress p = { .sent = window->ahead };
	struct reply reply;

	for (window->got = 0; window->got < window->count; window->got++) {
		if (!refill(client, window, &p, err))
			return false;
		client_patience(client,
			client->options.account->timeouts.command);
		if (!client_reply(client, "a command", &reply, err)) {
			client->stalled = client->capa.pipelining
				&& window->count > 1 && err->sys == ETIMEDOUT;
			return false;
		}
		if (!window->recv(window->arg, window->got, &reply, err))
			return false;
		p.bytes -= p.weight[window->got % SLOTS];
	}
	return true;
}
