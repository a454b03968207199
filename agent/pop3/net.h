/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_POP3_NET_H
#define AGENT_POP3_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/clock.h"
#include "agent/base/err.h"
#include "agent/pop3/race.h"

/*
 * One TCP connection, non-blocking below, blocking with a deadline above. A
 * second descriptor interrupts every wait: the parent asks us to stop, or is
 * gone.
 */

struct net {
	int fd;
	int stop_fd;		/* readable means ERR_STOP; -1 for none */
	char peer[64];		/* numeric address, for the log */
	char story[RACE_STORY];	/* which addresses were tried, for people */
};

/* Connects to the address of `host` that answers first; see race.h. ERR_RETRY
 * with host, port and what is wrong with each address. */
bool net_connect(struct net *net, const char *host, uint64_t port, int stop_fd,
	clock_ms deadline, struct err *err) MUST_USE;

/* May we go on? ERR_RETRY past the deadline, ERR_STOP when asked to end. For
 * loops that a server can keep busy without ever making them wait. */
bool net_check(const struct net *net, clock_ms deadline, struct err *err)
	MUST_USE;

/* Waits until the socket is ready for poll `events`; errors as above. */
bool net_wait(const struct net *net, short events, clock_ms deadline,
	struct err *err) MUST_USE;

void net_close(struct net *net);

#endif
