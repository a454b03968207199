/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "agent/base/arena.h"
#include "agent/base/log.h"
#include "agent/base/spawn.h"
#include "agent/command/cmd.h"
#include "agent/net/tls.h"
#include "agent/pop3/sasl.h"

static const struct cmd *const commands[] = {
	&cmd_fetch, &cmd_daemon, &cmd_check, &cmd_probe, &cmd_talk, &cmd_status,
	&cmd_import,
	&cmd_poll, &cmd_pause, &cmd_resume, &cmd_reload, &cmd_stop,
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

struct options {
	const char *config_file, *control, *if_older;
	bool verbose, quiet, trace, help;
	unsigned int command;		/* enum cmd_option */
};

static const char options_help[] =
	"  -c, --config FILE   read this configuration\n"
	"  -v, --verbose       tell more\n"
	"  -q, --quiet         tell only what went wrong\n"
	"      --control PATH  where the daemon listens\n"
	"      --trace         show the dialogue with the server, secrets masked\n"
	"  -h, --help          show this, or the help of a command\n"
	"      --version       show versions\n";

static const struct cmd *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static void print_usage(FILE *out)
{
	size_t i;

	fprintf(out, "usage: postrider [OPTION...] COMMAND [ARGUMENT...]\n\n"
		"Fetches mail from POP3 servers and delivers it here, exactly once.\n\n");
	for (i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-6s %s\n", commands[i]->name,
			commands[i]->usage);
	fprintf(out,
		"\n%s\npostrider COMMAND --help tells more; see also postrider(1), postrider.yaml(5).\n",
		options_help);
}

static void print_command(const struct cmd *cmd)
{
	printf("usage: postrider [OPTION...] %s %s\n\n%s\n%s", cmd->name,
		cmd->usage, cmd->help, options_help);
}

static void print_version(void)
{
	const char *sasl = sasl_version();

	printf("postrider %s\nGnuTLS %s\nGNU SASL %s\n", PACKAGE_VERSION,
		tls_version(), sasl != NULL ? sasl : "not built in");
}

/* Options of single commands count from OPT_COMMAND on: enum cmd_option. */
enum { OPT_TRACE = 256, OPT_VERSION, OPT_COMMAND = 512 };

static const struct option longs[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "control", required_argument, NULL,
		OPT_COMMAND + CMD_CONTROL },
	{ "trace", no_argument, NULL, OPT_TRACE },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "state", no_argument, NULL, OPT_COMMAND + CMD_STATE },
	{ "baseline", no_argument, NULL, OPT_COMMAND + CMD_BASELINE },
	{ "accept-new-state", no_argument, NULL,
		OPT_COMMAND + CMD_ACCEPT_NEW_STATE },
	{ "if-older", required_argument, NULL,
		OPT_COMMAND + CMD_IF_OLDER },
	{ "json", no_argument, NULL, OPT_COMMAND + CMD_JSON },
	{ "metrics", no_argument, NULL, OPT_COMMAND + CMD_METRICS },
	{ "write", no_argument, NULL, OPT_COMMAND + CMD_WRITE },
	{ NULL, 0, NULL, 0 },
};

/* False when there is nothing more to do; *status_r is the exit status. */
static bool parse(int argc, char **argv, struct options *o, int *status_r)
{
	int c;

	while ((c = getopt_long(argc, argv, "c:vqh", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->config_file = optarg;
			break;
		case 'v':
			o->verbose = true;
			break;
		case 'q':
			o->quiet = true;
			break;
		case OPT_TRACE:
			o->trace = true;
			break;
		case 'h':
			o->help = true;
			break;
		case OPT_VERSION:
			print_version();
			*status_r = EX_OK;
			return false;
		default:
			if (c > OPT_COMMAND) {
				o->command |= (unsigned int)c - OPT_COMMAND;
				if (c == OPT_COMMAND + CMD_CONTROL)
					o->control = optarg;
				if (c == OPT_COMMAND + CMD_IF_OLDER)
					o->if_older = optarg;
				break;
			}
			fputs("postrider --help shows the options\n", stderr);
			*status_r = EX_USAGE;
			return false;
		}
	}
	return true;
}

/* Those in `wrong` belong to other commands; one is named. */
static void refuse_option(const struct cmd *cmd, unsigned int wrong)
{
	const struct option *o;

	for (o = longs; o->name != NULL; o++)
		if (o->val > OPT_COMMAND
		    && (wrong & ((unsigned int)o->val - OPT_COMMAND)) != 0) {
			fprintf(stderr, "postrider: %s does not take --%s\n",
				cmd->name, o->name);
			return;
		}
}

static void report_mistake(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "%s\n", line);
}

static int asked_level(const struct options *o)
{
	if (o->quiet)
		return LOG_LEVEL_WARN;
	return o->verbose ? LOG_LEVEL_DEBUG : -1;
}

static enum log_level wanted_level(const struct options *o,
	enum log_level configured)
{
	int asked = asked_level(o);

	return asked < 0 ? configured : (enum log_level)asked;
}

/* The configuration, if the command needs it, and the log. */
static bool prepare(const struct cmd *cmd, const struct options *o,
	struct arena *arena, struct cmd_env *env, struct err *err)
{
	if ((cmd->options & CMD_NO_CONFIG) != 0)
		return log_open(wanted_level(o, LOG_LEVEL_INFO),
			LOG_FORMAT_TEXT, "stderr", err);
	return config_load(o->config_file, arena, report_mistake, NULL,
			&env->config, err)
		&& log_open(wanted_level(o, env->config->log_level),
			env->config->log_format, env->config->log_to, err);
}

static int run_command(const struct cmd *cmd, const struct options *o,
	int argc, char **argv)
{
	struct cmd_env env = { NULL, o->config_file, asked_level(o),
		o->trace ? stderr : NULL, o->quiet, o->command, o->control,
		o->if_older };
	struct arena *arena = arena_new();
	struct err err = ERR_INIT;
	int status;

	if (prepare(cmd, o, arena, &env, &err)) {
		status = cmd->run(&env, argc, argv);
	} else {
		log_err(LOG_LEVEL_ERROR, &err);
		status = err_exit_status(err.class);
	}
	arena_free(arena);
	return status;
}

static int run(int argc, char **argv)
{
	struct options o = { NULL, NULL, NULL, false, false, false, false, 0 };
	const struct cmd *cmd;
	unsigned int wrong;
	int status = EX_USAGE;

	if (!parse(argc, argv, &o, &status))
		return status;
	argc -= optind;
	argv += optind;
	if (argc == 0) {
		print_usage(o.help ? stdout : stderr);
		return o.help ? EX_OK : EX_USAGE;
	}
	cmd = find_command(argv[0]);
	if (cmd == NULL) {
		fprintf(stderr, "postrider: unknown command %s\n", argv[0]);
		print_usage(stderr);
		return EX_USAGE;
	}
	if (o.help) {
		print_command(cmd);
		return EX_OK;
	}
	argc--;
	wrong = o.command & ~cmd->options;
	refuse_option(cmd, wrong);
	if (argc < cmd->min_args || (cmd->max_args >= 0
		&& argc > cmd->max_args) || wrong != 0) {
		fprintf(stderr, "usage: postrider %s %s\n", cmd->name,
			cmd->usage);
		return EX_USAGE;
	}
	return run_command(cmd, &o, argc, argv + 1);
}

/* A monitor that reads half of the output must not take it for all. */
static int finish(int status)
{
	bool ok = !ferror(stdout);

	errno = 0;
	if (fflush(stdout) == 0 && ok)
		return status;
	fprintf(stderr, "postrider: not all of the output could be written%s%s\n",
		errno != 0 ? ": " : "", errno != 0 ? strerror(errno) : "");
	return status != EX_OK ? status : EX_IOERR;
}

int main(int argc, char **argv)
{
	spawn_prepare();
	return finish(run(argc, argv));
}
