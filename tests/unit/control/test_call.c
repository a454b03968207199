/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <sys/wait.h>

#include "tests/unit/control/help.h"

/* The caller's end of the control socket, and where the socket is. */

/* A daemon in a process of its own, until it is asked to stop. */
static pid_t daemon_process(bool dies)
{
	struct control *c = open_there();
	struct pollfd fds[CONTROL_FDS];
	pid_t pid = fork();
	size_t n;

	scratch_need(pid >= 0, "cannot fork");
	if (pid != 0) {
		abandon(c);
		return pid;
	}
	alarm(60);
	last[0] = '\0';
	while (strcmp(last, "stop") != 0 || callers(c) != 0) {
		n = control_watch(c, fds);
		poll(fds, n, -1);
		if (dies)
			_exit(1);
		control_react(c, fds, n, clock_now());
	}
	control_close(c);
	_exit(0);
}

static const struct call {
	const char *name;
	const char *argv[4];
	int status;
	const char *text;
} calls[] = {
	{ "nothing to say", { "poll", "work" }, 0, "" },
	{ "a number", { "count", "a", "b" }, 0, "3\n" },
	{ "a failure", { "fail" }, EX_USAGE, "no such account\n" },
	{ "bytes a terminal obeys", { "rude" }, 0, "a\tb\n?[2J??" },
};

static void test_call(const struct call *call)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int argc = 0, status = -1;
	bool ok;

	while (argc < 4 && call->argv[argc] != NULL)
		argc++;
	ok = control_call(scratch_path(PATH), argc, call->argv, out, &status,
		&err);
	fclose(out);
	tap_ok(ok && status == call->status && strcmp(text, call->text) == 0,
		"asked: %s", call->name);
	if (!ok)
		tap_note("%s", err.text);
	free(text);
}

static bool ask(const char *what, size_t *len_r)
{
	const char *const argv[] = { what };
	char *text = NULL;
	FILE *out = open_memstream(&text, len_r);
	int status = -1;
	bool ok = control_call(scratch_path(PATH), 1, argv, out, &status,
		&err) && status == 0;

	fclose(out);
	free(text);
	return ok;
}

static void test_calls(void)
{
	pid_t pid = daemon_process(false);
	size_t i, len;
	int status = -1;

	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		test_call(&calls[i]);
	tap_ok(ask("much", &len) && len == MUCH, "an answer of any length");
	tap_ok(!ask("", &len) && err.class == ERR_CONFIG,
		"an empty argument is none");
	tap_ok(!control_wait_gone(scratch_path(PATH), 50, &err)
		&& err.class == ERR_RETRY, "it is there");
	tap_ok(ask("stop", &len) && control_wait_gone(scratch_path(PATH),
		30000, &err), "asked to stop, it goes");
	tap_ok(waitpid(pid, &status, 0) == pid && status == 0, "in peace");
	tap_ok(!ask("poll", &len) && err.class == ERR_STOP
		&& strstr(err.text, scratch_path(PATH)) != NULL,
		"nobody there: %s", err.text);
}

/* Whoever listens there dies without a word. */
static void test_dead(void)
{
	pid_t pid = daemon_process(true);
	size_t len;

	tap_ok(!ask("poll", &len) && err.class == ERR_RETRY && len == 0,
		"a daemon that dies: %s", err.text);
	waitpid(pid, NULL, 0);
	tap_ok(!ask("poll", &len) && err.class == ERR_STOP,
		"its socket alone is no daemon");
	tap_ok(control_wait_gone(scratch_path(PATH), 1, &err), "it is gone");
	unlink(scratch_path(PATH));
}

static const struct where {
	const char *given, *own, *runtime, *xdg, *is;
} wheres[] = {
	{ "/g", "/o", "/r", "/x", "/g" },
	{ NULL, "/o", "/r", "/x", "/o" },
	{ NULL, "", "/r:/s", "/x", "/r/control" },
	{ NULL, NULL, "/r", "/x", "/r/control" },
	{ NULL, NULL, NULL, "/x", "/x/postrider/control" },
	{ NULL, NULL, "", "", "/run/postrider/control" },
	{ NULL, NULL, NULL, NULL, "/run/postrider/control" },
};

static void set(const char *name, const char *value)
{
	if (value != NULL)
		setenv(name, value, 1);
	else
		unsetenv(name);
}

static void test_paths(void)
{
	const struct where *w = wheres;
	struct control *c;
	char path[PATH_MAX];

	for (; w < wheres + sizeof(wheres) / sizeof(wheres[0]); w++) {
		set("POSTRIDER_CONTROL", w->own);
		set("RUNTIME_DIRECTORY", w->runtime);
		set("XDG_RUNTIME_DIR", w->xdg);
		control_path(w->given, path, sizeof(path));
		tap_ok(strcmp(path, w->is) == 0, "a daemon listens at %s",
			w->is);
	}
	set("RUNTIME_DIRECTORY", scratch_path("nowhere"));
	set("XDG_RUNTIME_DIR", scratch_path("xdg"));
	control_find(NULL, path, sizeof(path));
	tap_ok(strcmp(path, scratch_path("nowhere/control")) == 0,
		"without a daemon: the first place");
	c = control_open(scratch_path("xdg/postrider/control"), answer, NULL,
		&err);
	control_find(NULL, path, sizeof(path));
	tap_ok(c != NULL && strcmp(path, scratch_path("xdg/postrider/control"))
		== 0, "the first place where one is");
	control_find("/g", path, sizeof(path));
	tap_ok(strcmp(path, "/g") == 0, "but what is given is given");
	control_close(c);
}

int main(void)
{
	scratch_make("control");
	test_calls();
	test_dead();
	test_paths();
	scratch_end();
	return tap_done();
}
