/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/net/tunnel.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/arena.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "agent/base/spawn.h"

/* How long a program may take to end by itself. */
#define EXIT_MS 500

struct tunnel {
	pid_t pid;			/* 0: it has been reaped */
	int status;
	int stderr_fd;
	const char *name;
	unsigned int lines;		/* that it has said */
	size_t len;			/* of the line that is not complete */
	char line[200];
	char last[200];			/* the last whole line */
};

/* `word` with %h, %p and %% replaced. */
static const char *expand(struct arena *arena, const char *word,
	const char *host, uint64_t port)
{
	const char *out = "", *mark;

	while ((mark = strchr(word, '%')) != NULL && mark[1] != '\0') {
		out = arena_printf(arena, "%s%.*s", out, (int)(mark - word),
			word);
		if (mark[1] == 'h')
			out = arena_printf(arena, "%s%s", out, host);
		else if (mark[1] == 'p')
			out = arena_printf(arena, "%s%" PRIu64, out, port);
		else
			out = arena_printf(arena, "%s%c", out, mark[1]);
		word = mark + 2;
	}
	return arena_printf(arena, "%s%s", out, word);
}

static bool run(struct tunnel *tunnel, const char *const *argv,
	const char *const *hide, int connection, int words, struct err *err)
{
	const char **env = spawn_environment(hide);
	const struct spawn_program program = { argv, env, connection,
		connection, words, .own_group = true, .dies_with_us = true };

	tunnel->pid = spawn_program(&program, err);
	free(env);
	if (tunnel->pid > 0)
		return true;
	tunnel->pid = 0;
	err_prefix(err, "tunnel");
	return false;
}

static bool set_up(struct tunnel *tunnel, const char *const *argv,
	const char *const *hide, int *fd_r, struct err *err)
{
	int line[2], words[2];
	bool ok;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line) < 0)
		return err_sys(err, errno, "tunnel");
	if (pipe2(words, O_CLOEXEC) < 0) {
		err_sys(err, errno, "tunnel");
		close(line[0]);
		close(line[1]);
		return false;
	}
	ok = run(tunnel, argv, hide, line[1], words[1], err);
	close(line[1]);
	close(words[1]);
	tunnel->stderr_fd = words[0];
	if (!ok) {
		close(line[0]);
		return false;
	}
	fcntl(words[0], F_SETFL, O_NONBLOCK);
	fcntl(line[0], F_SETFL, O_NONBLOCK);
	*fd_r = line[0];
	return true;
}

struct tunnel *tunnel_start(const char *const *argv, const char *host,
	uint64_t port, const char *const *hide, int *fd_r, struct err *err)
{
	struct tunnel *tunnel = mem_grow(NULL, 1, sizeof(*tunnel));
	struct arena *arena = arena_new();
	const char **words;
	size_t i, n = 0;

	*tunnel = (struct tunnel){ .stderr_fd = -1, .name = argv[0] };
	while (argv[n] != NULL)
		n++;
	words = arena_array(arena, n + 1, sizeof(*words));
	for (i = 0; i < n; i++)
		words[i] = expand(arena, argv[i], host, port);
	if (!set_up(tunnel, words, hide, fd_r, err)) {
		tunnel_end(tunnel);
		tunnel = NULL;
	}
	arena_free(arena);
	return tunnel;
}

int tunnel_fd(const struct tunnel *tunnel)
{
	return tunnel->stderr_fd;
}

static void end_line(struct tunnel *tunnel)
{
	if (tunnel->len == 0)
		return;
	log_escape(tunnel->last, sizeof(tunnel->last), tunnel->line,
		tunnel->len);
	tunnel->len = 0;
	/* The log is not there for a program that does not stop talking. */
	if (tunnel->lines++ < LIMIT_TUNNEL_LINES)
		log_info("tunnel: %s", tunnel->last);
}

static void take(struct tunnel *tunnel, const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (text[i] == '\n')
			end_line(tunnel);
		else if (text[i] != '\r'
			 && tunnel->len < sizeof(tunnel->line))
			tunnel->line[tunnel->len++] = text[i];
}

void tunnel_listen(struct tunnel *tunnel)
{
	char text[512];
	ssize_t n;
	int turns;

	/* As much as a pipe holds, so that it cannot keep us here. */
	for (turns = 0; turns < 128 && tunnel->stderr_fd >= 0; turns++) {
		n = read(tunnel->stderr_fd, text, sizeof(text));
		if (n > 0) {
			take(tunnel, text, (size_t)n);
			continue;
		}
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		close(tunnel->stderr_fd);
		tunnel->stderr_fd = -1;
	}
}

static void reap(struct tunnel *tunnel)
{
	if (tunnel->pid == 0)
		return;
	tunnel->status = spawn_end(tunnel->pid, EXIT_MS);
	tunnel->pid = 0;
}

void tunnel_blame(struct tunnel *tunnel, struct err *err)
{
	char words[80];

	reap(tunnel);
	tunnel_listen(tunnel);
	end_line(tunnel);
	/* If it had to be killed, it is not what has failed. */
	if (WIFSIGNALED(tunnel->status) && WTERMSIG(tunnel->status) == SIGKILL)
		snprintf(words, sizeof(words), "says");
	else
		spawn_status(words, sizeof(words), tunnel->status);
	if (tunnel->last[0] != '\0')
		err_prefix(err, "the tunnel %s %s: %s", tunnel->name, words,
			tunnel->last);
	else if (strcmp(words, "says") != 0)
		err_prefix(err, "the tunnel %s %s", tunnel->name, words);
}

void tunnel_end(struct tunnel *tunnel)
{
	if (tunnel == NULL)
		return;
	if (tunnel->pid != 0)
		spawn_kill(tunnel->pid, SIGTERM);
	reap(tunnel);
	if (tunnel->stderr_fd >= 0)
		close(tunnel->stderr_fd);
	free(tunnel);
}
