/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/parent/signals.h"
#include "tests/unit/tap.h"

static const struct row {
	const char *name;
	int sig;
	unsigned int set;		/* what it means to a daemon */
	bool deadly;			/* to a child without signals of its own */
} rows[] = {
	{ "SIGTERM", SIGTERM, SIGNALS_STOP, true },
	{ "SIGINT", SIGINT, SIGNALS_STOP, false },
	{ "SIGHUP", SIGHUP, SIGNALS_RELOAD, false },
	{ "SIGUSR1", SIGUSR1, SIGNALS_POLL, false },
};

static void test_ours(const struct row *row)
{
	raise(row->sig);
	raise(row->sig);
	tap_ok(signals_take() == row->set && signals_take() == 0,
		"%s is noted, once", row->name);
}

/* Between fork() and its own handlers a child has ours. */
static void test_child(const struct row *row)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		raise(row->sig);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	/* Its end is a signal, too. */
	tap_ok((signals_take() & ~(unsigned)SIGNALS_CHILD) == 0,
		"%s to a new child is not one to its parent", row->name);
	tap_ok(row->deadly ? WIFSIGNALED(status)
		&& WTERMSIG(status) == row->sig : status == 0,
		"and %s it", row->deadly ? "ends" : "does not end");
}

int main(void)
{
	struct err err = ERR_INIT;
	size_t i;

	if (!signals_catch(true, &err))
		return EXIT_FAILURE;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		test_ours(&rows[i]);
		test_child(&rows[i]);
	}
	return tap_done();
}
