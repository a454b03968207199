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

/* A worker waits for its server no longer than a session may last. */
static void heard(struct proc *proc)
{
	proc->deadline = clock_after((int64_t)proc->account->timeouts.session
		* 1000 + LIMIT_WORKER_GRACE_MS);
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
	heard(proc);
	memset(&proc->report, 0, sizeof(proc->report));
	memset(&proc->progress, 0, sizeof(proc->progress));
	return true;
}

static void close_channel(struct proc *proc)
{
	if (proc->chan >= 0)
		close(proc->chan);
	proc->chan = -1;
	/* There is nothing left that it could do for us. */
	proc->deadline = clock_min(proc->deadline,
		clock_after(LIMIT_WORKER_EXIT_MS));
}

/* It does not keep to the protocol: it has talked to a server, and may not be
 * our program any more. */
static void disown(struct proc *proc, const char *why)
{
	log_warn("%s: %s; ending the worker", proc->account->name, why);
	if (proc->pid != 0)
		kill(proc->pid, SIGKILL);
	close_channel(proc);
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
		fd, -1, -1, true, false };
	int fds[2];
	pid_t pid;

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
	/* Without the answer it would wait for ever. */
	if (!chan_send(proc->chan, &packet, -1, CHAN_DONT_WAIT, &err))
		disown(proc, err.text);
}

static void take_spawn(struct proc *proc, const struct chan_spawn *spawn,
	int fd)
{
	struct err err = ERR_INIT;

	if (proc->account->deliver.kind != DELIVER_PIPE || fd < 0
	    || proc->mda != 0)
		disown(proc, "it asked for a program it may not have");
	else if (!start_mda(proc, spawn, fd, &err))
		answer(proc, false, 0, err.text, strlen(err.text));
}

static void take_packet(struct proc *proc, const struct chan_packet *packet,
	int fd)
{
	heard(proc);
	switch ((enum chan_type)packet->type) {
	case CHAN_PROGRESS:
		proc->progress = packet->progress;
		break;
	case CHAN_REPORT:
		proc->report = packet->report;
		proc->reported = true;
		break;
	case CHAN_SPAWN:
		take_spawn(proc, &packet->spawn, fd);
		break;
	case CHAN_EXITED:
	case CHAN_STOP:
		disown(proc, "it sent a packet that only the parent sends");
		break;
	}
}

void proc_read_channel(struct proc *proc)
{
	struct chan_packet packet;
	struct err err = ERR_INIT;
	int fd = -1;

	if (!chan_recv(proc->chan, &packet, &fd, CHAN_DONT_WAIT, &err)) {
		if (err.class == ERR_STOP)
			close_channel(proc);
		else if (err.class == ERR_PROTO)
			disown(proc, err.text);
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

/* False when there is nothing more to read now. */
static bool read_some(struct proc *proc)
{
	char buf[4096];
	ssize_t n = read(proc->mda_output, buf, sizeof(buf));

	if (n > 0)
		keep_output(proc, buf, (size_t)n);
	if (n > 0 || (n < 0 && errno == EINTR))
		return true;
	if (n < 0 && errno == EAGAIN)
		return false;
	close(proc->mda_output);
	proc->mda_output = -1;
	return false;
}

void proc_read_output(struct proc *proc)
{
	(void)read_some(proc);
}

static void mda_ended(struct proc *proc, int status)
{
	int pieces = 0;

	/* What it wrote before it ended: a pipe holds 16 pieces. A child it
	 * left behind may keep the pipe open, and write, for ever. */
	while (proc->mda_output >= 0 && pieces++ < 16 && read_some(proc))
		;
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
	proc->report.code = ERR_CODE_DIED;
	snprintf(proc->report.text, sizeof(proc->report.text),
		"the worker process %s before it could report; the next pass picks up from there",
		spawn_status(words, sizeof(words), status));
}

/* Its report may still wait to be read; a request does not count any more. */
static void take_last_packets(struct proc *proc)
{
	struct chan_packet packet;
	struct err err = ERR_INIT;
	int left = 64;

	while (proc->chan >= 0 && left-- > 0 && chan_recv(proc->chan, &packet,
		NULL, CHAN_DONT_WAIT, &err))
		if (packet.type == CHAN_REPORT
		    || packet.type == CHAN_PROGRESS)
			take_packet(proc, &packet, -1);
}

static void end_mda(struct proc *proc)
{
	spawn_kill(proc->mda, proc->mda_terminated ? SIGKILL : SIGTERM);
	proc->mda_terminated = true;
	proc->mda_deadline = clock_after(LIMIT_MDA_TERM_MS);
}

static void worker_ended(struct proc *proc, int status)
{
	take_last_packets(proc);
	close_channel(proc);
	if (!proc->reported)
		no_report(proc, status);
	proc->pid = 0;
	/* Nobody waits for its answer any more. */
	if (proc->mda != 0)
		end_mda(proc);
}

bool proc_reaped(struct proc *proc, pid_t pid, int status)
{
	if (proc->mda != 0 && proc->mda == pid)
		mda_ended(proc, status);
	else if (proc->pid != 0 && proc->pid == pid)
		worker_ended(proc, status);
	else
		return false;
	if (proc->mda == 0 && proc->pid == 0)
		proc->state = PROC_DONE;
	return true;
}

void proc_tick(struct proc *proc)
{
	if (proc->mda != 0 && clock_left(proc->mda_deadline) == 0) {
		log_warn("%s: %s has run for too long and is ended",
			proc->account->name, proc->account->deliver.argv[0]);
		end_mda(proc);
	}
	if (proc->mda == 0 && proc->pid != 0
	    && clock_left(proc->deadline) == 0) {
		disown(proc, "nothing was heard of it for too long");
		heard(proc);
	}
}

clock_ms proc_next(const struct proc *proc, clock_ms otherwise)
{
	if (proc->mda != 0)
		return clock_min(proc->mda_deadline, otherwise);
	return proc->pid != 0 ? clock_min(proc->deadline, otherwise)
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
	if (!chan_send(proc->chan, &packet, -1, CHAN_DONT_WAIT, &err))
		log_err(LOG_LEVEL_DEBUG, &err);
}
