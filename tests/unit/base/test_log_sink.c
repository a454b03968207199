/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "tests/unit/scratch.h"

/* Where lines go, and what becomes of them where they cannot. */

static struct err err = ERR_INIT;
static int own_stderr;

static void open_log(const char *target)
{
	scratch_need(log_open(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, target, &err),
		"cannot open the log");
}

static void put_stderr(int fd)
{
	scratch_need(dup2(fd, STDERR_FILENO) == STDERR_FILENO, "no dup2");
}

/* Does a file hold so many lines, the last of which ends so? */
static bool ends(const char *name, size_t lines, const char *end)
{
	size_t len = 0, n = 0, i;
	char *text = scratch_read(name, &len);
	bool ok;

	for (i = 0; i < len; i++)
		n += text[i] == '\n';
	ok = text != NULL && n == lines && len >= strlen(end)
		&& strcmp(text + len - strlen(end), end) == 0;
	if (!ok)
		tap_note("%s: \"%s\"", name, text != NULL ? text : "none");
	free(text);
	return ok;
}

/* Where the last line begins. */
static const char *last_line(const char *name)
{
	static char line[256];
	size_t len = 0, at;
	char *text = scratch_read(name, &len);

	for (at = len - 1; at > 0 && text[at - 1] != '\n'; at--)
		;
	snprintf(line, sizeof(line), "%s", text + at);
	free(text);
	return line;
}

static void move(const char *from, const char *to)
{
	scratch_need(rename(scratch_path(from), scratch_path(to)) == 0,
		"cannot rename");
}

static void test_reopen(void)
{
	char *path = strdup(scratch_path("log"));
	struct stat st;

	open_log(path);
	/* The configuration it came from may be gone. */
	memset(path, 'x', strlen(path));
	free(path);
	log_info("one");
	move("log", "log.1");
	log_reopen();
	log_info("two");
	tap_ok(ends("log.1", 1, " postrider: one\n")
		&& ends("log", 1, " postrider: two\n"), "asked to follow");
	tap_ok(stat(scratch_path("log"), &st) == 0
		&& (st.st_mode & 07777) == 0600, "the new file is ours alone");
	log_reopen();
	log_info("three");
	tap_ok(ends("log", 2, " postrider: three\n"), "the same one goes on");
	unlink(scratch_path("log"));
	clock_sleep(1100);
	log_info("four");
	tap_ok(ends("log", 1, " postrider: four\n"), "removed: noticed in a second");
	move("log", "log.2");
	scratch_write("log", "", 0);
	clock_sleep(1100);
	log_info("five");
	tap_ok(ends("log.2", 1, ": four\n") && ends("log", 1, ": five\n"),
		"another in its place: too");
	open_log("stderr");
	unlink(scratch_path("log"));
}

/* One line each from this process and from a child that began before. */
static void test_child(void)
{
	int go[2], status;
	char byte = 0;
	pid_t pid = -1;

	open_log(scratch_path("log"));
	scratch_need(pipe(go) == 0 && (pid = fork()) >= 0, "cannot fork");
	if (pid == 0) {
		close(go[1]);
		if (read(go[0], &byte, 1) < 0)
			_exit(1);
		log_info("child");
		_exit(0);
	}
	close(go[0]);
	move("log", "log.3");
	clock_sleep(1100);
	log_info("parent");
	close(go[1]);
	waitpid(pid, &status, 0);
	tap_ok(ends("log", 2, " postrider: child\n") && ends("log.3", 0, ""),
		"a child follows as well");
	open_log("stderr");
	unlink(scratch_path("log"));
}

static void test_stays(void)
{
	scratch_need(mkdir(scratch_path("sub"), 0700) == 0, "no folder");
	open_log(scratch_path("sub/log"));
	move("sub", "gone");
	log_reopen();
	log_info("one");
	tap_ok(ends("gone/log", 2, " postrider: one\n"),
		"no new file can be made: the old one will do, and says so");
	tap_ok(!log_open(LOG_LEVEL_ERROR, LOG_FORMAT_JSON,
		scratch_path("sub/other"), &err) && err.class == ERR_CONFIG,
		"a bad target: %s", err.text);
	log_info("two");
	tap_ok(ends("gone/log", 3, " postrider: two\n"), "changes nothing");
	scratch_need(mkfifo(scratch_path("fifo"), 0600) == 0, "no fifo");
	tap_ok(!log_open(LOG_LEVEL_ERROR, LOG_FORMAT_JSON,
		scratch_path("fifo"), &err), "nor does a pipe nobody reads");
	log_info("three");
	tap_ok(ends("gone/log", 4, " postrider: three\n"), "and nothing hangs");
	open_log("stderr");
}

/* The disk takes `room` bytes, and later more. */
static void test_full_disk(const char *name, rlim_t room)
{
	struct rlimit old, less;

	open_log(scratch_path("log"));
	getrlimit(RLIMIT_FSIZE, &old);
	less = old;
	less.rlim_cur = room;
	setrlimit(RLIMIT_FSIZE, &less);
	errno = ENOENT;
	log_info("lost");
	log_info("lost too");
	tap_ok(errno == ENOENT, "%s: the program goes on", name);
	setrlimit(RLIMIT_FSIZE, &old);
	log_info("found");
	tap_ok(ends("log", room == 0 ? 2 : 3, " postrider: found\n"),
		"later lines stand on their own");
	open_log("stderr");
	unlink(scratch_path("log"));
}

/* More than a pipe holds, into one that does not block us. */
#define LINES 3000

static int open_pipe(int *end_r)
{
	int ends_of[2];

	scratch_need(pipe2(ends_of, O_CLOEXEC) == 0, "no pipe");
	fcntl(ends_of[1], F_SETFL, O_NONBLOCK);
	put_stderr(ends_of[1]);
	close(ends_of[1]);
	*end_r = ends_of[0];
	return ends_of[0];
}

static void write_lines(void)
{
	int i;

	open_log("stderr");
	for (i = 0; i < LINES; i++)
		log_info("line %06d of many, and a few more words", i);
}

/* Counts lines until the end; each must be whole. */
static size_t count_lines(int fd, bool *whole_r)
{
	FILE *in = fdopen(fd, "r");
	char *line = NULL;
	size_t cap = 0, n = 0;

	*whole_r = true;
	while (getline(&line, &cap, in) > 0) {
		n++;
		*whole_r = *whole_r && strncmp(line, "postrider: ", 11) == 0
			&& line[strlen(line) - 1] == '\n';
	}
	free(line);
	fclose(in);
	return n;
}

static void test_patient(void)
{
	bool whole;
	int fd, status;
	pid_t pid;
	size_t n;

	open_pipe(&fd);
	pid = fork();
	if (pid == 0) {
		write_lines();
		_exit(0);
	}
	put_stderr(own_stderr);
	n = count_lines(fd, &whole);
	waitpid(pid, &status, 0);
	tap_ok(n == LINES && whole && status == 0,
		"a slow reader gets every line, whole: %zu", n);
}

static void test_impatient(void)
{
	char text[65536];
	ssize_t len = 0;
	bool whole;
	size_t n;
	int fd;

	open_pipe(&fd);
	log_patience(10);
	write_lines();
	tap_ok(true, "nobody reads, and nothing hangs");
	scratch_need((len = read(fd, text, sizeof(text))) > 0, "no lines");
	log_info("here again");
	put_stderr(own_stderr);
	n = count_lines(fd, &whole);
	tap_ok(n == 2 && whole, "who reads again is told: %zu", n);
	log_patience(-1);
}

static void test_reader_gone(void)
{
	int fd;

	open_pipe(&fd);
	close(fd);
	log_info("to nobody");
	put_stderr(own_stderr);
	open_log(scratch_path("log"));
	log_info("to somebody");
	tap_ok(ends("log", 2, " postrider: to somebody\n"),
		"the reader is gone, and the program is not");
	open_log("stderr");
}

/* Standard error into a file, which systemd says is the journal's. */
static void test_journal(bool really)
{
	char stream[64];
	struct stat st;
	int fd = open(scratch_path("journal"), O_RDWR | O_CREAT | O_TRUNC
		| O_CLOEXEC, 0600);

	scratch_need(fd >= 0 && fstat(fd, &st) == 0, "no file");
	snprintf(stream, sizeof(stream), "%llu:%llu",
		(unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino + !really);
	setenv("JOURNAL_STREAM", stream, 1);
	put_stderr(fd);
	open_log("stderr");
	log_account("jane");
	log_error("a\n<0>b");
	tap_ok(ends("journal", 1, really ? "<3>jane: a\\x0a<0>b\n"
		: "postrider: jane: a\\x0a<0>b\n"), "an error");
	log_warn("c");
	tap_ok(ends("journal", 2, really ? "\n<4>jane: warning: c\n"
		: "\npostrider: jane: warning: c\n"), "a warning");
	log_account(NULL);
	log_info("d");
	tap_ok(ends("journal", 3, really ? "\n<6>d\n" : "\npostrider: d\n"),
		"a word");
	scratch_need(log_open(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON, "stderr",
		&err), "no log");
	log_debug("e");
	tap_ok(ends("journal", 4, ",\"message\":\"e\"}\n")
		&& strncmp(last_line("journal"), really ? "<7>{" : "{\"", 2)
			== 0, "in JSON");
	put_stderr(own_stderr);
	close(fd);
	unsetenv("JOURNAL_STREAM");
	open_log("stderr");
}

int main(void)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL);
	own_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	scratch_make("log_sink");
	test_reopen();
	test_child();
	test_stays();
	test_full_disk("a full disk", 0);
	test_full_disk("a disk that fills up within a line", 20);
	test_patient();
	test_impatient();
	test_reader_gone();
	test_journal(true);
	test_journal(false);
	scratch_end();
	return tap_done();
}
