/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_NET_NET_H
#define AGENT_NET_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/clock.h"
#include "agent/base/err.h"
#include "agent/net/race.h"
#include "config/config.h"

/*
 * One connection, non-blocking below, blocking with a deadline above. A second
 * descriptor interrupts every wait: the parent asks us to stop, or is gone.
 */

struct net {
	int fd;
	int stop_fd;		/* readable means ERR_STOP; -1 for none */
	struct tunnel *tunnel;	/* the program behind `fd`, or NULL */
	char peer[64];		/* numeric address, for the log */
	char story[RACE_STORY];	/* how we came there, for people */
};

/* To which server, and how. At most one of the last three is given. */
struct way {
	const char *host;
	uint64_t port;
	const char *source_address;	/* numeric, or NULL */
	const char *const *hide;	/* variables that no tunnel may see */
	const char *const *tunnel;	/* a program, or NULL */
	const struct proxy *proxy;	/* host NULL: none */
	const char *socket;		/* a local socket, or NULL */
	/* Numeric: go there instead of asking for the host's address; or NULL,
	 * as it must be but on the direct way. */
	const char *address;
};

/* Where a host was found, so that the next session needs no name server. */
struct found {
	char host[256];
	char address[64];
	int64_t at;			/* seconds since 1970; 0: nowhere */
};

/* Directly it is the address of the host that answers first; see race.h. One
 * that is given has LIMIT_FOUND_MS, since the host may have moved.
 * ERR_RETRY with host, port and what is wrong with each address. */
bool net_connect(struct net *net, const struct way *way, int stop_fd,
	clock_ms deadline, struct err *err) MUST_USE;

/* May we go on? ERR_RETRY past the deadline, ERR_STOP when asked to end. For
 * loops that a server can keep busy without ever making them wait. */
bool net_check(const struct net *net, clock_ms deadline, struct err *err)
	MUST_USE;

/* Waits until the socket is ready for poll `events`; errors as above. */
bool net_wait(const struct net *net, short events, clock_ms deadline,
	struct err *err) MUST_USE;

/* The connection has failed as `err` says: adds what a tunnel has to say on
 * that, which also ends it. Returns false. */
bool net_blame(struct net *net, struct err *err);

void net_close(struct net *net);

#endif
