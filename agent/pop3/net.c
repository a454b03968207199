/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pop3/net.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* RFC 8305 recommends 250 ms between attempts. */
#define NEXT_ADDRESS_MS 250
#define ATTEMPTS 8

struct race {
	struct pollfd fds[ATTEMPTS + 1];	/* the last one is stop_fd */
	const struct addrinfo *address[ATTEMPTS];
	size_t running;
	int last_errno;
};

static int start_attempt(const struct addrinfo *ai, int *errno_r)
{
	int on = 1;
	int fd = socket(ai->ai_family, ai->ai_socktype | SOCK_NONBLOCK
		| SOCK_CLOEXEC, ai->ai_protocol);

	if (fd < 0) {
		*errno_r = errno;
		return -1;
	}
	/* Commands are small and leave in whole bursts. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, ai->ai_addr, ai->ai_addrlen) == 0
	    || errno == EINPROGRESS)
		return fd;
	*errno_r = errno;
	close(fd);
	return -1;
}

static void add_attempt(struct race *race, const struct addrinfo *ai)
{
	int fd;

	if (race->running == ATTEMPTS)
		return;
	fd = start_attempt(ai, &race->last_errno);
	if (fd < 0)
		return;
	race->fds[race->running].fd = fd;
	race->fds[race->running].events = POLLOUT;
	race->fds[race->running].revents = 0;
	race->address[race->running++] = ai;
}

/* The index of an attempt that has succeeded, or -1; failed ones go. */
static int find_winner(struct race *race)
{
	size_t i = 0;
	int code;
	socklen_t len;

	while (i < race->running) {
		if (race->fds[i].revents == 0) {
			i++;
			continue;
		}
		code = 0;
		len = sizeof(code);
		if (getsockopt(race->fds[i].fd, SOL_SOCKET, SO_ERROR, &code,
			&len) < 0)
			code = errno;
		if (code == 0)
			return (int)i;
		race->last_errno = code;
		close(race->fds[i].fd);
		race->running--;
		race->fds[i] = race->fds[race->running];
		race->address[i] = race->address[race->running];
	}
	return -1;
}

/* Polls all attempts and stop_fd until `until`. */
static bool poll_race(struct race *race, int stop_fd, clock_ms until,
	struct err *err)
{
	size_t i;

	for (i = 0; i < race->running; i++)
		race->fds[i].revents = 0;
	race->fds[race->running].fd = stop_fd;
	race->fds[race->running].events = POLLIN;
	race->fds[race->running].revents = 0;
	if (poll(race->fds, race->running + 1, clock_left(until)) < 0
	    && errno != EINTR)
		return err_sys(err, errno, "poll");
	if (race->fds[race->running].revents != 0)
		return err_set(err, ERR_STOP, "stopped while connecting");
	return true;
}

static int run_race(struct race *race, const struct addrinfo *next,
	int stop_fd, clock_ms deadline, struct err *err)
{
	clock_ms next_at = clock_now();
	int winner;

	for (;;) {
		/* A failed attempt does not wait for its 250 ms. */
		while (next != NULL && (race->running == 0
			|| clock_left(next_at) == 0)) {
			add_attempt(race, next);
			next = next->ai_next;
			next_at = clock_after(NEXT_ADDRESS_MS);
		}
		if (race->running == 0 || clock_left(deadline) == 0)
			break;
		if (!poll_race(race, stop_fd, next == NULL ? deadline
			: clock_min(deadline, next_at), err))
			return -1;
		winner = find_winner(race);
		if (winner >= 0)
			return winner;
	}
	if (race->running != 0)
		race->last_errno = ETIMEDOUT;
	err_sys(err, race->last_errno, "cannot connect");
	return -1;
}

static void finish_race(struct net *net, struct race *race, int winner)
{
	size_t i;

	for (i = 0; i < race->running; i++)
		if ((int)i != winner)
			close(race->fds[i].fd);
	if (winner < 0)
		return;
	net->fd = race->fds[winner].fd;
	if (getnameinfo(race->address[winner]->ai_addr,
		race->address[winner]->ai_addrlen, net->peer,
		sizeof(net->peer), NULL, 0, NI_NUMERICHOST) != 0)
		snprintf(net->peer, sizeof(net->peer), "?");
}

bool net_connect(struct net *net, const char *host, uint64_t port, int stop_fd,
	clock_ms deadline, struct err *err)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV };
	struct race race = { .running = 0, .last_errno = EHOSTUNREACH };
	struct addrinfo *list;
	char service[24];
	int rc, winner;

	net->fd = -1;
	net->stop_fd = stop_fd;
	net->peer[0] = '\0';
	snprintf(service, sizeof(service), "%" PRIu64, port);
	rc = getaddrinfo(host, service, &hints, &list);
	if (rc != 0)
		return err_set(err, ERR_RETRY, "cannot find the host %s: %s",
			host, rc == EAI_SYSTEM ? strerror(errno)
			: gai_strerror(rc));
	winner = run_race(&race, list, stop_fd, deadline, err);
	finish_race(net, &race, winner);
	freeaddrinfo(list);
	if (winner >= 0)
		return true;
	if (err->class != ERR_STOP)
		err_prefix(err, "%s port %s", host, service);
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
