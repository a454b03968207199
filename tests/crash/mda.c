/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/*
 * A program that delivers, for the crash tests: each run makes one whole,
 * durable file FOLDER/ID:ATTEMPT:PID of what it reads, or none.
 *
 *	mda FOLDER [refuse N]
 *
 * With `refuse` the first N runs of each message are refused with status 75,
 * after all of the message was read.
 */

static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && strchr(value, '/') == NULL ? value : "none";
}

static int fail(const char *what)
{
	fprintf(stderr, "mda: %s: %s\n", what, strerror(errno));
	return EX_TEMPFAIL;
}

static int copy(int out)
{
	char buf[65536], *p;
	ssize_t n, done;

	while ((n = read(STDIN_FILENO, buf, sizeof(buf))) > 0)
		for (p = buf; n > 0; p += done, n -= done) {
			done = write(out, p, (size_t)n);
			if (done < 0)
				return -1;
		}
	return n < 0 ? -1 : fdatasync(out);
}

static int sync_folder(const char *folder)
{
	int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = dir < 0 ? -1 : fsync(dir);

	if (dir >= 0)
		close(dir);
	return result;
}

int main(int argc, char **argv)
{
	char tmp[PATH_MAX], name[PATH_MAX];
	int fd;

	if (argc != 2 && argc != 4)
		return EX_USAGE;
	snprintf(tmp, sizeof(tmp), "%s/.%ld", argv[1], (long)getpid());
	snprintf(name, sizeof(name), "%s/%s:%s:%ld", argv[1],
		variable("POSTRIDER_DELIVERY_ID"),
		variable("POSTRIDER_ATTEMPT"), (long)getpid());
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(tmp);
	if (copy(fd) < 0)
		return fail(tmp);
	close(fd);
	if (argc == 4 && atoi(variable("POSTRIDER_ATTEMPT")) <= atoi(argv[3])) {
		unlink(tmp);
		printf("come again\n");
		return EX_TEMPFAIL;
	}
	if (rename(tmp, name) < 0)
		return fail(name);
	if (sync_folder(argv[1]) == 0)
		return 0;
	/* What is refused must not be there. */
	unlink(name);
	return fail(argv[1]);
}
