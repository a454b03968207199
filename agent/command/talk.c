/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "agent/command/cmd.h"
#include "agent/pass/session.h"

struct talk {
	struct client *client;
	bool quit;			/* QUIT was sent */
};

/* Prints the lines of a reply; a very long one in pieces. */
struct printer {
	struct sink sink;
	size_t len;
	char line[LIMIT_REPLY_LINE];
};

static bool print_push(struct sink *sink, const char *data, size_t len,
	struct err *err)
{
	struct printer *p = (struct printer *)(void *)sink;
	size_t i;

	(void)err;
	for (i = 0; i < len; i++) {
		if (data[i] != '\n' && p->len < sizeof(p->line)) {
			p->line[p->len++] = data[i];
			continue;
		}
		if (p->len != 0 && p->line[p->len - 1] == '\r')
			p->len--;
		session_trace(stdout, 'S', p->line, p->len);
		p->len = 0;
		if (data[i] != '\n')
			p->line[p->len++] = data[i];
	}
	return true;
}

static bool print_finish(struct sink *sink, struct err *err)
{
	(void)sink;
	(void)err;
	session_trace(stdout, 'S', ".", 1);
	return true;
}

static bool verb_is(const char *line, const char *verb)
{
	size_t len = strlen(verb);

	return strncasecmp(line, verb, len) == 0
		&& (line[len] == '\0' || line[len] == ' ');
}

/* RFC 1939, 2449: does +OK to this command bring more lines? */
static bool is_multiline(const char *line)
{
	if (verb_is(line, "RETR") || verb_is(line, "TOP")
	    || verb_is(line, "CAPA"))
		return true;
	/* Blanks behind them are no argument. */
	return (verb_is(line, "LIST") || verb_is(line, "UIDL"))
		&& line[4 + strspn(line + 4, " ")] == '\0';
}

static bool print_lines(struct talk *talk, struct err *err)
{
	struct printer printer = { { print_push, print_finish }, 0, "" };
	uint64_t bytes;

	return pump(client_body(talk->client, 0), &printer.sink, 0, &bytes,
		err) == PUMP_OK;
}

static bool say(struct talk *talk, const char *line, struct err *err)
{
	struct reply reply;

	if (strpbrk(line, "\r\n") != NULL)
		return err_set(err, ERR_CONFIG, "a command is one line");
	if (verb_is(line, "USER") || verb_is(line, "PASS")
	    || verb_is(line, "APOP") || verb_is(line, "AUTH")
	    || verb_is(line, "STLS"))
		return err_set(err, ERR_CONFIG, "%.4s: talk has logged in already", line);
	talk->quit = verb_is(line, "QUIT");
	return client_command(talk->client, line, &reply, err)
		&& (reply.kind != REPLY_OK || !is_multiline(line)
			|| print_lines(talk, err));
}

static bool talk_input(struct talk *talk, struct err *err)
{
	size_t cap = 0;
	char *line = NULL;
	bool ok = true;

	while (ok && !talk->quit && getline(&line, &cap, stdin) > 0) {
		line[strcspn(line, "\r\n")] = '\0';
		if (line[0] != '\0')
			ok = say(talk, line, err);
	}
	free(line);
	return ok;
}

static bool talk_arguments(struct talk *talk, int argc, char **argv,
	struct err *err)
{
	int i;

	for (i = 0; i < argc && !talk->quit; i++)
		if (!say(talk, argv[i], err))
			return false;
	return true;
}

static int run(const struct cmd_env *env, int argc, char **argv)
{
	struct session_options options = { .config = env->config,
		.stop_fd = -1, .trace = stdout, .may_ask = true };
	struct talk talk = { NULL, false };
	struct tls_trust *trust;
	struct err err = ERR_INIT;
	bool ok;

	options.account = cmd_account(env, argv[0]);
	if (options.account == NULL)
		return EX_USAGE;
	trust = tls_trust_new(true);
	options.trust = trust;
	talk.client = session_open(&options, &err);
	ok = talk.client != NULL && (argc > 1
		? talk_arguments(&talk, argc - 1, argv + 1, &err)
		: talk_input(&talk, &err));
	if (ok && !talk.quit)
		ok = say(&talk, "QUIT", &err);
	client_close(talk.client);
	tls_trust_free(trust);
	if (ok)
		return EX_OK;
	log_err(LOG_LEVEL_ERROR, &err);
	return err_exit_status(err.class);
}

const struct cmd cmd_talk = {
	"talk", "ACCOUNT [COMMAND...]",
	"Logs in to an account and sends POP3 commands, one an argument (`RETR 1`), or\n"
	"one a line of standard input. Shows the whole dialogue as \" C: \" and \" S: \"\n"
	"lines with the password masked, waits for each answer, and ends with QUIT.\n"
	"What you delete with DELE is gone after that; RSET takes it back.\n",
	1, -1, 0, run,
};
