/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "tests/unit/control/help.h"

/* The control socket: real sockets, a daemon in this process with a clock of
 * its own, and callers who mean no good. */

/* Serves until nothing is left to do. */
static void turn(struct control *c)
{
	struct pollfd fds[CONTROL_FDS];
	size_t n;

	do {
		n = control_watch(c, fds);
		scratch_need(n <= CONTROL_FDS, "too much to watch");
		control_react(c, fds, poll(fds, n, 0) > 0 ? n : 0, now);
		n = control_watch(c, fds);
	} while (poll(fds, n, 0) > 0);
}

static int caller(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", scratch_path(PATH));
	scratch_need(fd >= 0 && connect(fd, (struct sockaddr *)&at,
		sizeof(at)) == 0, "cannot call");
	return fd;
}

static void say(int fd, const char *bytes, size_t len)
{
	scratch_need(send(fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len,
		"cannot send");
}

/* What came so far; *end_r when the daemon has hung up. */
static size_t hear(int fd, char *out, size_t cap, bool *end_r)
{
	size_t got = 0;
	ssize_t n;

	while ((n = recv(fd, out + got, cap - got - 1, MSG_DONTWAIT)) > 0)
		got += (size_t)n;
	out[got] = '\0';
	*end_r = n == 0 || errno != EAGAIN;
	return got;
}

static bool hung_up(int fd)
{
	char byte[2];
	bool end;

	return hear(fd, byte, sizeof(byte), &end) == 0 && end;
}

static void test_place(void)
{
	struct control *c = open_there(), *second;
	struct stat st;
	char words[64];

	tap_ok(stat(scratch_path("run"), &st) == 0
		&& (st.st_mode & 07777) == 0700, "the folder is made, for us alone");
	tap_ok(stat(scratch_path(PATH), &st) == 0 && S_ISSOCK(st.st_mode)
		&& (st.st_mode & 07777) == 0600, "the socket is ours alone");
	second = control_open(scratch_path(PATH), answer, NULL, &err);
	snprintf(words, sizeof(words), "process %ld ", (long)getpid());
	tap_ok(second == NULL && err.class == ERR_CONFIG
		&& strstr(err.text, words) != NULL,
		"a second daemon is refused: %s", err.text);
	turn(c);
	tap_ok(callers(c) == 0, "and leaves no caller behind");
	scratch_need(unlink(scratch_path(PATH)) == 0, "no socket");
	second = open_there();
	control_close(c);
	tap_ok(scratch_exists(PATH), "the first does not remove the socket of another");
	control_close(second);
	tap_ok(!scratch_exists(PATH), "the other does");
	control_close(NULL);
}

static void test_stale(void)
{
	struct control *c = open_there();
	char path[300];

	abandon(c);
	tap_ok(scratch_exists(PATH), "a killed daemon leaves its socket");
	c = open_there();
	turn(c);
	tap_ok(c != NULL, "the next one takes its place");
	control_close(c);
	scratch_write(PATH, "precious", 8);
	tap_ok(control_open(scratch_path(PATH), answer, NULL, &err) == NULL
		&& err.class == ERR_CONFIG && scratch_holds(PATH, "precious", 8),
		"a file in its place stays: %s", err.text);
	unlink(scratch_path(PATH));
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	tap_ok(control_open(path, answer, NULL, &err) == NULL
		&& err.class == ERR_CONFIG, "a path that is too long: %s",
		err.text);
	tap_ok(control_open("", answer, NULL, &err) == NULL
		&& err.class == ERR_CONFIG, "and none");
}

static const struct request {
	const char *name, *bytes;
	size_t len;
	const char *is;			/* NULL: refused */
	bool early;			/* a request, if its end comes alone */
} requests[] = {
	{ "a word", "stop\0", 6, "stop", false },
	{ "words", "poll\0a b\0\xff\n\0", 13, "poll|a b|\xff\n", false },
	{ "no end", "stop", 4, NULL, false },
	{ "one NUL", "stop\0", 5, NULL, false },
	{ "cut between arguments", "pause\0work\0", 11, NULL, false },
	{ "cut in an argument", "pause\0wo", 8, NULL, false },
	{ "nothing", "", 0, NULL, false },
	{ "a NUL", "\0", 1, NULL, false },
	{ "NULs", "\0\0\0\0", 4, NULL, false },
	{ "no command", "\0stop\0", 7, NULL, false },
	{ "an empty argument", "stop\0\0now\0", 11, NULL, true },
	{ "more behind the end", "stop\0\0x", 7, NULL, true },
	{ "HTTP", "GET / HTTP/1.0\r\n\r\n", 18, NULL, false },
};

static void test_request(struct control *c, const struct request *r,
	bool slowly)
{
	char got[64];
	unsigned int before = served;
	int fd = caller();
	size_t i;
	bool end;

	turn(c);
	for (i = 0; slowly && i < r->len; i++) {
		/* It may have seen enough. */
		if (send(fd, r->bytes + i, 1, MSG_NOSIGNAL) < 0)
			break;
		turn(c);
	}
	if (!slowly)
		say(fd, r->bytes, r->len);
	shutdown(fd, SHUT_WR);
	turn(c);
	hear(fd, got, sizeof(got), &end);
	if (r->is != NULL)
		tap_ok(served == before + 1 && strcmp(last, r->is) == 0
			&& strcmp(got, "000\n") == 0 && end,
			"%s%s", r->name, slowly ? ", byte by byte" : "");
	else
		tap_ok(served == before + (slowly && r->early) && end && callers(c) == 0,
			"refused: %s%s", r->name,
			slowly ? ", byte by byte" : "");
	close(fd);
}

static void test_requests(void)
{
	struct control *c = open_there();
	size_t i;

	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		test_request(c, &requests[i], false);
		test_request(c, &requests[i], true);
	}
	control_close(c);
}

/* A request of `len` bytes: as much as there may be, or one more. */
static void test_size(struct control *c, size_t len, bool fits)
{
	char *bytes = malloc(len), got[16];
	int fd = caller();
	size_t sent = 0;
	ssize_t n = 1;
	bool end = false;

	memset(bytes, 'x', len);
	bytes[len - 1] = bytes[len - 2] = '\0';
	served = 0;
	while (n > 0 && sent < len) {
		n = send(fd, bytes + sent, len - sent, MSG_NOSIGNAL
			| MSG_DONTWAIT);
		if (n > 0)
			sent += (size_t)n;
		else if (errno == EAGAIN)
			n = 1;
		turn(c);
	}
	turn(c);
	hear(fd, got, sizeof(got), &end);
	tap_ok(end && served == fits && (strcmp(got, "000\n") == 0) == fits,
		"%zu bytes %s", len, fits ? "are taken" : "are too many");
	close(fd);
	free(bytes);
}

static void test_hostile(void)
{
	struct control *c = open_there();
	int fds[LIMIT_CONTROL_CALLERS + 3], fd;
	char *much = malloc(MUCH + 64);
	size_t i;
	bool end;

	test_size(c, LIMIT_CONTROL_REQUEST, true);
	test_size(c, LIMIT_CONTROL_REQUEST + 1, false);
	test_size(c, 8 * LIMIT_CONTROL_REQUEST, false);
	for (i = 0; i < LIMIT_CONTROL_CALLERS + 3; i++) {
		fds[i] = caller();
		turn(c);
	}
	tap_ok(callers(c) == LIMIT_CONTROL_CALLERS
		&& control_watch(c, (struct pollfd[CONTROL_FDS]){ { 0 } })
			== LIMIT_CONTROL_CALLERS,
		"so many may be silent at once, and the others wait");
	tap_ok(control_next(c, now + 3600000) == now + LIMIT_CONTROL_MS
		&& control_next(c, now + 1) == now + 1, "for so long");
	say(fds[0], "st", 2);
	now += LIMIT_CONTROL_MS - 1;
	turn(c);
	tap_ok(callers(c) == LIMIT_CONTROL_CALLERS, "not a moment less");
	now++;
	turn(c);
	turn(c);
	tap_ok(hung_up(fds[0]) && hung_up(fds[LIMIT_CONTROL_CALLERS - 1])
		&& !hung_up(fds[LIMIT_CONTROL_CALLERS]) && callers(c) == 3,
		"then they are dropped, and the others have their turn");
	say(fds[LIMIT_CONTROL_CALLERS], "much\0", 6);
	turn(c);
	now += LIMIT_CONTROL_MS;
	turn(c);
	hear(fds[LIMIT_CONTROL_CALLERS], much, MUCH + 64, &end);
	tap_ok(end && much[strlen(much) - 1] != '\0' && strlen(much) < MUCH
		&& callers(c) == 0, "one that does not read is dropped");
	for (i = 0; i < LIMIT_CONTROL_CALLERS + 3; i++)
		close(fds[i]);
	fd = caller();
	say(fd, "much\0", 6);
	turn(c);
	close(fd);
	turn(c);
	tap_ok(callers(c) == 0, "one that is gone before its answer harms nobody");
	tap_ok(control_next(c, now + 7) == now + 7, "nothing is left to wait for");
	control_close(c);
	free(much);
}

/* Another user comes no further than the door; needs root to be one. */
static void test_stranger(void)
{
	struct control *c = open_there();
	int status = -1;
	pid_t pid;

	if (geteuid() != 0) {
		tap_ok(true, "a stranger # SKIP only root can be another user");
		control_close(c);
		return;
	}
	chmod(scratch_dir, 0755);
	chmod(scratch_path("run"), 0755);
	chmod(scratch_path(PATH), 0666);
	pid = fork();
	if (pid == 0) {
		char got[64] = "";
		int fd;

		if (setuid(65534) < 0)
			_exit(1);
		fd = caller();
		say(fd, "stop\0", 6);
		if (recv(fd, got, sizeof(got) - 1, 0) < 4
		    || strncmp(got, "077\n", 4) != 0)
			_exit(2);
		_exit(0);
	}
	while (waitpid(pid, &status, WNOHANG) == 0) {
		turn(c);
		clock_sleep(1);
	}
	tap_ok(status == 0 && served == 0 && callers(c) == 0,
		"a stranger is refused, whatever the modes say");
	if (status != 0)
		tap_note("status %x, %u served", (unsigned)status, served);
	control_close(c);
}

int main(void)
{
	scratch_make("control");
	test_place();
	test_stale();
	test_requests();
	test_hostile();
	test_stranger();
	scratch_end();
	return tap_done();
}
