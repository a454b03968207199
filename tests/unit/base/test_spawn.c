/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/spawn.h"

/* Programs: what they are given, what they may not see, how they end. */

#define CAP 64

static struct err err = ERR_INIT;
static char out[CAP + 1];
static size_t len;

/* Runs a script of sh; `hide` as in spawn_capture(). */
static bool run(const char *script, const char *const *hide, int ms)
{
	const char *argv[] = { "sh", "-c", script, NULL };

	memset(&err, 0, sizeof(err));
	memset(out, '#', sizeof(out));
	len = 99;
	return spawn_capture(argv, hide, ms, out, CAP, &len, &err);
}

/* Is nothing left of what a program wrote? */
static bool wiped(void)
{
	size_t i;

	for (i = 0; i < CAP; i++)
		if (out[i] != '\0')
			return false;
	return out[CAP] == '#';
}

/* What a busy machine may need for a script. */
#define LONG 100000

static const struct capture {
	const char *name, *script;
	int ms;
	const char *out;		/* NULL: it fails, ... */
	const char *says;		/* ... and the error holds this */
} captures[] = {
	{ "output", "echo secret", LONG, "secret\n", NULL },
	{ "no output", "true", LONG, "", NULL },
	{ "bytes", "printf 'a\\0b\\377'", LONG, "a\0b\xff", NULL },
	{ "output in pieces", "printf a; sleep 0.1; printf b", LONG, "ab",
		NULL },
	{ "standard error is not output", "echo no >&2; echo yes", LONG,
		"yes\n", NULL },
	{ "as much as fits", "printf '%063d' 7", LONG,
		"000000000000000000000000000000000000000000000000000000000000"
		"007", NULL },
	{ "a byte too much", "printf '%064d' 7", LONG, NULL,
		"more than 63 bytes" },
	{ "endless output", "while :; do echo xxxxxxxxxxxx; done", LONG, NULL,
		"more than 63 bytes" },
	{ "exit status 1", "echo x; exit 1", LONG, NULL, "status 1" },
	{ "exit status 75", "exit 75", LONG, NULL, "temporary failure" },
	{ "exit status 255", "exit 255", LONG, NULL, "status 255" },
	{ "killed", "kill -9 $$", LONG, NULL, "signal 9" },
	{ "too slow", "exec 2>&-; echo x; sleep 30", 200, NULL, "took too long" },
	/* Long enough for it to have come to its sleep. */
	{ "too slow after its output", "exec >&- 2>&-; sleep 30", 10000, NULL,
		"signal 9" },
	{ "a child of it is too slow", "exec 2>&-; sleep 30 & exit 0", 200, NULL,
		"took too long" },
	{ "a deaf one is too slow", "exec 2>&-; trap '' 1 2 15; "
		"sleep 30; :", 200, NULL,
		"took too long" },
};

static void test_capture(const struct capture *c)
{
	clock_ms start = clock_now();
	size_t n = c->out == NULL ? 0 : strcmp(c->name, "bytes") == 0 ? 4
		: strlen(c->out);
	bool ok = run(c->script, NULL, c->ms);

	if (c->out != NULL)
		tap_ok(ok && len == n && memcmp(out, c->out, n) == 0
			&& out[n] == '\0', "%s", c->name);
	else
		tap_ok(!ok && err.class == ERR_RETRY && wiped()
			&& strstr(err.text, c->says) != NULL
			&& clock_now() - start < 25000, "%s", c->name);
	if (!ok && c->out != NULL)
		tap_note("%s", err.text);
	tap_ok(waitpid(-1, NULL, WNOHANG) < 0, "no child is left");
}

static void test_environment(void)
{
	static const char *const hide[] = { "SPAWN_SECRET", "SPAWN_NO", NULL };

	setenv("SPAWN_SECRET", "hunter2", 1);
	setenv("SPAWN_SECRET2", "not", 1);
	setenv("SPAWN_S", "not", 1);
	tap_ok(run("env | grep -c hunter2; :", hide, LONG)
		&& strcmp(out, "0\n") == 0, "a hidden variable is not there");
	tap_ok(run("echo $SPAWN_SECRET2 $SPAWN_S", hide, LONG)
		&& strcmp(out, "not not\n") == 0, "others are");
	tap_ok(run("echo $SPAWN_SECRET", NULL, LONG)
		&& strcmp(out, "hunter2\n") == 0, "without hiding it is there");
}

/* What it has open, a digit each. */
static const char list[] = "for fd in 0 1 2 3 4 5 6 7 8 9; do "
	"(eval \": <&$fd\") 2>/dev/null && printf $fd; done; :";

static void test_descriptors(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	char script[80];

	tap_ok(run(list, NULL, LONG) && strcmp(out, "012") == 0,
		"a program has its standard descriptors only");
	close(fd);
	tap_ok(run("cat", NULL, LONG) && len == 0, "its input is empty");
	snprintf(script, sizeof(script), "test $(ps -o pgid= -p $$) = %ld",
		(long)getpgrp());
	tap_ok(run(script, NULL, LONG), "it is in our process group");
}

/* Started with one more, that nobody closed for us. */
static int inherited_run(void *arg)
{
	(void)arg;
	if (open("/dev/null", O_RDWR) < 3)
		return 1;
	spawn_prepare();
	return run(list, NULL, LONG) && strcmp(out, "012") == 0 ? 0 : 1;
}

/* Started with none. */
static int closed_run(void *arg)
{
	(void)arg;
	close(0);
	close(1);
	close(2);
	spawn_prepare();
	return fcntl(2, F_GETFD) >= 0 && fcntl(3, F_GETFD) < 0
		&& run("cat; echo out; echo err >&2", NULL, LONG)
		&& strcmp(out, "out\n") == 0 ? 0 : 1;
}

/* Started by somebody who ignores and blocks what we wait for. */
static int deaf_run(void *arg)
{
	sigset_t all;

	(void)arg;
	signal(SIGCHLD, SIG_IGN);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	spawn_prepare();
	return !run("exit 7", NULL, LONG)
		&& strstr(err.text, "status 7") != NULL ? 0 : 1;
}

static int ignored_run(void *arg)
{
	sigset_t all;

	(void)arg;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	return !run("kill -TERM $$; echo alive", NULL, LONG)
		&& strstr(err.text, "signal 15") != NULL ? 0 : 1;
}

/* In a process of its own, since it changes what is ours. */
static void test_worker(const char *name, int (*work)(void *arg))
{
	pid_t pid = spawn_worker(work, NULL, &err);
	int status = -1;

	tap_ok(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0,
		"%s", name);
}

static void test_not_found(void)
{
	static const char *const missing[][2] = {
		{ "/no/such/program", NULL }, { "no-such-program-here", NULL },
		{ "/dev/null", NULL }, { "/", NULL },
	};
	size_t i;

	for (i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
		memset(&err, 0, sizeof(err));
		tap_ok(!spawn_capture(missing[i], NULL, LONG, out, CAP, &len,
			&err) && err.class == ERR_CONFIG
			&& strstr(err.text, missing[i][0]) != NULL
			&& waitpid(-1, NULL, WNOHANG) < 0,
			"%s cannot be started", missing[i][0]);
	}
}

/* No shell in between: an argument is an argument. */
static void test_arguments(void)
{
	static const char *const argv[] = { "printf", "%s|", "$(id)", "; id",
		"a b", "", "-x", "'\"\\", NULL };

	tap_ok(spawn_capture(argv, NULL, LONG, out, CAP, &len, &err)
		&& strcmp(out, "$(id)|; id|a b||-x|'\"\\|") == 0,
		"arguments arrive as they are");
}

static const struct ending {
	int status;
	const char *words;
} endings[] = {
	{ 0, "exited with status 0" }, { 1 << 8, "exited with status 1" },
	{ 63 << 8, "exited with status 63" },
	{ 64 << 8, "exited with status 64 (usage)" },
	{ 67 << 8, "exited with status 67 (no such user)" },
	{ 73 << 8, "exited with status 73 (cannot create)" },
	{ 75 << 8, "exited with status 75 (temporary failure)" },
	{ 77 << 8, "exited with status 77 (permission denied)" },
	{ 78 << 8, "exited with status 78 (configuration error)" },
	{ 79 << 8, "exited with status 79" },
	{ 255 << 8, "exited with status 255" },
	{ 9, "was killed by signal 9" }, { 11 | 128, "was killed by signal 11" },
};

static void test_words(void)
{
	char words[80], small[8];
	size_t i;

	for (i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		tap_ok(strcmp(spawn_status(words, sizeof(words),
			endings[i].status), endings[i].words) == 0, "%s",
			endings[i].words);
	tap_ok(strcmp(spawn_status(small, sizeof(small), 0), "exited ") == 0,
		"words are cut to fit");
}

static void test_close(void)
{
	static const int all[] = { 100, 101, 102, 103, 104, 106, 110 };
	static const char wanted[] = "xx.x.xx";
	int fds[] = { 104, 102, 105, -1 }, none[] = { -1 };
	char left[8] = "";
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		tap_ok(dup2(STDERR_FILENO, all[i]) == all[i], "%d is open",
			all[i]);
	spawn_close(none);
	spawn_close(fds);
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		left[i] = fcntl(all[i], F_GETFD) >= 0 ? 'x' : '.';
		close(all[i]);
	}
	tap_ok(strcmp(left, wanted) == 0, "neighbours stay open: %s", left);
}

int main(void)
{
	size_t i;
	int fd;

	/* Who started us may have left some open. */
	for (fd = 3; fd < 256; fd++)
		close(fd);
	for (i = 0; i < sizeof(captures) / sizeof(captures[0]); i++)
		test_capture(&captures[i]);
	test_environment();
	test_descriptors();
	test_worker("descriptors we were started with", inherited_run);
	test_worker("standard descriptors we were not", closed_run);
	test_worker("signals we were started deaf to", deaf_run);
	test_worker("signals that are ignored here", ignored_run);
	test_not_found();
	test_arguments();
	test_words();
	test_close();
	return tap_done();
}
