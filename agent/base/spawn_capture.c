/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"

/*
 * One program whose standard output is wanted, and of whose standard error
 * the end is kept, because errors come at the end.
 */

struct capture {
	struct pollfd fds[2];		/* its standard output and error */
	char *out;
	size_t cap, len;
	char words[LIMIT_SECRET_WORDS];
	size_t words_len;
	clock_ms deadline;
};

static void end_of(struct pollfd *p)
{
	close(p->fd);
	p->fd = -1;
}

/* False when the output does not fit. */
static bool take_out(struct capture *c)
{
	ssize_t n = read(c->fds[0].fd, c->out + c->len, c->cap - c->len);

	if (n > 0)
		c->len += (size_t)n;
	else if (n == 0 || errno != EINTR)
		end_of(&c->fds[0]);
	return c->len < c->cap;
}

static void take_words(struct capture *c)
{
	char buf[4096], *last = buf;
	ssize_t n = read(c->fds[1].fd, buf, sizeof(buf));
	size_t len = n > 0 ? (size_t)n : 0, keep;

	if (n == 0 || (n < 0 && errno != EINTR))
		end_of(&c->fds[1]);
	/* It may be a question, if we are in the foreground. */
	if (len != 0 && tcgetpgrp(STDERR_FILENO) == getpgrp()
	    && write(STDERR_FILENO, buf, len) < 0)
		errno = 0;
	if (len > sizeof(c->words)) {
		last += len - sizeof(c->words);
		len = sizeof(c->words);
	}
	keep = c->words_len + len > sizeof(c->words)
		? sizeof(c->words) - len : c->words_len;
	memmove(c->words, c->words + c->words_len - keep, keep);
	memcpy(c->words + keep, last, len);
	c->words_len = keep + len;
}

/* Reads until the end of its output; false with errno: EFBIG when it does not
 * fit, ETIMEDOUT when it takes too long. */
static bool read_all(struct capture *c)
{
	int n;

	while (c->fds[0].fd >= 0) {
		n = poll(c->fds, 2, clock_left(c->deadline));
		if (n == 0)
			errno = ETIMEDOUT;
		if (n == 0 || (n < 0 && errno != EINTR))
			return false;
		if (n < 0)
			continue;
		if (c->fds[1].fd >= 0 && c->fds[1].revents != 0)
			take_words(c);
		if (c->fds[0].revents != 0 && !take_out(c)) {
			errno = EFBIG;
			return false;
		}
	}
	return true;
}

/* What is left of its words once it has ended; a child it left behind may keep
 * the pipe open. */
static void last_words(struct capture *c)
{
	int pieces = 0;

	while (c->fds[1].fd >= 0 && pieces++ < 64
	       && poll(&c->fds[1], 1, 0) > 0)
		take_words(c);
}

/* It has closed its output; give it until the deadline to exit as well. */
static int reap(struct capture *c, pid_t pid)
{
	int status = 0;
	pid_t got;

	while ((got = waitpid(pid, &status, WNOHANG)) != pid) {
		if (got < 0 && errno != EINTR)
			return -1;
		if (clock_left(c->deadline) == 0) {
			kill(pid, SIGKILL);
			while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
				;
			return status;
		}
		/* Its words must not fill the pipe. */
		if (c->fds[1].fd >= 0 && poll(&c->fds[1], 1, 2) > 0)
			take_words(c);
		else
			clock_sleep(2);
	}
	return status;
}

/* ": its words", one line; nothing if it said nothing. A program that shows
 * on standard error what it prints shall not make us show it. */
static const char *say(struct capture *c, char *line, size_t cap)
{
	size_t i, n = c->words_len, first = strcspn(c->out, "\n");
	char *hit;

	while (n != 0 && memchr("\n\r ", c->words[n - 1], 3) != NULL)
		n--;
	while (first != 0
	       && (hit = memmem(c->words, n, c->out, first)) != NULL) {
		memset(hit, '*', first);
		if (c->out[0] == '*')
			break;
	}
	for (i = 0; i < n; i++)
		if (c->words[i] == '\n')
			c->words[i] = ';';
	line[0] = '\0';
	if (n == 0)
		return line;
	memcpy(line, ": ", 3);
	log_escape(line + 2, cap - 2, c->words, n);
	return line;
}

static bool judge(struct capture *c, const char *name, int code, int status,
	struct err *err)
{
	char words[80], line[3 * LIMIT_SECRET_WORDS / 2];

	c->out[c->len < c->cap ? c->len : c->cap - 1] = '\0';
	say(c, line, sizeof(line));
	if (code == 0 && status == 0) {
		if (line[0] != '\0')
			log_debug("%s%s", name, line);
		return true;
	}
	explicit_bzero(c->out, c->cap);
	if (code == EFBIG)
		return err_set(err, ERR_RETRY, "%s wrote more than %zu bytes",
			name, c->cap - 1);
	if (code == ETIMEDOUT)
		return err_set(err, ERR_RETRY, "%s took too long%s", name,
			line);
	if (code != 0)
		return err_sys(err, code, "%s", name);
	return err_set(err, ERR_RETRY, "%s %s%s", name,
		spawn_status(words, sizeof(words), status), line);
}

static pid_t start(struct capture *c, const char *const *argv,
	const char *const *hide, struct err *err)
{
	const char **env;
	struct spawn_program prog = { argv, NULL, -1, -1, -1, false, true };
	int out[2], words[2];
	pid_t pid;

	if (pipe2(out, O_CLOEXEC) < 0) {
		err_sys(err, errno, "cannot start %s", argv[0]);
		return -1;
	}
	if (pipe2(words, O_CLOEXEC) < 0) {
		err_sys(err, errno, "cannot start %s", argv[0]);
		close(out[0]);
		close(out[1]);
		return -1;
	}
	prog.envp = env = spawn_environment(hide);
	prog.out = out[1];
	prog.err = words[1];
	pid = spawn_program(&prog, err);
	free(env);
	close(out[1]);
	close(words[1]);
	c->fds[0] = (struct pollfd){ .fd = out[0], .events = POLLIN };
	c->fds[1] = (struct pollfd){ .fd = words[0], .events = POLLIN };
	return pid;
}

bool spawn_capture(const char *const *argv, const char *const *hide, int ms,
	char *out, size_t cap, size_t *len_r, struct err *err)
{
	struct capture c = { .out = out, .cap = cap,
		.fds = { { .fd = -1 }, { .fd = -1 } } };
	int status = 0, code = 0;
	pid_t pid;

	c.deadline = clock_after(ms);
	pid = start(&c, argv, hide, err);
	if (pid > 0 && !read_all(&c)) {
		code = errno;
		kill(pid, SIGKILL);
	}
	if (pid > 0) {
		status = reap(&c, pid);
		last_words(&c);
	}
	if (c.fds[0].fd >= 0)
		end_of(&c.fds[0]);
	if (c.fds[1].fd >= 0)
		end_of(&c.fds[1]);
	*len_r = c.len;
	return pid > 0 && judge(&c, argv[0], code, status, err);
}
