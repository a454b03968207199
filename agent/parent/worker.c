/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/parent/worker.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "agent/base/spawn.h"
#include "agent/parent/chan.h"
#include "agent/pass/pass.h"

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED
#endif

/* More often than this nobody can read it. */
#define PROGRESS_MS 100
/* So often the parent hears that we live. */
#define ALIVE_MS 10000

struct worker {
	int chan;
	bool watched;
	bool stopped;			/* a STOP came while we waited for an MDA */
	clock_ms next_progress;
	uint32_t phase;
};

/* A packet wakes the parent. It has another patience while we connect; the rest
 * is for people. */
static bool matters(const struct worker *worker, const struct report_progress *p)
{
	if (clock_left(worker->next_progress) == 0)
		return true;
	return p->phase != worker->phase && (worker->watched
		|| p->phase == PHASE_CONNECT || worker->phase == PHASE_CONNECT);
}

static void progress(void *arg, const struct report_progress *p)
{
	struct worker *worker = arg;
	struct chan_packet packet;
	struct err ignored = ERR_INIT;

	if (!matters(worker, p))
		return;
	worker->phase = p->phase;
	worker->next_progress = clock_after(worker->watched ? PROGRESS_MS
		: ALIVE_MS);
	memset(&packet, 0, sizeof(packet));
	packet.type = CHAN_PROGRESS;
	packet.progress = *p;
	/* If the parent is gone, the next wait for the server notices. */
	if (!chan_send(worker->chan, &packet, -1, CHAN_WAIT, &ignored))
		log_debug("progress: %s", ignored.text);
}

static bool ask_parent(struct worker *worker, const char *epoch,
	const struct item *item, const struct dest_run *run,
	struct chan_packet *packet, struct err *err)
{
	memset(packet, 0, sizeof(*packet));
	packet->type = CHAN_SPAWN;
	packet->spawn.id = item->id;
	packet->spawn.attempt = run->attempt;
	snprintf(packet->spawn.epoch, sizeof(packet->spawn.epoch), "%s", epoch);
	snprintf(packet->spawn.sender, sizeof(packet->spawn.sender), "%s",
		run->sender);
	if (!chan_send(worker->chan, packet, item->fd, CHAN_WAIT, err))
		return false;
	/* A STOP may come first; the program that runs is waited for. */
	for (;;) {
		if (!chan_recv(worker->chan, packet, NULL, CHAN_WAIT, err))
			return false;
		if (packet->type != CHAN_STOP)
			break;
		worker->stopped = true;
	}
	if (packet->type != CHAN_EXITED)
		return err_set(err, ERR_PROTO,
			"the parent answered SPAWN with packet %u", packet->type);
	return true;
}

/* STOP, or the parent's end, waits to be read. */
static bool may_go_on(void *arg, struct err *err)
{
	const struct worker *worker = arg;
	struct pollfd p = { .fd = worker->chan, .events = POLLIN };

	return (!worker->stopped && poll(&p, 1, 0) <= 0)
		|| err_set(err, ERR_STOP, "stopped");
}

static bool spawn(void *arg, const char *epoch, struct item *item,
	const struct dest_run *run, int *status_r, char *output, size_t cap,
	struct err *err)
{
	struct chan_packet packet;

	if (!ask_parent(arg, epoch, item, run, &packet, err))
		return false;
	if (!packet.exited.started)
		return err_set(err, packet.exited.status == ERR_CONFIG
			? ERR_CONFIG : ERR_RETRY, "%s", packet.exited.output);
	*status_r = packet.exited.status;
	snprintf(output, cap, "%s", packet.exited.output);
	return true;
}

static void set_limits(void)
{
	/* The sanitizers reserve terabytes. */
#ifndef SANITIZED
	struct rlimit memory;

	if (getrlimit(RLIMIT_AS, &memory) == 0
	    && memory.rlim_cur > LIMIT_WORKER_MEMORY) {
		memory.rlim_cur = LIMIT_WORKER_MEMORY;
		setrlimit(RLIMIT_AS, &memory);
	}
#endif
	umask(077);
}

/* The terminal's interrupt is the parent's business: it asks us to stop. */
static void own_signals(void)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	const struct sigaction dfl = { .sa_handler = SIG_DFL };

	sigaction(SIGINT, &ignore, NULL);
	sigaction(SIGHUP, &ignore, NULL);
	sigaction(SIGUSR1, &ignore, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	/* A limit on file sizes is an error of write(), as a full disk is. */
	sigaction(SIGXFSZ, &ignore, NULL);
	sigaction(SIGTERM, &dfl, NULL);
	sigaction(SIGCHLD, &dfl, NULL);
}

/* Without a terminal no program that we start can ask for anything: neither
 * what prints a password nor a tunnel. */
static void leave_terminal(void)
{
	setsid();
	unsetenv("GPG_TTY");
	setenv("SSH_ASKPASS_REQUIRE", "never", 1);
}

int worker_main(void *arg)
{
	const struct worker_start *start = arg;
	struct worker worker = { .chan = start->chan,
		.watched = start->options.watched, .phase = PHASE_RECOVER,
		.next_progress = clock_after(ALIVE_MS) };
	struct pass_env env = { start->session, start->options, &worker,
		progress, may_go_on, spawn };
	struct chan_packet packet;
	struct err err = ERR_INIT;

	close(start->parent_chan);
	spawn_close(start->foreign);
	session_lend(&start->session, false);
	own_signals();
	set_limits();
	if (start->options.unattended)
		leave_terminal();
	log_account(start->session.account->name);
	env.session.stop_fd = start->chan;
	memset(&packet, 0, sizeof(packet));
	packet.type = CHAN_REPORT;
	pass_run(&env, &packet.report);
	if (!chan_send(worker.chan, &packet, -1, CHAN_WAIT, &err))
		log_err(LOG_LEVEL_DEBUG, &err);
	return err_exit_status((enum err_class)packet.report.class);
}
