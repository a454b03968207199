/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_NET_RESOLVE_H
#define AGENT_NET_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "agent/base/clock.h"
#include "agent/base/err.h"
#include "agent/base/limits.h"

/*
 * From a host name to addresses. The system's resolver cannot be interrupted
 * and may take minutes, so it runs in a helper process that we can leave.
 */

struct address {
	struct sockaddr_storage addr;
	socklen_t len;
};

struct addresses {
	size_t count;
	struct address list[LIMIT_ADDRESSES];
};

/* The addresses of `host`, name or number, with the port set, in the order in
 * which they are to be tried: as the system prefers them (RFC 6724), families
 * by turns (RFC 8305 section 4). ERR_RETRY when there are none or `deadline`
 * passes, ERR_STOP when stop_fd (-1 for none) is readable. */
bool resolve(const char *host, uint64_t port, int stop_fd, clock_ms deadline,
	struct addresses *addresses_r, struct err *err) MUST_USE;

/* Families by turns, each in its own order, the first one's first. */
void resolve_interleave(struct addresses *addresses);

/* "192.0.2.1", "2001:db8::1". */
const char *resolve_text(const struct address *address, char *out, size_t cap);

#endif
