/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_POP3_BEARER_H
#define AGENT_POP3_BEARER_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The messages of OAUTHBEARER (RFC 7628) and of XOAUTH2, which Google and
 * Microsoft had before it. Pure functions.
 */

/* May it be sent as a token? One with a blank or a control character would
 * be read as something else. */
bool bearer_is_token(const char *token);

/* What the client sends, in base64; wiped and freed by the caller. `host` and
 * `port` are those of the server, for OAUTHBEARER alone. */
char *bearer_message(bool oauthbearer, const char *user, const char *host,
	unsigned int port, const char *token);

/* The challenge (len bytes of base64) that says why the token was refused, in
 * words for people, printable: "the token has expired ..." Where the server
 * repeats the token it is left out. Returns out. */
const char *bearer_fault(const char *challenge, size_t len, const char *token,
	char *out, size_t cap);

#endif
