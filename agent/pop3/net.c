/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pop3/net.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <unistd.h>

#include "agent/pop3/resolve.h"

bool net_connect(struct net *net, const char *host, uint64_t port, int stop_fd,
	clock_ms deadline, struct err *err)
{
	struct addresses addresses;
	size_t winner;

	*net = (struct net){ .fd = -1, .stop_fd = stop_fd };
	if (!resolve(host, port, stop_fd, deadline, &addresses, err))
		return false;
	net->fd = race_connect(&addresses, NULL, stop_fd, deadline, &winner,
		net->story, err);
	if (net->fd >= 0) {
		resolve_text(&addresses.list[winner], net->peer,
			sizeof(net->peer));
		return true;
	}
	if (err->class != ERR_STOP)
		err_prefix(err, "%s port %" PRIu64, host, port);
	return false;
}

static bool too_late(struct err *err)
{
	return err_set(err, ERR_RETRY, "the server does not answer in time");
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
	struct pollfd fds[2] = {
		{ .fd = net->fd, .events = events },
		{ .fd = net->stop_fd, .events = POLLIN },
	};
	int n;

	while (clock_left(deadline) != 0) {
		n = poll(fds, 2, clock_left(deadline));
		if (n < 0 && errno != EINTR)
			return err_sys(err, errno, "poll");
		if (n > 0 && fds[1].revents != 0)
			return err_set(err, ERR_STOP, "stopped");
		if (n > 0)
			return true;
	}
	return too_late(err);
}

void net_close(struct net *net)
{
	if (net->fd >= 0)
		close(net->fd);
	net->fd = -1;
}
