/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/net/net.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/net/resolve.h"
#include "agent/net/socks.h"
#include "agent/net/tunnel.h"

static bool open_tcp(struct net *net, const char *host, uint64_t port,
	const char *source, clock_ms deadline, struct err *err)
{
	struct addresses addresses;
	size_t winner;

	if (!resolve(host, port, net->stop_fd, deadline, &addresses, err))
		return false;
	net->fd = race_connect(&addresses, source, net->stop_fd, deadline,
		&winner, net->story, err);
	if (net->fd >= 0) {
		resolve_text(&addresses.list[winner], net->peer,
			sizeof(net->peer));
		return true;
	}
	if (err->class != ERR_STOP)
		err_prefix(err, "%s port %" PRIu64, host, port);
	return false;
}

static bool open_direct(struct net *net, const struct way *way,
	clock_ms deadline, struct err *err)
{
	if (way->address != NULL)
		deadline = clock_min(deadline, clock_after(LIMIT_FOUND_MS));
	return open_tcp(net, way->address != NULL ? way->address : way->host,
		way->port, way->source_address, deadline, err);
}

static bool open_proxy(struct net *net, const struct way *way,
	clock_ms deadline, struct err *err)
{
	if (open_tcp(net, way->proxy->host, way->proxy->port,
		way->source_address, deadline, err)
	    && socks_connect(net, way->proxy, way->host, way->port, deadline,
		err))
		return true;
	if (err->class != ERR_STOP)
		err_prefix(err, "proxy: %s port %" PRIu64, way->host,
			way->port);
	return false;
}

static bool open_tunnel(struct net *net, const struct way *way,
	clock_ms deadline, struct err *err)
{
	(void)deadline;
	net->tunnel = tunnel_start(way->tunnel, way->host, way->port,
		way->hide, &net->fd, err);
	snprintf(net->peer, sizeof(net->peer), "tunnel");
	snprintf(net->story, sizeof(net->story), "tunnel %s", way->tunnel[0]);
	return net->tunnel != NULL;
}

static bool open_socket(struct net *net, const struct way *way,
	clock_ms deadline, struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	(void)deadline;
	/* Its length was checked with the configuration. */
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", way->socket);
	snprintf(net->peer, sizeof(net->peer), "socket");
	snprintf(net->story, sizeof(net->story), "%s", way->socket);
	net->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		0);
	/* Local: it succeeds or fails at once. */
	return (net->fd >= 0 && connect(net->fd,
		(const struct sockaddr *)&addr, sizeof(addr)) == 0)
		|| err_sys(err, errno, "cannot connect to the socket %s",
			way->socket);
}

bool net_connect(struct net *net, const struct way *way, int stop_fd,
	clock_ms deadline, struct err *err)
{
	bool ok;

	*net = (struct net){ .fd = -1, .stop_fd = stop_fd };
	if (way->tunnel != NULL)
		ok = open_tunnel(net, way, deadline, err);
	else if (way->socket != NULL)
		ok = open_socket(net, way, deadline, err);
	else if (way->proxy != NULL && way->proxy->host != NULL)
		ok = open_proxy(net, way, deadline, err);
	else
		ok = open_direct(net, way, deadline, err);
	if (!ok)
		net_close(net);
	return ok;
}

bool net_blame(struct net *net, struct err *err)
{
	if (net->tunnel != NULL && err->class == ERR_RETRY)
		tunnel_blame(net->tunnel, err);
	return false;
}

void net_close(struct net *net)
{
	if (net->fd >= 0)
		close(net->fd);
	net->fd = -1;
	tunnel_end(net->tunnel);
	net->tunnel = NULL;
}
