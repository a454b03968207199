/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/arena.h"
#include "agent/base/log.h"
#include "agent/base/num.h"
#include "agent/control/control.h"
#include "agent/control/peer.h"

/* A full queue is waited for in steps of this. */
#define KNOCK_MS 20

static const char *set(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

static bool is_socket(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* The standard places in their order: 0, 1, 2. False where there is none. */
static bool place(int i, char *out, size_t cap)
{
	const char *dir;

	switch (i) {
	case 0:
		/* systemd joins several directories with colons. */
		dir = set("RUNTIME_DIRECTORY");
		if (dir != NULL)
			snprintf(out, cap, "%.*s/control",
				(int)strcspn(dir, ":"), dir);
		return dir != NULL;
	case 1:
		dir = set("XDG_RUNTIME_DIR");
		if (dir != NULL)
			snprintf(out, cap, "%s/postrider/control", dir);
		return dir != NULL;
	default:
		snprintf(out, cap, "/run/postrider/control");
		return i == 2;
	}
}

void control_path(const char *given, char *out, size_t cap)
{
	int i = 0;

	if (given == NULL)
		given = set("POSTRIDER_CONTROL");
	if (given != NULL) {
		snprintf(out, cap, "%s", given);
		return;
	}
	while (!place(i, out, cap))
		i++;
}

void control_find(const char *given, char *out, size_t cap)
{
	int i;

	if (given == NULL && set("POSTRIDER_CONTROL") == NULL)
		for (i = 0; i < 3; i++)
			if (place(i, out, cap) && is_socket(out))
				return;
	control_path(given, out, cap);
}

static bool cannot_ask(const char *path, int code, struct err *err)
{
	if (code == ENOENT || code == ENOTDIR || code == ECONNREFUSED)
		return err_set(err, ERR_STOP,
			"no daemon is running (nobody listens at %s)", path);
	if (code == EACCES || code == EPERM)
		return err_set(err, ERR_CONFIG,
			"the daemon at %s belongs to another user: only that user and root may ask it", path);
	return err_sys(err, code, "cannot ask the daemon at %s", path);
}

/* A connected socket, or -1. */
static int knock(const char *path, clock_ms deadline, struct err *err)
{
	struct sockaddr_un at;
	int fd, code;

	if (!peer_address(path, &at, err))
		return -1;
	fd = peer_socket(err);
	if (fd < 0)
		return -1;
	while (connect(fd, (const struct sockaddr *)&at, sizeof(at)) < 0) {
		code = errno;
		if (code == EINTR)
			continue;
		if (code == EAGAIN && clock_left(deadline) > 0) {
			clock_sleep(KNOCK_MS);
			continue;
		}
		cannot_ask(path, code == EAGAIN ? ETIMEDOUT : code, err);
		close(fd);
		return -1;
	}
	return fd;
}

/* Waits for one event; false when the time is over. */
static bool ready(int fd, short events, clock_ms deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n;

	do
		n = poll(&p, 1, clock_left(deadline));
	while (n < 0 && errno == EINTR);
	return n > 0;
}

static bool again(ssize_t n)
{
	return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK
		|| errno == EINTR);
}

static bool send_request(int fd, const char *path, const char *request,
	size_t len, clock_ms deadline, struct err *err)
{
	ssize_t n;

	while (len != 0) {
		n = send(fd, request, len, MSG_NOSIGNAL);
		if (again(n) && ready(fd, POLLOUT, deadline))
			continue;
		/* It may have refused us, and said so. */
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			return true;
		if (n < 0)
			return cannot_ask(path, errno == EAGAIN ? ETIMEDOUT
				: errno, err);
		request += n;
		len -= (size_t)n;
	}
	return true;
}

/* Reads to the end; the caller frees *answer_r. */
static bool read_answer(int fd, const char *path, clock_ms deadline,
	char **answer_r, size_t *len_r, struct err *err)
{
	size_t cap = 8192, len = 0;
	char *answer = mem_grow(NULL, cap, 1);
	ssize_t n = 1;

	while (n != 0 && len < LIMIT_CONTROL_ANSWER) {
		if (len == cap)
			answer = mem_grow(answer, cap *= 2, 1);
		n = recv(fd, answer + len, cap - len, 0);
		if (again(n) && ready(fd, POLLIN, deadline))
			continue;
		if (n < 0)
			break;
		len += (size_t)n;
	}
	*answer_r = answer;
	*len_r = len;
	return n >= 0 || errno == ECONNRESET || cannot_ask(path,
		errno == EAGAIN ? ETIMEDOUT : errno, err);
}

/* The daemon's words go to a terminal; it has made them printable, but it may
 * be another program that listens there. */
static void make_printable(char *text)
{
	for (; *text != '\0'; text++)
		if ((*text < ' ' || *text > '~') && *text != '\n'
		    && *text != '\t')
			*text = '?';
}

static bool take_answer(char *answer, size_t len, const char *path,
	FILE *out, int *status_r, struct err *err)
{
	uint64_t status;

	if (len < PEER_STATUS_LEN + 1 || answer[len - 1] != '\0'
	    || answer[PEER_STATUS_LEN - 1] != '\n'
	    || !num_u64(answer, PEER_STATUS_LEN - 1, 255, &status))
		return err_set(err, ERR_RETRY,
			"the daemon at %s did not answer: it was busy, or has ended", path);
	make_printable(answer + PEER_STATUS_LEN);
	fputs(answer + PEER_STATUS_LEN, out);
	*status_r = (int)status;
	return true;
}

/* False for what cannot be a request. */
static bool build(int argc, const char *const *argv, char **request_r,
	size_t *len_r)
{
	size_t total = 1, at = 0, len;
	int i;

	for (i = 0; i < argc; i++) {
		if (argv[i][0] == '\0')
			return false;
		total += strlen(argv[i]) + 1;
	}
	if (argc == 0 || total >= LIMIT_CONTROL_REQUEST)
		return false;
	*request_r = mem_grow(NULL, total, 1);
	for (i = 0; i < argc; i++) {
		len = strlen(argv[i]) + 1;
		memcpy(*request_r + at, argv[i], len);
		at += len;
	}
	(*request_r)[at] = '\0';
	*len_r = total;
	return true;
}

bool control_call(const char *path, int argc, const char *const *argv,
	FILE *out, int *status_r, struct err *err)
{
	clock_ms deadline = clock_after(LIMIT_CONTROL_ANSWER_MS);
	char *request = NULL, *answer = NULL;
	size_t len = 0;
	bool ok;
	int fd;

	if (!build(argc, argv, &request, &len))
		return err_set(err, ERR_CONFIG,
			"an argument is empty, or all of them together are too long");
	fd = knock(path, deadline, err);
	ok = fd >= 0 && send_request(fd, path, request, len, deadline, err)
		&& read_answer(fd, path, deadline, &answer, &len, err)
		&& take_answer(answer, len, path, out, status_r, err);
	free(request);
	free(answer);
	if (fd >= 0)
		close(fd);
	return ok;
}

bool control_wait_gone(const char *path, int ms, struct err *err)
{
	clock_ms deadline = clock_after(ms);
	int fd;

	do {
		fd = knock(path, deadline, err);
		if (fd < 0 && err->class != ERR_STOP)
			return false;
		if (fd < 0) {
			err_clear(err);
			return true;
		}
		/* It closes this when it ends, or when we have been silent for
		 * too long. */
		ready(fd, POLLIN, deadline);
		close(fd);
		clock_sleep(KNOCK_MS);
	} while (clock_left(deadline) > 0);
	return err_set(err, ERR_RETRY, "the daemon at %s is still running",
		path);
}
