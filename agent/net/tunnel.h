/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_NET_TUNNEL_H
#define AGENT_NET_TUNNEL_H

#include <stdint.h>

#include "agent/base/err.h"

/*
 * A program whose standard input and output are the connection to the server,
 * such as ssh -W. What it says on standard error goes into our log and errors.
 */

struct tunnel;

/* Starts argv with %h and %p replaced by host and port, with our environment
 * less the variables named in `hide` (NULL-terminated, may be NULL).
 * *fd_r is our end of the connection, non-blocking; the caller closes it.
 * NULL with ERR_CONFIG if the program cannot be started. */
struct tunnel *tunnel_start(const char *const *argv, const char *host,
	uint64_t port, const char *const *hide, int *fd_r, struct err *err)
	MUST_USE;

/* Readable when the program has said something, then tunnel_listen(); -1 when
 * it has no more to say. */
int tunnel_fd(const struct tunnel *tunnel);
void tunnel_listen(struct tunnel *tunnel);

/* The connection has failed as `err` says: adds how the program ended and its
 * last words. */
void tunnel_blame(struct tunnel *tunnel, struct err *err);

/* Ends the program and what it started; NULL is allowed. Close the connection
 * first: a good program then ends by itself. */
void tunnel_end(struct tunnel *tunnel);

#endif
