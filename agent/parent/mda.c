/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/parent/mda.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/spawn.h"

extern char **environ;

static const char *const inherited[] = { "PATH=", "HOME=", "USER=", "LOGNAME=",
	"SHELL=", "TZ=", "LANG=", "LC_ALL=", "TMPDIR=" };
#define PIECE (16 * 1024)
#define INHERITED (sizeof(inherited) / sizeof(inherited[0]))
#define ENVIRONMENT (INHERITED + MDA_VARIABLES + 1)

void mda_init(struct mda *mda)
{
	mda->pid = 0;
	mda->output = -1;
	mda->terminated = false;
	mda->len = 0;
	mda->flood = 0;
	mda->rest = 0;
}

static void fill_env(const char **list, const char *const *variables)
{
	size_t i, n = 0;
	char **var;

	for (; *variables != NULL && n < MDA_VARIABLES; variables++)
		list[n++] = *variables;
	for (i = 0; i < INHERITED; i++)
		for (var = environ; *var != NULL; var++)
			if (strncmp(*var, inherited[i],
				strlen(inherited[i])) == 0) {
				list[n++] = *var;
				break;
			}
	list[n] = NULL;
}

bool mda_start(struct mda *mda, const char *const *argv, int in,
	const char *const *variables, struct err *err)
{
	const char *env[ENVIRONMENT];
	struct spawn_program prog = { argv, env, in, -1, -1, true, false };
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(err, errno, "cannot start %s", argv[0]);
	/* The program's own end must block. */
	if (fcntl(fds[1], F_SETFL, 0) < 0)
		log_warn("cannot change a pipe: %s", strerror(errno));
	fill_env(env, variables);
	prog.out = prog.err = fds[1];
	pid = spawn_program(&prog, err);
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return false;
	}
	mda_init(mda);
	mda->pid = pid;
	mda->output = fds[0];
	mda->deadline = clock_after(LIMIT_MDA_MS);
	return true;
}

/* Keeps the last bytes: errors come at the end. */
static void keep(struct mda *mda, const char *data, size_t len)
{
	size_t room = sizeof(mda->text), drop;

	if (len > room) {
		data += len - room;
		len = room;
	}
	if (mda->len + len > room) {
		drop = mda->len + len - room;
		memmove(mda->text, mda->text + drop, mda->len - drop);
		mda->len -= drop;
	}
	memcpy(mda->text + mda->len, data, len);
	mda->len += len;
}

static void close_output(struct mda *mda)
{
	if (mda->output >= 0)
		close(mda->output);
	mda->output = -1;
}

/* False when there is nothing more to read now. */
static bool read_some(struct mda *mda)
{
	char buf[PIECE];
	ssize_t n = read(mda->output, buf, sizeof(buf));

	if (n > 0) {
		keep(mda, buf, (size_t)n);
		mda->flood += (size_t)n;
	}
	if (n > 0 || (n < 0 && errno == EINTR))
		return true;
	if (n == 0 || errno != EAGAIN)
		close_output(mda);
	return false;
}

bool mda_speaks(const struct mda *mda)
{
	return mda->output >= 0 && clock_left(mda->rest) == 0;
}

void mda_read(struct mda *mda)
{
	(void)read_some(mda);
	if (mda->flood < LIMIT_MDA_FLOOD)
		return;
	mda->flood = 0;
	mda->rest = clock_after(LIMIT_MDA_REST_MS);
}

clock_ms mda_next(const struct mda *mda, clock_ms otherwise)
{
	if (mda->pid != 0)
		otherwise = clock_min(mda->deadline, otherwise);
	return mda->output >= 0 && clock_left(mda->rest) != 0
		? clock_min(mda->rest, otherwise) : otherwise;
}

void mda_end(struct mda *mda)
{
	spawn_kill(mda->pid, mda->terminated ? SIGKILL : SIGTERM);
	mda->terminated = true;
	mda->deadline = clock_after(LIMIT_MDA_TERM_MS);
}

bool mda_is_late(const struct mda *mda)
{
	return mda->pid != 0 && clock_left(mda->deadline) == 0;
}

int mda_reaped(struct mda *mda, int status)
{
	int pieces = 0;

	/* What it wrote before it ended: a pipe holds 4 pieces. A child it
	 * left behind may keep the pipe open, and write, for ever. */
	while (mda->output >= 0 && pieces++ < 4 && read_some(mda))
		;
	close_output(mda);
	mda->pid = 0;
	return mda->terminated && status == 0 ? SIGTERM : status;
}
