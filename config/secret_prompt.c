/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/secret_priv.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <termios.h>
#include <unistd.h>

#include "agent/base/log.h"

/* Ctrl-C. It ends the line like Enter, so that the terminal can be mended
 * before we go. */
#define INTERRUPT '\003'

bool secret_can_ask(void)
{
	return isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp();
}

static bool possible(const struct secret_query *query, struct err *err)
{
	if (!isatty(STDIN_FILENO))
		return err_set(err, ERR_CONFIG,
			"{prompt: true} needs a terminal on standard input; without one use file, command or credential");
	return (query->may_ask && secret_can_ask())
		|| err_set(err, ERR_CONFIG,
			"nobody can be asked for it here: {prompt: true} is for fetch, probe and talk in the foreground of a terminal");
}

/* What ends us meanwhile has to wait until the terminal is mended. */
static const int fatal[] = { SIGINT, SIGTERM, SIGHUP };
#define FATAL (sizeof(fatal) / sizeof(fatal[0]))
static volatile sig_atomic_t came;

static void note(int sig)
{
	came = sig;
}

struct postponed {
	struct sigaction old[FATAL];
	sigset_t mask;
};

static void postpone(struct postponed *p)
{
	const struct sigaction sa = { .sa_handler = note };
	sigset_t all;
	size_t i;

	came = 0;
	sigemptyset(&all);
	for (i = 0; i < FATAL; i++)
		sigaddset(&all, fatal[i]);
	sigprocmask(SIG_BLOCK, &all, &p->mask);
	for (i = 0; i < FATAL; i++)
		if (sigaction(fatal[i], NULL, &p->old[i]) == 0
		    && p->old[i].sa_handler != SIG_IGN)
			sigaction(fatal[i], &sa, NULL);
}

static void let_come(const struct postponed *p)
{
	size_t i;

	for (i = 0; i < FATAL; i++)
		sigaction(fatal[i], &p->old[i], NULL);
	sigprocmask(SIG_SETMASK, &p->mask, NULL);
	if (came != 0)
		raise(came);
}

/* The signals come only while it waits. */
static bool wait_line(const sigset_t *mask)
{
	fd_set in;
	int n;

	do {
		FD_ZERO(&in);
		FD_SET(STDIN_FILENO, &in);
		n = pselect(STDIN_FILENO + 1, &in, NULL, NULL, NULL, mask);
	} while (n < 0 && errno == EINTR && came == 0);
	return n >= 0 || errno != EINTR;
}

static bool read_line(struct secret *secret, const sigset_t *mask,
	struct err *err)
{
	ssize_t n;

	if (!wait_line(mask))
		return err_set(err, ERR_STOP, "stopped");
	do
		n = read(STDIN_FILENO, secret->text, SECRET_NEED);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, errno, "cannot read from the terminal");
	secret->len = (size_t)n;
	if (n == 0 || secret->text[n - 1] == INTERRUPT)
		return err_set(err, ERR_STOP, "nothing was entered");
	return true;
}

bool secret_from_prompt(const struct secret_source *source,
	const struct secret_query *query, struct secret *secret,
	struct err *err)
{
	struct termios old, quiet;
	struct postponed signals;
	char user[256];
	bool ok;

	(void)source;
	if (!possible(query, err))
		return false;
	if (tcgetattr(STDIN_FILENO, &old) < 0)
		return err_sys(err, errno, "cannot use the terminal");
	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
	quiet.c_lflag |= ECHONL | ICANON;
	quiet.c_cc[VEOL] = INTERRUPT;
	postpone(&signals);
	/* What was typed before the question was not meant as an answer. */
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) < 0) {
		err_sys(err, errno, "cannot use the terminal");
		let_come(&signals);
		return false;
	}
	fprintf(stderr, "%s: %s for %s at %s: ", query->account, query->what,
		log_escape(user, sizeof(user), query->user,
			strlen(query->user)), query->host);
	fflush(stderr);
	ok = read_line(secret, &signals.mask, err);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
	if (!ok)
		fputc('\n', stderr);
	let_come(&signals);
	return ok;
}
