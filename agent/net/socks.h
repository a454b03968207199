/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_NET_SOCKS_H
#define AGENT_NET_SOCKS_H

#include "agent/net/net.h"
#include "config/config.h"

/*
 * The client's side of SOCKS 5 (RFC 1928), with a name and password if the
 * proxy wants them (RFC 1929).
 */

/* Lets the proxy at the other end of `net` connect to host and port; a name is
 * looked up there. What follows on `net` is the server's. ERR_RETRY for the
 * network on either side, ERR_CONFIG when the proxy refuses us. */
bool socks_connect(const struct net *net, const struct proxy *proxy,
	const char *host, uint64_t port, clock_ms deadline, struct err *err)
	MUST_USE;

#endif
