/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "agent/base/arena.h"
#include "agent/base/fsx.h"
#include "agent/base/log.h"
#include "agent/control_peer.h"

struct caller {
	int fd;				/* -1: the place is free */
	clock_ms deadline;
	char *request;			/* while it asks; room for a NUL more */
	size_t got, room;
	char *answer;			/* while it is answered */
	size_t len, sent;
};

struct control {
	int fd;
	control_run *run;
	void *arg;
	clock_ms deaf_until;		/* no descriptors left: do not spin */
	struct caller callers[LIMIT_CONTROL_CALLERS];
	dev_t dev;			/* the socket file we made */
	ino_t ino;
	struct sockaddr_un at;
};

/* Whoever makes or replaces a socket holds its folder meanwhile, so that two
 * daemons that start at once do not take each other's away. */
static int lock_folder(const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char folder[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	struct stat st;
	int dir;

	if (slash == NULL)
		snprintf(folder, sizeof(folder), ".");
	else
		snprintf(folder, sizeof(folder), "%.*s",
			slash == path ? 1 : (int)(slash - path), path);
	dir = stat(folder, &st) == 0 ? fsx_opendir(folder, err)
		: fsx_makedir(folder, err);
	if (dir < 0)
		return -1;
	if (fsx_lock(dir, LIMIT_CONTROL_MS))
		return dir;
	err_sys(err, errno, "cannot lock %s", folder);
	close(dir);
	return -1;
}

static bool refuse_second(int fd, const char *path, struct err *err)
{
	long pid = peer_pid(fd);

	if (pid > 0)
		return err_set(err, ERR_CONFIG,
			"process %ld listens at %s already: it is the daemon there (postrider stop ends it)",
			pid, path);
	return err_set(err, ERR_CONFIG,
		"a daemon listens at %s already (postrider stop ends it)", path);
}

/* Nobody listens at the path; a socket file that is left over goes. */
static bool clear_path(const struct sockaddr_un *at, struct err *err)
{
	const char *path = at->sun_path;
	struct stat st;
	int fd, code;
	bool ok;

	if (lstat(path, &st) < 0) {
		if (errno == ENOENT)
			return true;
		return err_sys(err, errno, "cannot look at %s", path);
	}
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, ERR_CONFIG,
			"%s is in the way of the control socket: move it away", path);
	fd = peer_socket(err);
	if (fd < 0)
		return false;
	code = connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0 ? 0
		: errno;
	/* EAGAIN: so many wait already that nobody more can. */
	if (code == 0 || code == EAGAIN)
		ok = refuse_second(fd, path, err);
	else if (code != ECONNREFUSED)
		ok = err_sys(err, code, "cannot tell whether a daemon listens at %s", path);
	else if (unlink(path) < 0)
		ok = err_sys(err, errno, "cannot remove %s, which a daemon left behind", path);
	else
		ok = true;
	close(fd);
	return ok;
}

static bool listen_there(struct control *c, struct err *err)
{
	const char *path = c->at.sun_path;
	struct stat st;
	mode_t mask = umask(0177);
	int bound = bind(c->fd, (const struct sockaddr *)&c->at,
		sizeof(c->at));

	if (bound < 0)
		bound = -errno;
	umask(mask);
	if (bound < 0)
		return err_sys(err, -bound, "cannot make the control socket %s", path);
	if (lstat(path, &st) < 0 || listen(c->fd, LIMIT_CONTROL_CALLERS) < 0) {
		err_sys(err, errno, "cannot listen at %s", path);
		unlink(path);
		return false;
	}
	c->dev = st.st_dev;
	c->ino = st.st_ino;
	return true;
}

static bool take_place(struct control *c, const char *path, struct err *err)
{
	int dir;
	bool ok;

	if (!peer_address(path, &c->at, err))
		return false;
	c->fd = peer_socket(err);
	if (c->fd < 0)
		return false;
	dir = lock_folder(path, err);
	if (dir < 0)
		return false;
	ok = clear_path(&c->at, err) && listen_there(c, err);
	close(dir);
	return ok;
}

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
	if (take_place(c, path, err))
		return c;
	if (c->fd >= 0)
		close(c->fd);
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
	struct stat st;
	size_t i;

	if (c == NULL)
		return;
	/* Somebody may have removed ours, and another daemon made its own. */
	if (lstat(c->at.sun_path, &st) == 0 && st.st_dev == c->dev
	    && st.st_ino == c->ino)
		unlink(c->at.sun_path);
	for (i = 0; i < LIMIT_CONTROL_CALLERS; i++)
		if (c->callers[i].fd >= 0)
			drop(&c->callers[i]);
	close(c->fd);
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
		fds[n++] = (struct pollfd){ .fd = c->fd, .events = POLLIN };
	return n;
}

size_t control_descriptors(const struct control *c, int *list)
{
	size_t i, n = 0;

	list[n++] = c->fd;
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
		fd = accept(c->fd, NULL, NULL);
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
		if (fds[i].fd == c->fd)
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
