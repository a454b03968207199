/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_POP3_WINDOW_H
#define AGENT_POP3_WINDOW_H

#include "agent/pop3/client.h"

/* Many commands at once. send(i) puts exactly one command with
 * client_put(); recv(i) gets exactly its reply, and must read the lines that
 * follow it, if any, with client_body(). At most LIMIT_WINDOW_BYTES of
 * commands are unanswered at a time; one, if the server does not pipeline. */
struct window {
	size_t count;
	size_t got;			/* set: replies that recv() has dealt with */
	bool (*send)(void *arg, size_t i, struct err *err);
	bool (*recv)(void *arg, size_t i, const struct reply *reply,
		struct err *err);
	void *arg;
	size_t ahead;			/* so many have been sent before */
};
bool client_window(struct client *client, struct window *window,
	struct err *err) MUST_USE;

/* Puts "VERB number", or "VERB number 0" for TOP. */
bool client_put(struct client *client, const char *verb, uint64_t number,
	struct err *err) MUST_USE;

#endif
