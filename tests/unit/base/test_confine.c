/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/base/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/tap.h"

/*
 * Children under the rules of a worker try what a worker that a server has
 * taken over would try. Each attempt is made without rules first, where it must
 * succeed: else its failure would prove nothing.
 */

static char base[] = "/tmp/pr-confine-XXXXXX";
static pid_t parent, sleeper;
static int port_ok, port_other;
static char name[sizeof(base) + 64];

static const char *in_base(const char *path)
{
	snprintf(name, sizeof(name), "%s/%s", base, path);
	return name;
}

static bool can_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool read_passwd(void)
{
	return can_open("/etc/passwd", O_RDONLY);
}

static bool read_ssh(void)
{
	return can_open(in_base("home/.ssh/id"), O_RDONLY);
}

static bool read_other_ledger(void)
{
	return can_open(in_base("state/other/ledger"), O_RDONLY);
}

static bool write_other_maildir(void)
{
	return can_open(in_base("other/new/1"), O_WRONLY | O_CREAT);
}

static bool list_home(void)
{
	return can_open(in_base("home"), O_RDONLY | O_DIRECTORY);
}

static bool move_away(void)
{
	char from[sizeof(name)];

	snprintf(from, sizeof(from), "%s", in_base("mail/tmp/3"));
	return rename(from, in_base("other/new/3")) == 0
		&& rename(in_base("other/new/3"), from) == 0;
}

static bool climb_out(void)
{
	return can_open(in_base("mail/../home/.ssh/id"), O_RDONLY);
}

static bool follow_symlink(void)
{
	return can_open(in_base("mail/link"), O_RDONLY);
}

static bool run_program(void)
{
	char *const argv[] = { (char[]){ "true" }, NULL };

	execv("/bin/true", argv);
	return false;
}

static bool start_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid > 0 && waitpid(pid, NULL, 0) == pid;
}

static bool new_socket(int family, int type)
{
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool datagrams(void)
{
	return new_socket(AF_INET, SOCK_DGRAM);
}

static bool local_socket(void)
{
	return new_socket(AF_UNIX, SOCK_STREAM);
}

static bool netlink(void)
{
	return new_socket(AF_NETLINK, SOCK_RAW);
}

static bool call_port(int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = (in_port_t)port,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok = fd >= 0 && connect(fd, (const struct sockaddr *)&to,
		sizeof(to)) == 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

static bool call_other_port(void)
{
	return call_port(port_other);
}

static bool serve(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return listen(fd, 1) == 0;
}

static bool control_socket(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", in_base("control"));
	return fd >= 0 && connect(fd, (const struct sockaddr *)&to,
		sizeof(to)) == 0;
}

static bool trace(void)
{
	int status;

	return ptrace(PTRACE_ATTACH, sleeper, NULL, NULL) == 0
		&& waitpid(sleeper, &status, 0) == sleeper
		&& ptrace(PTRACE_DETACH, sleeper, NULL, NULL) == 0;
}

/* SIGCONT, which changes nothing where it gets through. */
static bool signal_parent(void)
{
	return kill(parent, SIGCONT) == 0;
}

static bool signal_all(void)
{
	return kill(-getpgrp(), SIGCONT) == 0;
}

static bool more_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page != MAP_FAILED
		&& mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0;
}

static bool change_mode(void)
{
	return chmod(in_base("home/.ssh/id"), 0600) == 0;
}

static bool raise_limit(void)
{
	const struct rlimit room = { 1 << 20, 1 << 20 };

	return setrlimit(RLIMIT_FSIZE, &room) == 0;
}

static const struct attempt {
	const char *what;
	bool (*make)(void);
	unsigned int part;		/* that forbids it */
} attempts[] = {
	{ "reads /etc/passwd", read_passwd, CONFINE_FILES },
	{ "reads a key in .ssh", read_ssh, CONFINE_FILES },
	{ "reads another account's ledger", read_other_ledger, CONFINE_FILES },
	{ "writes to another Maildir", write_other_maildir, CONFINE_FILES },
	{ "lists the home", list_home, CONFINE_FILES },
	{ "moves mail to another Maildir", move_away, CONFINE_FILES },
	{ "climbs out of its Maildir", climb_out, CONFINE_FILES },
	{ "follows a link out of its Maildir", follow_symlink, CONFINE_FILES },
	{ "runs a program", run_program, CONFINE_CALLS },
	{ "starts a process", start_process, CONFINE_CALLS },
	{ "sends datagrams", datagrams, CONFINE_CALLS },
	{ "makes a local socket", local_socket, CONFINE_CALLS },
	{ "speaks netlink", netlink, CONFINE_CALLS },
	{ "listens", serve, CONFINE_CALLS },
	{ "calls the control socket", control_socket, CONFINE_CALLS },
	{ "calls another port", call_other_port, CONFINE_PORTS },
	{ "traces another process", trace, CONFINE_CALLS },
	{ "signals the parent", signal_parent, CONFINE_CALLS },
	{ "signals all of its group", signal_all, CONFINE_CALLS },
	{ "makes new code", more_code, CONFINE_CALLS },
	{ "changes the mode of a file", change_mode, CONFINE_CALLS },
	{ "sets a limit", raise_limit, CONFINE_CALLS },
};

static void plant(const char *path, bool folder)
{
	int fd;

	if (folder ? mkdir(in_base(path), 0700) < 0 :
	    (fd = open(in_base(path), O_WRONLY | O_CREAT, 0600)) < 0)
		abort();
	if (!folder)
		close(fd);
}

static int listen_somewhere(int *port_r)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&at, len) < 0 || listen(fd, 64) < 0
	    || getsockname(fd, (struct sockaddr *)&at, &len) < 0)
		abort();
	*port_r = at.sin_port;
	return fd;
}

static void listen_locally(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", in_base("control"));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0
	    || listen(fd, 64) < 0)
		abort();
}

static void set_scene(void)
{
	static const char *const folders[] = { "home", "home/.ssh", "state",
		"state/own", "state/other", "mail", "mail/tmp", "mail/new",
		"other", "other/new", "spool" };
	static const char *const files[] = { "home/.ssh/id",
		"state/other/ledger", "mail/tmp/1", "mail/tmp/2", "mail/tmp/3",
		"spool/inbox", "spool/other" };
	char target[sizeof(name)];
	size_t i;

	if (mkdtemp(base) == NULL)
		abort();
	for (i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		plant(folders[i], true);
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		plant(files[i], false);
	snprintf(target, sizeof(target), "%s", in_base("home/.ssh/id"));
	if (symlink(target, in_base("mail/link")) < 0)
		abort();
	listen_locally();
	listen_somewhere(&port_ok);
	listen_somewhere(&port_other);
	parent = getpid();
	sleeper = fork();
	if (sleeper == 0)
		for (;;)
			pause();
}

static void clear_scene(void)
{
	char command[sizeof(base) + 16];

	kill(sleeper, SIGKILL);
	waitpid(sleeper, NULL, 0);
	snprintf(command, sizeof(command), "rm -rf %s", base);
	if (system(command) != 0)
		tap_note("%s is left", base);
}

static bool confine(enum confine_kind kind)
{
	struct confine_rules rules = { .kind = kind, .cpu_s = 60 };
	char own[sizeof(name)], mail[sizeof(name)], spool[sizeof(name)],
		inbox[sizeof(name)];
	struct err err = ERR_INIT;

	snprintf(own, sizeof(own), "%s", in_base("state/own"));
	snprintf(mail, sizeof(mail), "%s", in_base("mail"));
	snprintf(spool, sizeof(spool), "%s", in_base("spool"));
	snprintf(inbox, sizeof(inbox), "%s", in_base("spool/inbox"));
	confine_path(&rules, own, CONFINE_OWN);
	confine_path(&rules, mail, CONFINE_OWN);
	confine_path(&rules, spool, CONFINE_BESIDE);
	confine_path(&rules, inbox, CONFINE_CHANGE);
	confine_path(&rules, NULL, CONFINE_OWN);
	confine_path(&rules, "/nonexistent/postrider", CONFINE_OWN);
	confine_port(&rules, ntohs((uint16_t)port_ok));
	if (confine_now(&rules, &err))
		return true;
	tap_note("%s", err.text);
	return false;
}

/* In a child: true if it was done. A program that runs instead of it has done
 * it, too. */
static bool try(bool (*make)(void), int kind)
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (kind >= 0 && !confine((enum confine_kind)kind))
			_exit(2);
		_exit(make() ? 0 : 1);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status)
	    || WEXITSTATUS(status) == 2) {
		tap_ok(false, "the child ends as it should (%d)", status);
		return kind >= 0;
	}
	return WEXITSTATUS(status) == 0;
}

static bool deliver(void)
{
	char from[sizeof(name)];
	int fd;

	snprintf(from, sizeof(from), "%s", in_base("mail/tmp/1"));
	fd = open(in_base("mail/tmp/9"), O_RDWR | O_CREAT | O_EXCL, 0600);
	return fd >= 0 && write(fd, "x", 1) == 1 && fsync(fd) == 0
		&& ftruncate(fd, 0) == 0 && futimens(fd, NULL) == 0
		&& unlink(in_base("mail/tmp/9")) == 0
		&& rename(from, in_base("mail/new/1")) == 0
		&& rename(in_base("mail/new/1"), from) == 0;
}

static bool keep_state(void)
{
	return can_open(in_base("state/own/ledger"), O_RDWR | O_CREAT)
		&& can_open(in_base("state/own/ledger"), O_WRONLY | O_TRUNC);
}

static bool append(void)
{
	return can_open(in_base("spool/inbox"), O_RDWR | O_APPEND)
		&& can_open(in_base("spool/inbox.lock"),
			O_WRONLY | O_CREAT | O_EXCL)
		&& unlink(in_base("spool/inbox.lock")) == 0;
}

static bool connect_again(void)
{
	return call_port(port_ok);
}

/* Whether the holder of a lock lives. */
static bool ask_for_life(void)
{
	return kill(getpid(), 0) == 0
		&& kill(0x3fffffff, 0) < 0 && errno == ESRCH;
}

static bool signal_itself(void)
{
	return signal(SIGUSR1, SIG_IGN) != SIG_ERR && raise(SIGUSR1) == 0
		&& kill(getpid(), SIGUSR1) == 0;
}

static bool read_inbox_beside(void)
{
	return can_open(in_base("spool/other"), O_RDONLY);
}

static bool library_asks(void)
{
	return local_socket() && datagrams() && netlink();
}

static void test_allowed(void)
{
	tap_ok(try(deliver, CONFINE_TCP), "mail goes from tmp/ to new/");
	tap_ok(try(keep_state, CONFINE_TCP), "its state can be written");
	tap_ok(try(append, CONFINE_TCP), "its mbox, and a lock beside it");
	tap_ok(try(connect_again, CONFINE_TCP), "its port can be called again");
	tap_ok(try(ask_for_life, CONFINE_TCP), "it sees whether a process lives");
	tap_ok(try(signal_itself, CONFINE_TCP), "it may signal itself");
	tap_ok(try(local_socket, CONFINE_LOCAL),
		"a local socket where that is the way to the server");
	tap_ok(try(library_asks, CONFINE_LIBRARY),
		"libraries ask the services of the system");
}

static void test_refused(int kind, const char *who)
{
	unsigned int can = confine_can();
	size_t i;

	for (i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		const struct attempt *a = &attempts[i];
		bool before = try(a->make, -1);

		if ((can & a->part) == 0)
			tap_ok(true, "%s %s # SKIP this system cannot forbid it",
				who, a->what);
		else if (!before && a->make == trace)
			tap_ok(true, "%s %s # SKIP nobody may here",
				who, a->what);
		else
			tap_ok(before && !try(a->make, kind),
				"%s no longer %s", who, a->what);
	}
}

static void test_library(void)
{
	static bool (*const makes[])(void) = { run_program, start_process,
		trace, signal_parent, read_ssh, write_other_maildir };
	size_t i, done = 0;

	if ((confine_can() & CONFINE_NEEDED) != CONFINE_NEEDED)
		return;
	for (i = 0; i < sizeof(makes) / sizeof(makes[0]); i++)
		done += try(makes[i], CONFINE_LIBRARY);
	tap_ok(done == 0, "who uses libraries runs, traces, signals nobody");
	tap_ok(!try(read_inbox_beside, CONFINE_TCP),
		"mail beside its mbox cannot be read");
}

static void test_words(void)
{
	char text[200];

	tap_ok(strcmp(confine_text(text, sizeof(text), 0), "nothing") == 0,
		"nothing is called so");
	tap_ok(strcmp(confine_text(text, sizeof(text), CONFINE_PRIVS
		| CONFINE_FILES), "no_new_privs, files") == 0,
		"the parts are named");
	tap_note("this system: %s", confine_text(text, sizeof(text),
		confine_can()));
}

int main(void)
{
	set_scene();
	test_words();
	test_allowed();
	confine_prepare();
	test_allowed();
	test_refused(CONFINE_TCP, "a worker");
	test_library();
	clear_scene();
	return tap_done();
}
