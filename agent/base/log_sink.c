/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/base/log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "agent/base/arena.h"
#include "agent/base/clock.h"

/* How often a file is looked for under its name. */
#define FOLLOW_MS 1000

/* The one piece of state the whole process shares, beside that of log.c. */
static struct {
	enum log_sink kind;
	bool known;			/* `kind` is right for standard error */
	int fd;
	char *path;			/* of a file */
	dev_t dev;
	ino_t ino;
	uid_t owner;			/* who opened it first */
	clock_ms follow_at;
	int patience;
	bool stuck;			/* nobody reads: wait no more */
	bool torn;			/* a line has no end */
} sink = { .fd = STDERR_FILENO, .patience = -1 };

/* systemd says which file it gave us for standard error; a redirection to
 * another makes it untrue. */
static bool journal_reads(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char own[64];
	struct stat st;

	if (stream == NULL || fstat(fd, &st) < 0)
		return false;
	snprintf(own, sizeof(own), "%llu:%llu", (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino);
	return strcmp(stream, own) == 0;
}

enum log_sink log_sink_kind(void)
{
	if (!sink.known) {
		sink.kind = journal_reads(STDERR_FILENO) ? LOG_SINK_JOURNAL
			: LOG_SINK_STDERR;
		sink.known = true;
	}
	return sink.kind;
}

/* Remembers which file a descriptor is. */
static void take_file(int fd)
{
	struct stat st = { 0 };

	fstat(fd, &st);
	sink.dev = st.st_dev;
	sink.ino = st.st_ino;
	sink.fd = fd;
	sink.torn = false;
	sink.follow_at = clock_after(FOLLOW_MS);
}

static void leave_old(void)
{
	if (sink.known && sink.kind == LOG_SINK_FILE)
		close(sink.fd);
	if (sink.known && sink.kind == LOG_SINK_SYSLOG)
		closelog();
	free(sink.path);
	sink.path = NULL;
	sink.fd = STDERR_FILENO;
	sink.stuck = sink.torn = false;
}

static int open_file(const char *path, int create, struct err *err)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY
		| O_NONBLOCK | create, 0600);

	if (fd < 0) {
		err_sys(err, errno, "log: cannot open %s", path);
		err->class = ERR_CONFIG;
	}
	return fd;
}

bool log_sink_open(const char *target, struct err *err)
{
	int fd;

	if (strcmp(target, "syslog") == 0) {
		leave_old();
		openlog("postrider", LOG_PID, LOG_MAIL);
		sink.kind = LOG_SINK_SYSLOG;
		sink.known = true;
		return true;
	}
	if (strcmp(target, "stderr") == 0) {
		leave_old();
		sink.known = false;
		return true;
	}
	fd = open_file(target, O_CREAT, err);
	if (fd < 0)
		return false;
	leave_old();
	sink.kind = LOG_SINK_FILE;
	sink.known = true;
	sink.path = mem_grow(NULL, strlen(target) + 1, 1);
	memcpy(sink.path, target, strlen(target) + 1);
	sink.owner = geteuid();
	take_file(fd);
	return true;
}

bool log_sink_follow(bool now, struct err *err)
{
	struct stat st;
	int fd;

	if (log_sink_kind() != LOG_SINK_FILE
	    || (!now && clock_left(sink.follow_at) > 0))
		return true;
	sink.follow_at = clock_after(FOLLOW_MS);
	if (stat(sink.path, &st) == 0 && st.st_dev == sink.dev
	    && st.st_ino == sink.ino)
		return true;
	/* A process that has become another user would make a file that the
	 * others cannot write. */
	fd = open_file(sink.path, geteuid() == sink.owner ? O_CREAT : 0, err);
	if (fd < 0)
		return false;
	close(sink.fd);
	take_file(fd);
	return true;
}

/* Waits until something can be written, within our patience. */
static bool writable(clock_ms deadline)
{
	struct pollfd p = { .fd = sink.fd, .events = POLLOUT };
	int n, wait = -1;

	do {
		if (sink.patience >= 0)
			wait = sink.stuck ? 0 : clock_left(deadline);
		n = poll(&p, 1, wait);
	} while (n < 0 && errno == EINTR);
	sink.stuck = n == 0;
	/* One that fails says nothing, and the line may tell of it. */
	return n < 0 || (p.revents & POLLOUT) != 0;
}

/* Like write(2), for all that can be written. */
static size_t put(const char *s, size_t len)
{
	clock_ms deadline = clock_after(sink.patience);
	size_t done = 0;
	ssize_t n;

	while (done < len && writable(deadline)) {
		n = write(sink.fd, s + done, len - done);
		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno == EAGAIN
		    && (sink.patience < 0 || clock_left(deadline) > 0))
			clock_sleep(1);
		else if (n == 0 || errno != EINTR)
			break;
	}
	return done;
}

bool log_sink_put(const char *line, size_t len)
{
	size_t done;

	/* A torn line is ended first, so that it takes no other with it. */
	if (sink.torn && put("\n", 1) != 1)
		return false;
	done = put(line, len);
	sink.torn = done != 0 && done != len;
	return done == len;
}

void log_sink_patience(int ms)
{
	sink.patience = ms;
}
