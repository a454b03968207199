/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/spawn.h"
#include "agent/worker.h"

extern char **environ;

void proc_init(struct proc *proc, const struct account *account)
{
	memset(proc, 0, sizeof(*proc));
	proc->account = account;
	proc->chan = proc->mda_output = -1;
}

bool proc_start(struct proc *proc, const struct session_options *session,
	const struct pass_options *options, const int *foreign, struct err *err)
{
	struct worker_start start = { *session, *options, -1, -1, foreign };
	int fds[2];

	if (!chan_pair(fds, err))
		return false;
	start.session.account = proc->account;
	start.parent_chan = fds[0];
	start.chan = fds[1];
	proc->pid = spawn_worker(worker_main, &start, err);
	close(fds[1]);
	if (proc->pid < 0) {
		close(fds[0]);
		proc->pid = 0;
		return false;
	}
	proc->chan = fds[0];
	proc->state = PROC_RUNNING;
	proc->reported = false;
	proc->started = clock_now();
	memset(&proc->report, 0, sizeof(proc->report));
	memset(&proc->progress, 0, sizeof(proc->progress));
	return true;
}

static void close_channel(struct proc *proc)
{
	if (proc->chan >= 0)
		close(proc->chan);
	proc->chan = -1;
}

/* Everything an MDA gets to know; nothing of it comes from a message. */
static const char *const inherited[] = { "PATH=", "HOME=", "USER=", "LOGNAME=",
	"SHELL=", "TZ=", "LANG=", "LC_ALL=", "TMPDIR=" };
#define INHERITED (sizeof(inherited) / sizeof(inherited[0]))

struct mda_env {
	char delivery[80], attempt[40], account[100];
	const char *list[INHERITED + 4];
};

static void fill_env(struct mda_env *env, const struct proc *proc,
	const struct chan_spawn *spawn)
{
	size_t i, n = 0;
	char **var;

	snprintf(env->delivery, sizeof(env->delivery),
		"POSTRIDER_DELIVERY_ID=%s-%" PRIu64, spawn->epoch, spawn->id);
	snprintf(env->attempt, sizeof(env->attempt), "POSTRIDER_ATTEMPT=%u",
		spawn->attempt);
	snprintf(env->account, sizeof(env->account), "POSTRIDER_ACCOUNT=%s",
		proc->account->name);
	env->list[n++] = env->delivery;
	env->list[n++] = env->attempt;
	env->list[n++] = env->account;
	for (i = 0; i < INHERITED; i++)
		for (var = environ; *var != NULL; var++)
			if (strncmp(*var, inherited[i],
				strlen(inherited[i])) == 0) {
				env->list[n++] = *var;
				break;
			}
	env->list[n] = NULL;
}

static bool start_mda(struct proc *proc, const struct chan_spawn *spawn,
	int fd, struct err *err)
{
	struct mda_env env;
	struct spawn_program prog = { proc->account->deliver.argv, env.list,
		fd, -1, -1 };
	int fds[2];
	pid_t pid;

	if (proc->account->deliver.kind != DELIVER_PIPE || fd < 0
	    || proc->mda != 0)
		return err_set(err, ERR_PROTO, "a worker asked for a program "
			"it may not have");
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(err, errno, "cannot start %s", prog.argv[0]);
	/* The program's own end must block. */
	if (fcntl(fds[1], F_SETFL, 0) < 0)
		log_warn("cannot change a pipe: %s", strerror(errno));
	fill_env(&env, proc, spawn);
	prog.out = prog.err = fds[1];
	pid = spawn_program(&prog, err);
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return false;
	}
	proc->mda = pid;
	proc->mda_output = fds[0];
	proc->mda_deadline = clock_after(LIMIT_MDA_MS);
	proc->mda_terminated = false;
	proc->mda_len = 0;
	return true;
}

static void answer(struct proc *proc, bool started, int status,
	const char *text, size_t len)
{
	struct chan_packet packet;
	struct err err = ERR_INIT;

	if (proc->chan < 0)
		return;
	memset(&packet, 0, sizeof(packet));
	packet.type = CHAN_EXITED;
	packet.exited.started = started;
	packet.exited.status = status;
	while (len != 0 && (text[len - 1] == '\n' || text[len - 1] == ' '))
		len--;
	log_escape(packet.exited.output, sizeof(packet.exited.output), text,
		len);
	if (!chan_send(proc->chan, &packet, -1, &err))
		log_err(LOG_LEVEL_DEBUG, &err);
}

static void take_packet(struct proc *proc, const struct chan_packet *packet,
	int fd)
{
	struct err err = ERR_INIT;

	switch ((enum chan_type)packet->type) {
	case CHAN_PROGRESS:
		proc->progress = packet->progress;
		break;
	case CHAN_REPORT:
		proc->report = packet->report;
		proc->reported = true;
		break;
	case CHAN_SPAWN:
		if (!start_mda(proc, &packet->spawn, fd, &err))
			answer(proc, false, 0, err.text, strlen(err.text));
		break;
	case CHAN_EXITED:
	case CHAN_STOP:
		log_warn("%s: a worker sent packet %u, which only the parent "
			"sends", proc->account->name, packet->type);
		break;
	}
}

void proc_read_channel(struct proc *proc)
{
	struct chan_packet packet;
	struct err err = ERR_INIT;
	int fd = -1;

	if (!chan_recv(proc->chan, &packet, &fd, &err)) {
		if (err.class != ERR_STOP)
			log_warn("%s: %s", proc->account->name, err.text);
		close_channel(proc);
		return;
	}
	take_packet(proc, &packet, fd);
	if (fd >= 0)
		close(fd);
}

/* Keeps the last bytes: errors come at the end. */
static void keep_output(struct proc *proc, const char *data, size_t len)
{
	size_t room = sizeof(proc->mda_text), drop;

	if (len > room) {
		data += len - room;
		len = room;
	}
	if (proc->mda_len + len > room) {
		drop = proc->mda_len + len - room;
		memmove(proc->mda_text, proc->mda_text + drop,
			proc->mda_len - drop);
		proc->mda_len -= drop;
	}
	memcpy(proc->mda_text + proc->mda_len, data, len);
	proc->mda_len += len;
}

void proc_read_output(struct proc *proc)
{
	char buf[4096];
	ssize_t n = read(proc->mda_output, buf, sizeof(buf));

	if (n > 0)
		keep_output(proc, buf, (size_t)n);
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	close(proc->mda_output);
	proc->mda_output = -1;
}

static void mda_ended(struct proc *proc, int status)
{
	int before = -1;

	/* What it wrote before it ended; a child it left behind may keep the
	 * pipe open for ever. */
	while (proc->mda_output >= 0 && before != (int)proc->mda_len) {
		before = (int)proc->mda_len;
		proc_read_output(proc);
	}
	if (proc->mda_output >= 0)
		close(proc->mda_output);
	proc->mda_output = -1;
	proc->mda = 0;
	/* Its deadline counts as a failure, however it took the signal. */
	if (proc->mda_terminated && status == 0)
		status = SIGTERM;
	answer(proc, true, status, proc->mda_text, proc->mda_len);
}

static void no_report(struct proc *proc, int status)
{
	char words[80];

	proc->report.class = ERR_RETRY;
	snprintf(proc->report.text, sizeof(proc->report.text),
		"the worker process %s before it could report; the next pass "
		"picks up from there",
		spawn_status(words, sizeof(words), status));
}

static void worker_ended(struct proc *proc, int status)
{
	/* Its last packets may still wait to be read. */
	while (proc->chan >= 0)
		proc_read_channel(proc);
	if (!proc->reported)
		no_report(proc, status);
	if (proc->mda != 0)
		spawn_kill(proc->mda, SIGTERM);
	proc->pid = 0;
	proc->state = PROC_DONE;
}

bool proc_reaped(struct proc *proc, pid_t pid, int status)
{
	if (proc->mda == pid)
		mda_ended(proc, status);
	else if (proc->pid == pid)
		worker_ended(proc, status);
	else
		return false;
	return true;
}

void proc_tick(struct proc *proc)
{
	if (proc->mda == 0 || clock_left(proc->mda_deadline) > 0)
		return;
	log_warn("%s: %s has run for too long and is ended",
		proc->account->name, proc->account->deliver.argv[0]);
	spawn_kill(proc->mda, proc->mda_terminated ? SIGKILL : SIGTERM);
	proc->mda_terminated = true;
	proc->mda_deadline = clock_after(LIMIT_MDA_TERM_MS);
}

clock_ms proc_next(const struct proc *proc, clock_ms otherwise)
{
	return proc->mda != 0 ? clock_min(proc->mda_deadline, otherwise)
		: otherwise;
}

void proc_stop(struct proc *proc)
{
	struct chan_packet packet;
	struct err err = ERR_INIT;

	if (proc->chan < 0)
		return;
	memset(&packet, 0, sizeof(packet));
	packet.type = CHAN_STOP;
	if (!chan_send(proc->chan, &packet, -1, &err))
		log_err(LOG_LEVEL_DEBUG, &err);
}
