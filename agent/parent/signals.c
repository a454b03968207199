/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/parent/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

/* Handlers may only write a byte: the pipe's ends. */
static int ends[2] = { -1, -1 };
static pid_t catcher;

/* A child that has not set its own signals yet shares the pipe: what it gets
 * is not meant for us. */
static void die_or_ignore(int sig)
{
	const struct sigaction dfl = { .sa_handler = SIG_DFL };

	if (sig != SIGTERM)
		return;
	sigaction(sig, &dfl, NULL);
	raise(sig);
}

static void note(int sig)
{
	unsigned char byte = (unsigned char)sig;
	int saved = errno;

	if (getpid() != catcher)
		die_or_ignore(sig);
	else if (write(ends[1], &byte, 1) < 0)
		errno = saved;	/* full: it will be read anyway */
	errno = saved;
}

static const struct {
	int sig;
	bool daemon_only, may_be_ignored;
	unsigned int once, daemon;
} rows[] = {
	{ SIGCHLD, false, false, SIGNALS_CHILD, SIGNALS_CHILD },
	{ SIGINT, false, true, SIGNALS_STOP, SIGNALS_STOP },
	{ SIGTERM, false, false, SIGNALS_STOP, SIGNALS_STOP },
	{ SIGHUP, false, true, SIGNALS_STOP, SIGNALS_RELOAD },
	{ SIGUSR1, true, false, 0, SIGNALS_POLL },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static bool for_daemon;

static bool is_ignored(int sig)
{
	struct sigaction old;

	return sigaction(sig, NULL, &old) == 0 && old.sa_handler == SIG_IGN;
}

bool signals_catch(bool daemon, struct err *err)
{
	struct sigaction sa = { .sa_handler = note, .sa_flags = SA_RESTART };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	size_t i;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(err, errno, "cannot make a pipe");
	for_daemon = daemon;
	catcher = getpid();
	for (i = 0; i < ROWS; i++) {
		if (rows[i].daemon_only && !daemon)
			continue;
		/* nohup means it. */
		if (!daemon && rows[i].may_be_ignored
		    && is_ignored(rows[i].sig))
			continue;
		sigaction(rows[i].sig, &sa, NULL);
	}
	sigaction(SIGPIPE, &ignore, NULL);
	return true;
}

int signals_fd(void)
{
	return ends[0];
}

int signals_write_fd(void)
{
	return ends[1];
}

unsigned int signals_take(void)
{
	unsigned char bytes[256];
	unsigned int set = 0;
	ssize_t i, n;
	size_t row;

	while ((n = read(ends[0], bytes, sizeof(bytes))) > 0)
		for (i = 0; i < n; i++)
			for (row = 0; row < ROWS; row++)
				if (rows[row].sig == bytes[i])
					set |= for_daemon ? rows[row].daemon
						: rows[row].once;
	return set;
}
