/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/parent/proc.h"
#include "config/fields.h"

/*
 * What a worker asks for: the parent fills in the arguments of the program that
 * it knows, and takes no word of the worker's that is not what it should be.
 */

static struct err err = ERR_INIT;
static struct account account;
static struct proc proc;
static int worker = -1;			/* the worker's end */

/* Prints its arguments, then its sender. */
static const char *const print[] = { "sh", "-c",
	"for a; do printf '[%s]' \"$a\"; done; printf '%s' \"${SENDER-unset}\"",
	"sh", "-f", "%{sender}", "x%{account}y%{sender}", "%%{sender}", NULL };

static void begin(void)
{
	int fds[2];

	account = account_fresh;
	account.name = "work";
	account.deliver.kind = DELIVER_PIPE;
	account.deliver.argv = print;
	proc_init(&proc, &account);
	if (!chan_pair(fds, &err))
		exit(99);
	proc.state = PROC_RUNNING;
	proc.chan = fds[0];
	worker = fds[1];
	proc.pid = fork();
	if (proc.pid == 0)
		for (;;)
			pause();
}

/* Returns how the worker ended. */
static int end(void)
{
	int status = 0;

	kill(proc.pid, SIGTERM);
	waitpid(proc.pid, &status, 0);
	close(worker);
	if (proc.chan >= 0)
		close(proc.chan);
	return status;
}

/* The worker sends a SPAWN with `len` bytes for a sender. */
static void ask(const char *sender, size_t len)
{
	struct chan_packet packet;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	memset(&packet, 0, sizeof(packet));
	packet.type = CHAN_SPAWN;
	packet.spawn.id = 7;
	packet.spawn.attempt = 1;
	snprintf(packet.spawn.epoch, sizeof(packet.spawn.epoch), "e");
	memcpy(packet.spawn.sender, sender, len);
	if (!chan_send(worker, &packet, fd, CHAN_WAIT, &err))
		exit(99);
	close(fd);
	proc_read_channel(&proc);
}

/* What the program printed. */
static const char *answer(void)
{
	static struct chan_packet packet;
	int status;
	pid_t pid = proc.mda.pid;

	if (pid <= 0 || waitpid(pid, &status, 0) != pid
	    || !proc_reaped(&proc, pid, status)
	    || !chan_recv(worker, &packet, NULL, CHAN_DONT_WAIT, &err)
	    || packet.type != CHAN_EXITED || !packet.exited.started
	    || packet.exited.status != 0)
		return "nothing";
	return packet.exited.output;
}

static const struct right {
	const char *sender, *printed;
} rights[] = {
	{ "jane@example.org", "[-f][jane@example.org]"
		"[xworkyjane@example.org][%{sender}]jane@example.org" },
	{ "-", "[-f][-][xworky-][%{sender}]unset" },
	{ "", "[-f][-][xworky-][%{sender}]" },
};

static void test_right(const struct right *r)
{
	const char *printed;

	begin();
	ask(r->sender, strlen(r->sender));
	printed = answer();
	tap_ok(strcmp(printed, r->printed) == 0, "\"%s\" is filled in",
		r->sender);
	tap_ok(end() == SIGTERM, "and the worker lives");
}

static const char *const wrongs[] = {
	"--", "-x@y", "-jane", "jane", "jane@", "@x", "a b@c", "a@b c", "a@b@c",
	"<a@b>", "a@b\n", "a\tb@c", "$(id)@x", "a;b@c", "a'b@c", "a\"b@c",
	"/a@b", "a/b@c", "%{account}@x", "a@b\x80", "j\xc3\xa4@x", "a\\@b",
	" ", " a@b", "a@b ", "\x1b@b", "a\x7f@b",
};

/* The worker has talked to a server, and may be anybody's by now. */
static void test_wrong(const char *sender, size_t len, const char *name)
{
	bool none;

	begin();
	ask(sender, len);
	none = proc.mda.pid == 0 && proc.chan == -1;
	tap_ok(end() == SIGKILL && none,
		"a worker that names %s gets no program, and is killed", name);
}

int main(void)
{
	char name[40], filled[LIMIT_SENDER + 1];
	size_t i;

	for (i = 0; i < sizeof(rights) / sizeof(rights[0]); i++)
		test_right(&rights[i]);
	for (i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		snprintf(name, sizeof(name), "wrong sender %zu", i);
		test_wrong(wrongs[i], strlen(wrongs[i]), name);
	}
	memset(filled, 'a', sizeof(filled));
	filled[1] = '@';
	test_wrong(filled, sizeof(filled), "a sender without end");
	return tap_done();
}
