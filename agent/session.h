/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_SESSION_H
#define AGENT_SESSION_H

#include <stdio.h>

#include "agent/pop3/client.h"

/*
 * From an account to a logged-in connection: the part that a pass, probe and
 * talk have in common.
 */

struct session_options {
	const struct config *config;
	const struct account *account;
	const struct tls_trust *trust;
	int stop_fd;
	FILE *trace;			/* where the dialogue is shown, or NULL */
};

/* Connects and secures, but does not log in. */
struct client *session_connect(const struct session_options *options,
	struct err *err) MUST_USE;

/* The password is read before the connection is made, so that a server does
 * not wait for a person, and wiped right after the login. */
struct client *session_open(const struct session_options *options,
	struct err *err) MUST_USE;

/* For wire_trace: a " C: " or " S: " line on the stream `arg`, escaped. */
void session_trace(void *arg, char dir, const char *text, size_t len);

#endif
