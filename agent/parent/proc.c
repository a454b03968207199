/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/parent/proc.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/spawn.h"
#include "agent/parent/mda_argv.h"
#include "agent/parent/worker.h"
#include "delivery/sender.h"

void proc_init(struct proc *proc, const struct account *account)
{
	memset(proc, 0, sizeof(*proc));
	proc->account = account;
	proc->chan = -1;
	mda_init(&proc->mda);
}

/* A worker keeps its own deadlines; this is for one that cannot, because the
 * system does not come back to it. Up to the login it waits for a password,
 * twice if it is a token, and for what its timeouts say, later no longer than
 * a session may last. */
static void heard(struct proc *proc)
{
	const struct account_timeouts *t = &proc->account->timeouts;
	uint64_t seconds = t->session;

	if (proc->progress.phase == PHASE_CONNECT)
		seconds = 2 * (LIMIT_SECRET_PERSON_MS / 1000 + t->connect
			+ t->tls + t->greeting + 4 * (t->command + t->login));
	proc->deadline = clock_after((int64_t)seconds * 1000
		+ LIMIT_WORKER_GRACE_MS);
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
	session_lend(&start.session, true);
	proc->pid = spawn_worker(worker_main, &start, err);
	session_forget(&start.session);
	close(fds[1]);
	if (proc->pid < 0) {
		close(fds[0]);
		proc->pid = 0;
		return false;
	}
	proc->chan = fds[0];
	proc->state = PROC_RUNNING;
	proc->reported = proc->stopped = false;
	proc->started = clock_now();
	memset(&proc->report, 0, sizeof(proc->report));
	memset(&proc->progress, 0, sizeof(proc->progress));
	heard(proc);
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

static bool start_mda(struct proc *proc, const struct chan_spawn *spawn,
	int fd, struct err *err)
{
	const char *name = proc->account->name;
	const char *const values[TEMPLATE_WORDS] = {
		[TEMPLATE_SENDER] = spawn->sender[0] != '\0' ? spawn->sender
			: SENDER_UNKNOWN,
		[TEMPLATE_ACCOUNT] = name,
	};
	bool known = strcmp(spawn->sender, SENDER_UNKNOWN) != 0;
	char delivery[80], attempt[40], account[100];
	char sender[LIMIT_SENDER + sizeof("SENDER=")];
	const char *const variables[] = { delivery, attempt, account,
		known ? sender : NULL, NULL };
	const char *const *argv;
	struct mda_argv filled;

	snprintf(delivery, sizeof(delivery),
		"POSTRIDER_DELIVERY_ID=%s-%" PRIu64, spawn->epoch, spawn->id);
	snprintf(attempt, sizeof(attempt), "POSTRIDER_ATTEMPT=%u",
		spawn->attempt);
	snprintf(account, sizeof(account), "POSTRIDER_ACCOUNT=%s", name);
	snprintf(sender, sizeof(sender), "SENDER=%s", spawn->sender);
	argv = mda_argv_fill(&filled, proc->account->deliver.argv, values);
	if (argv == NULL)
		return err_set(err, ERR_CONFIG,
			"the arguments of %s are too long",
			proc->account->deliver.argv[0]);
	return mda_start(&proc->mda, argv, fd, variables, err);
}

/* What a program said, without the ends of its last line. */
static void quote_output(char *out, size_t cap, const char *text, size_t len)
{
	while (len != 0 && (text[len - 1] == '\n' || text[len - 1] == ' '))
		len--;
	log_escape(out, cap, text, len);
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
	quote_output(packet.exited.output, sizeof(packet.exited.output), text,
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
	    || proc->mda.pid != 0)
		disown(proc, "it asked for a program it may not have");
	else if (!sender_valid(spawn->sender))
		disown(proc, "it named a sender that is none");
	else if (!start_mda(proc, spawn, fd, &err))
		answer(proc, false, (int)err.class, err.text, strlen(err.text));
}

static void take_packet(struct proc *proc, const struct chan_packet *packet,
	int fd)
{
	if (packet->type == CHAN_PROGRESS)
		proc->progress = packet->progress;
	heard(proc);
	switch ((enum chan_type)packet->type) {
	case CHAN_PROGRESS:
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

static void mda_ended(struct proc *proc, int status)
{
	char words[80], output[LIMIT_MDA_OUTPUT];
	bool hook = proc->hook != HOOK_MAIL;	/* one was started */

	status = mda_reaped(&proc->mda, status);
	answer(proc, true, status, proc->mda.text, proc->mda.len);
	if (!hook || status == 0)
		return;
	quote_output(output, sizeof(output), proc->mda.text, proc->mda.len);
	log_warn("%s: a hook %s%s%s", proc->account->name,
		spawn_status(words, sizeof(words), status),
		output[0] != '\0' ? ": " : "", output);
}

static void no_report(struct proc *proc, int status)
{
	char words[80];

	/* Whoever ends us ends all processes of our group, or of the system,
	 * at once: no failure of the account. */
	if (proc->stopped && WIFSIGNALED(status)
	    && WTERMSIG(status) == SIGTERM) {
		proc->report.class = ERR_STOP;
		snprintf(proc->report.text, sizeof(proc->report.text),
			"stopped");
		return;
	}
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

static void worker_ended(struct proc *proc, int status)
{
	take_last_packets(proc);
	close_channel(proc);
	if (!proc->reported)
		no_report(proc, status);
	proc->pid = 0;
	/* Nobody waits for its answer any more. */
	if (proc->mda.pid != 0)
		mda_end(&proc->mda);
}

bool proc_reaped(struct proc *proc, pid_t pid, int status)
{
	if (proc->mda.pid != 0 && proc->mda.pid == pid)
		mda_ended(proc, status);
	else if (proc->pid != 0 && proc->pid == pid)
		worker_ended(proc, status);
	else
		return false;
	if (proc->mda.pid == 0 && proc->pid == 0 && (proc->stopped
		|| !hook_start(&proc->mda, &proc->hook, proc->account,
			&proc->report)))
		proc->state = PROC_DONE;
	return true;
}

void proc_tick(struct proc *proc)
{
	if (mda_is_late(&proc->mda)) {
		log_warn("%s: %s has run for too long and is ended",
			proc->account->name, proc->hook != HOOK_MAIL ? "a hook"
			: proc->account->deliver.argv[0]);
		mda_end(&proc->mda);
	}
	if (proc->mda.pid == 0 && proc->pid != 0
	    && clock_left(proc->deadline) == 0) {
		disown(proc, "nothing was heard of it for too long");
		heard(proc);
	}
}

clock_ms proc_next(const struct proc *proc, clock_ms otherwise)
{
	if (proc->mda.pid != 0)
		return mda_next(&proc->mda, otherwise);
	return proc->pid != 0 ? clock_min(proc->deadline, otherwise)
		: otherwise;
}

void proc_stop(struct proc *proc)
{
	struct chan_packet packet;
	struct err err = ERR_INIT;

	proc->stopped = true;
	if (proc->chan < 0)
		return;
	memset(&packet, 0, sizeof(packet));
	packet.type = CHAN_STOP;
	if (!chan_send(proc->chan, &packet, -1, CHAN_DONT_WAIT, &err))
		log_err(LOG_LEVEL_DEBUG, &err);
}

void proc_kill(struct proc *proc)
{
	if (proc->mda.pid != 0)
		mda_end(&proc->mda);
	else if (proc->pid != 0)
		kill(proc->pid, SIGKILL);
}
