/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/net/race.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* RFC 8305 section 5 recommends 250 ms between attempts. */
#define NEXT_ADDRESS_MS 250

/* One address. */
struct attempt {
	int fd;				/* -1 unless it is under way or has won */
	int fault;			/* errno, or 0 */
	clock_ms begun;
};

struct race {
	const struct addresses *addresses;
	struct sockaddr_storage source;
	socklen_t source_len;		/* 0: none */
	struct attempt attempts[LIMIT_ADDRESSES];
	size_t next;			/* the first one not tried yet */
};

/* Was checked with the configuration. */
static void set_source(struct race *race, const char *text)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&race->source;
	struct sockaddr_in *four = (struct sockaddr_in *)&race->source;

	if (text == NULL)
		return;
	if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		race->source_len = sizeof(*four);
	} else if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1) {
		six->sin6_family = AF_INET6;
		race->source_len = sizeof(*six);
	}
}

/* 0 when the connection is under way, else errno. */
static int begin(const struct race *race, int fd, const struct address *to)
{
	int on = 1;

	/* Commands are small and leave in whole bursts. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (race->source_len != 0 && bind(fd,
		(const struct sockaddr *)&race->source, race->source_len) < 0)
		return errno;
	if (connect(fd, (const struct sockaddr *)&to->addr, to->len) == 0
	    || errno == EINPROGRESS)
		return 0;
	return errno;
}

static void start_next(struct race *race)
{
	const struct address *to = &race->addresses->list[race->next];
	struct attempt *attempt = &race->attempts[race->next++];
	int family = to->addr.ss_family;

	attempt->begun = clock_now();
	if (race->source_len != 0 && race->source.ss_family != family) {
		attempt->fault = EAFNOSUPPORT;
		return;
	}
	attempt->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		0);
	attempt->fault = attempt->fd < 0 ? errno
		: begin(race, attempt->fd, to);
	if (attempt->fault != 0 && attempt->fd >= 0) {
		close(attempt->fd);
		attempt->fd = -1;
	}
}

static size_t count_running(const struct race *race)
{
	size_t i, n = 0;

	for (i = 0; i < race->next; i++)
		n += race->attempts[i].fd >= 0;
	return n;
}

/* The connect of this attempt has ended: 0 or errno. */
static int outcome(int fd)
{
	socklen_t len = sizeof(int);
	int code = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0
		? errno : code;
}

/* Waits until `until` for any attempt. *winner_r is the index of one that has
 * succeeded, or LIMIT_ADDRESSES. */
static bool wait_for_any(struct race *race, int stop_fd, clock_ms until,
	size_t *winner_r, struct err *err)
{
	struct pollfd fds[LIMIT_ADDRESSES + 1];
	struct attempt *attempt;
	size_t i;

	for (i = 0; i < race->next; i++)
		fds[i] = (struct pollfd){ race->attempts[i].fd, POLLOUT, 0 };
	fds[race->next] = (struct pollfd){ stop_fd, POLLIN, 0 };
	if (poll(fds, race->next + 1, clock_left(until)) < 0) {
		if (errno != EINTR)
			return err_sys(err, errno, "poll");
		return true;
	}
	if (fds[race->next].revents != 0)
		return err_set(err, ERR_STOP, "stopped while connecting");
	for (i = 0; i < race->next; i++) {
		attempt = &race->attempts[i];
		if (attempt->fd < 0 || fds[i].revents == 0)
			continue;
		attempt->fault = outcome(attempt->fd);
		if (attempt->fault == 0) {
			*winner_r = i;
			return true;
		}
		close(attempt->fd);
		attempt->fd = -1;
	}
	return true;
}

/* *winner_r stays LIMIT_ADDRESSES when all have failed, or with an error. */
static void run(struct race *race, int stop_fd, clock_ms deadline,
	size_t *winner_r, struct err *err)
{
	clock_ms next_at = 0;
	bool more;

	while (*winner_r == LIMIT_ADDRESSES) {
		/* A failed attempt does not wait for its 250 ms. */
		while (race->next < race->addresses->count
		       && (count_running(race) == 0
			       || clock_left(next_at) == 0)) {
			start_next(race);
			next_at = clock_after(NEXT_ADDRESS_MS);
		}
		if (count_running(race) == 0 || clock_left(deadline) == 0)
			return;
		more = race->next < race->addresses->count;
		if (!wait_for_any(race, stop_fd, more
			? clock_min(deadline, next_at) : deadline, winner_r,
			err))
			return;
	}
}

static const char *fault_text(const struct attempt *attempt)
{
	if (attempt->fd >= 0)
		return "no answer";
	return attempt->fault == EAFNOSUPPORT
		? "not of the same family as source_address, or not supported here"
		: strerror(attempt->fault);
}

static void tell(const struct race *race, size_t winner, char *story)
{
	const struct attempt *attempt = race->attempts;
	char text[64];
	size_t i, n = 0;

	story[0] = '\0';
	for (i = 0; i < race->next && n < RACE_STORY; i++, attempt++) {
		resolve_text(&race->addresses->list[i], text, sizeof(text));
		n += (size_t)snprintf(story + n, RACE_STORY - n, "%s%s: ",
			i != 0 ? ", " : "", text);
		if (n >= RACE_STORY)
			break;
		n += (size_t)(i == winner ? snprintf(story + n, RACE_STORY - n,
			"connected in %" PRId64 " ms", clock_now()
			- attempt->begun) : snprintf(story + n, RACE_STORY - n,
			"%s", fault_text(attempt)));
	}
}

int race_connect(const struct addresses *addresses, const char *source,
	int stop_fd, clock_ms deadline, size_t *winner_r, char *story,
	struct err *err)
{
	struct race race = { .addresses = addresses };
	size_t i, winner = LIMIT_ADDRESSES;

	for (i = 0; i < LIMIT_ADDRESSES; i++)
		race.attempts[i].fd = -1;
	set_source(&race, source);
	err_clear(err);
	run(&race, stop_fd, deadline, &winner, err);
	tell(&race, winner, story);
	for (i = 0; i < race.next; i++)
		if (i != winner && race.attempts[i].fd >= 0)
			close(race.attempts[i].fd);
	*winner_r = winner;
	if (winner != LIMIT_ADDRESSES)
		return race.attempts[winner].fd;
	if (err->class == ERR_NONE)
		err_set(err, ERR_RETRY, "cannot connect: %s", story);
	return -1;
}
