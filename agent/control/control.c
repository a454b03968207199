/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/control/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "agent/base/arena.h"
#include "agent/base/log.h"
#include "agent/control/peer.h"
#include "agent/control/place.h"

struct caller {
	int fd;				/* -1: the place is free */
	clock_ms deadline;
	char *request;			/* while it asks; room for a NUL more */
	size_t got, room;
	char *answer;			/* while it is answered */
	size_t len, sent;
};

struct control {
	struct control_place place;
	control_run *run;
	void *arg;
	clock_ms deaf_until;		/* no descriptors left: do not spin */
	struct caller callers[LIMIT_CONTROL_CALLERS];
};

struct control *control_open(const char *path, control_run *run, void *arg,
	struct err *err)
{
	struct control *c = mem_grow(NULL, 1, sizeof(*c));
	size_t i;

	memset(c, 0, sizeof(*c));
	c->run = run;
	c->arg = arg;
	for (i = 0; i < LIMIT_CONTROL_CALLERS; i++)
		c->callers[i].fd = -1;
	if (control_place_take(&c->place, path, err))
		return c;
	free(c);
	return NULL;
}

static void drop(struct caller *caller)
{
	close(caller->fd);
	free(caller->request);
	free(caller->answer);
	memset(caller, 0, sizeof(*caller));
	caller->fd = -1;
}

void control_close(struct control *c)
{
	size_t i;

	if (c == NULL)
		return;
	for (i = 0; i < LIMIT_CONTROL_CALLERS; i++)
		if (c->callers[i].fd >= 0)
			drop(&c->callers[i]);
	control_place_leave(&c->place);
	free(c);
}

/* The first that is free; LIMIT_CONTROL_CALLERS if none is. */
static size_t free_place(const struct control *c)
{
	size_t i = 0;

	while (i < LIMIT_CONTROL_CALLERS && c->callers[i].fd >= 0)
		i++;
	return i;
}

size_t control_watch(const struct control *c, struct pollfd *fds)
{
	size_t i, n = 0;

	for (i = 0; i < LIMIT_CONTROL_CALLERS; i++)
		if (c->callers[i].fd >= 0)
			fds[n++] = (struct pollfd){ .fd = c->callers[i].fd,
				.events = c->callers[i].answer != NULL
					? POLLOUT : POLLIN };
	if (c->deaf_until == 0 && free_place(c) < LIMIT_CONTROL_CALLERS)
		fds[n++] = (struct pollfd){ .fd = c->place.fd, .events = POLLIN };
	return n;
}

size_t control_descriptors(const struct control *c, int *list)
{
	size_t i, n = 0;

	list[n++] = c->place.fd;
	for (i = 0; i < LIMIT_CONTROL_CALLERS; i++)
		if (c->callers[i].fd >= 0)
			list[n++] = c->callers[i].fd;
	return n;
}

clock_ms control_next(const struct control *c, clock_ms otherwise)
{
	size_t i;

	if (c->deaf_until != 0)
		otherwise = clock_min(otherwise, c->deaf_until);
	for (i = 0; i < LIMIT_CONTROL_CALLERS; i++)
		if (c->callers[i].fd >= 0)
			otherwise = clock_min(otherwise,
				c->callers[i].deadline);
	return otherwise;
}

/* Splits the request in place: it ends with two NULs. NULL without memory. */
static char **arguments(char *request, size_t len, int *argc_r)
{
	char **argv, *at;
	size_t n = 0;

	for (at = request; at < request + len - 1; at += strlen(at) + 1)
		n++;
	argv = calloc(n + 1, sizeof(*argv));
	if (argv == NULL)
		return NULL;
	*argc_r = (int)n;
	n = 0;
	for (at = request; at < request + len - 1; at += strlen(at) + 1)
		argv[n++] = at;
	return argv;
}

static void put_status(char *answer, int status)
{
	char digits[PEER_STATUS_LEN + 1];

	snprintf(digits, sizeof(digits), "%03u\n", (unsigned int)status % 256);
	memcpy(answer, digits, PEER_STATUS_LEN);
}

/* False when there is no memory for the answer. */
static bool carry_out(struct control *c, struct caller *caller)
{
	int argc = 0, status = EX_TEMPFAIL;
	char **argv = arguments(caller->request, caller->got, &argc);
	FILE *out = open_memstream(&caller->answer, &caller->len);
	bool whole = argv != NULL && out != NULL;

	if (whole) {
		fputs("000\n", out);
		status = c->run(c->arg, argc, argv, out);
		fputc('\0', out);
		whole = !ferror(out);
	}
	free(argv);
	if (out != NULL && fclose(out) != 0)
		whole = false;
	if (whole)
		put_status(caller->answer, status);
	return whole;
}

static void answer_more(struct caller *caller)
{
	ssize_t n = 1;

	while (n > 0 && caller->sent < caller->len) {
		n = send(caller->fd, caller->answer + caller->sent,
			caller->len - caller->sent,
			MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0)
			caller->sent += (size_t)n;
	}
	if (caller->sent == caller->len || (n < 0 && errno != EAGAIN
		&& errno != EWOULDBLOCK && errno != EINTR))
		drop(caller);
}

enum request { PART, WHOLE, WRONG };

/* Looks at what came behind the first `before` bytes. */
static enum request judge(const struct caller *caller, size_t before)
{
	const char *request = caller->request, *end;

	if (before != 0)
		before--;
	end = memmem(request + before, caller->got - before, "\0", 2);
	if (request[0] == '\0')
		return WRONG;
	if (end != NULL)
		return end + 2 == request + caller->got ? WHOLE : WRONG;
	return caller->got < LIMIT_CONTROL_REQUEST ? PART : WRONG;
}

static enum request request_more(struct caller *caller)
{
	size_t before = caller->got;
	char *bigger;
	ssize_t n;

	if (caller->got == caller->room) {
		caller->room = caller->room == 0 ? 512 : 2 * caller->room;
		bigger = realloc(caller->request, caller->room);
		if (bigger == NULL)
			return WRONG;
		caller->request = bigger;
	}
	n = recv(caller->fd, caller->request + caller->got,
		caller->room - caller->got, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK
		|| errno == EINTR))
		return PART;
	if (n <= 0)
		return WRONG;
	caller->got += (size_t)n;
	return judge(caller, before);
}

static void serve(struct control *c, struct caller *caller, clock_ms now)
{
	enum request request;

	if (caller->answer == NULL) {
		request = request_more(caller);
		if (request == PART)
			return;
		if (request == WRONG || !carry_out(c, caller)) {
			log_debug("control: dropped a caller without an answer");
			drop(caller);
			return;
		}
		caller->deadline = now + LIMIT_CONTROL_MS;
	}
	answer_more(caller);
}

static void welcome(struct control *c, clock_ms now)
{
	static const char no[] = "077\nonly the daemon's user and root may ask\n";
	size_t place;
	int fd;

	while ((place = free_place(c)) < LIMIT_CONTROL_CALLERS) {
		fd = accept(c->place.fd, NULL, NULL);
		if (fd < 0 && (errno == EMFILE || errno == ENFILE
			|| errno == ENOBUFS || errno == ENOMEM)) {
			log_warn("control: cannot take a caller: %s",
				strerror(errno));
			c->deaf_until = now + 1000;
		}
		if (fd < 0 && errno != ECONNABORTED && errno != EINTR)
			return;
		if (fd < 0)
			continue;
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		if (!peer_is_ours(fd)) {
			send(fd, no, sizeof(no), MSG_NOSIGNAL | MSG_DONTWAIT);
			close(fd);
			continue;
		}
		c->callers[place].fd = fd;
		c->callers[place].deadline = now + LIMIT_CONTROL_MS;
	}
}

static struct caller *find_caller(struct control *c, int fd)
{
	size_t i;

	for (i = 0; i < LIMIT_CONTROL_CALLERS; i++)
		if (c->callers[i].fd == fd)
			return &c->callers[i];
	return NULL;
}

void control_react(struct control *c, const struct pollfd *fds, size_t count,
	clock_ms now)
{
	struct caller *caller;
	bool knocked = false;
	size_t i;

	if (c->deaf_until != 0 && now >= c->deaf_until) {
		c->deaf_until = 0;
		knocked = true;
	}
	for (i = 0; i < count; i++) {
		if (fds[i].revents == 0)
			continue;
		if (fds[i].fd == c->place.fd)
			knocked = true;
		else if ((caller = find_caller(c, fds[i].fd)) != NULL)
			serve(c, caller, now);
	}
	for (i = 0; i < LIMIT_CONTROL_CALLERS; i++)
		if (c->callers[i].fd >= 0 && now >= c->callers[i].deadline)
			drop(&c->callers[i]);
	/* Last: a new caller's descriptor may have been another's in fds. */
	if (knocked)
		welcome(c, now);
}
