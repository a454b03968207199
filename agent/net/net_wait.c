/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/net/net.h"

#include <errno.h>
#include <poll.h>

#include "agent/net/tunnel.h"

/*
 * The waits of a connection, for those too who help to open it.
 */

static bool too_late(struct err *err)
{
	err_set(err, ERR_RETRY, "the server does not answer in time");
	err->sys = ETIMEDOUT;
	return false;
}

bool net_check(const struct net *net, clock_ms deadline, struct err *err)
{
	struct pollfd stop = { .fd = net->stop_fd, .events = POLLIN };

	if (clock_left(deadline) == 0)
		return too_late(err);
	if (poll(&stop, 1, 0) > 0)
		return err_set(err, ERR_STOP, "stopped");
	return true;
}

bool net_wait(const struct net *net, short events, clock_ms deadline,
	struct err *err)
{
	struct pollfd fds[3] = {
		{ .fd = net->fd, .events = events },
		{ .fd = net->stop_fd, .events = POLLIN },
		{ .fd = -1, .events = POLLIN },
	};
	int n;

	while (clock_left(deadline) != 0) {
		if (net->tunnel != NULL)
			fds[2].fd = tunnel_fd(net->tunnel);
		n = poll(fds, 3, clock_left(deadline));
		if (n < 0 && errno != EINTR)
			return err_sys(err, errno, "poll");
		if (n > 0 && fds[1].revents != 0)
			return err_set(err, ERR_STOP, "stopped");
		if (n > 0 && fds[0].revents != 0)
			return true;
		if (n > 0)
			tunnel_listen(net->tunnel);
	}
	return too_late(err);
}
