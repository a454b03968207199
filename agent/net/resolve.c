/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/net/resolve.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/spawn.h"

struct question {
	const char *host;
	char service[24];
};

/* What the helper writes, in one piece. */
struct answer {
	int code;			/* getaddrinfo's */
	int sys;			/* errno, with EAI_SYSTEM */
	struct addresses addresses;
};

_Static_assert(sizeof(struct answer) <= PIPE_BUF, "an answer is one write");

static void look_up(const struct question *question, int flags,
	struct answer *answer_r)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV | flags };
	struct addresses *out = &answer_r->addresses;
	struct addrinfo *list, *ai;

	memset(answer_r, 0, sizeof(*answer_r));
	answer_r->code = getaddrinfo(question->host, question->service, &hints,
		&list);
	answer_r->sys = errno;
	if (answer_r->code != 0)
		return;
	for (ai = list; ai != NULL && out->count < LIMIT_ADDRESSES;
	     ai = ai->ai_next) {
		if (ai->ai_addrlen > sizeof(out->list[0].addr))
			continue;
		memcpy(&out->list[out->count].addr, ai->ai_addr,
			ai->ai_addrlen);
		out->list[out->count++].len = ai->ai_addrlen;
	}
	freeaddrinfo(list);
}

static void help(void *arg, int out)
{
	struct answer answer;

	look_up(arg, 0, &answer);
	/* One that nobody reads is not missed. */
	if (write(out, &answer, sizeof(answer)) < 0)
		return;
}

static bool read_answer(int fd, struct answer *answer_r, struct err *err)
{
	ssize_t n;

	do
		n = read(fd, answer_r, sizeof(*answer_r));
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(*answer_r) || err_set(err, ERR_RETRY,
		"the process that looks it up has died");
}

static bool wait_for_answer(int fd, int stop_fd, clock_ms deadline,
	struct answer *answer_r, struct err *err)
{
	struct pollfd fds[2] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = stop_fd, .events = POLLIN },
	};
	int n;

	for (;;) {
		n = poll(fds, 2, clock_left(deadline));
		if (n < 0 && errno != EINTR)
			return err_sys(err, errno, "poll");
		if (n > 0 && fds[1].revents != 0)
			return err_set(err, ERR_STOP,
				"stopped while looking up the host");
		if (n > 0)
			return read_answer(fd, answer_r, err);
		if (n == 0)
			return err_set(err, ERR_RETRY,
				"the name servers do not answer in time");
	}
}

static bool ask_helper(struct question *question, int stop_fd,
	clock_ms deadline, struct answer *answer_r, struct err *err)
{
	int fd = -1;
	pid_t pid = spawn_helper(help, question, &fd, err);
	bool ok;

	if (pid < 0)
		return false;
	ok = wait_for_answer(fd, stop_fd, deadline, answer_r, err);
	close(fd);
	spawn_end(pid, 0);
	return ok;
}

static bool judge(const struct answer *answer, struct err *err)
{
	if (answer->code == 0 && answer->addresses.count != 0)
		return true;
	return err_set(err, ERR_RETRY, "%s", answer->code == 0
		? "it has no address" : answer->code == EAI_SYSTEM
		? strerror(answer->sys) : gai_strerror(answer->code));
}

void resolve_interleave(struct addresses *addresses)
{
	struct addresses in = *addresses;
	int first = in.list[0].addr.ss_family;
	size_t own = 0, other = 0, n = 0;

	while (n < in.count) {
		while (own < in.count && in.list[own].addr.ss_family != first)
			own++;
		if (own < in.count)
			addresses->list[n++] = in.list[own++];
		while (other < in.count
		       && in.list[other].addr.ss_family == first)
			other++;
		if (other < in.count)
			addresses->list[n++] = in.list[other++];
	}
}

bool resolve(const char *host, uint64_t port, int stop_fd, clock_ms deadline,
	struct addresses *addresses_r, struct err *err)
{
	struct question question = { .host = host };
	struct answer answer;

	snprintf(question.service, sizeof(question.service), "%" PRIu64, port);
	/* A number needs neither helper nor name server. */
	look_up(&question, AI_NUMERICHOST, &answer);
	if ((answer.code != 0 && !ask_helper(&question, stop_fd, deadline,
		&answer, err)) || !judge(&answer, err)) {
		if (err->class != ERR_STOP)
			err_prefix(err, "cannot find the host %s", host);
		return false;
	}
	*addresses_r = answer.addresses;
	resolve_interleave(addresses_r);
	return true;
}

const char *resolve_text(const struct address *address, char *out, size_t cap)
{
	if (getnameinfo((const struct sockaddr *)&address->addr, address->len,
		out, (socklen_t)cap, NULL, 0, NI_NUMERICHOST) != 0)
		snprintf(out, cap, "?");
	return out;
}
