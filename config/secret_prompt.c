/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/secret_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
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

static bool read_line(struct secret *secret, struct err *err)
{
	ssize_t n;

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
	/* What was typed before the question was not meant as an answer. */
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) < 0)
		return err_sys(err, errno, "cannot use the terminal");
	fprintf(stderr, "%s: %s for %s at %s: ", query->account, query->what,
		log_escape(user, sizeof(user), query->user,
			strlen(query->user)), query->host);
	fflush(stderr);
	ok = read_line(secret, err);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
	if (!ok)
		fputc('\n', stderr);
	return ok;
}
