/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/sched.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/arena.h"
#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/spawn.h"

/* A worker that does not heed STOP within this is ended; recovery does the
 * rest. */
#define STOP_MS 15000
#define FOREVER_MS 3600000

struct sched {
	const struct sched_options *options;
	struct session_options session;
	struct tls_trust *trust;
	struct progress progress;
	struct proc *procs;
	size_t count;
	size_t next;			/* all before it have been started */
	struct proc **active;		/* those that run */
	size_t running;
	uint64_t *busy;			/* running ones of each host */
	struct pollfd *fds;		/* signals, then two for each active */
	int *foreign;			/* for workers; see struct worker_start */
	bool stopping;
	clock_ms stop_deadline;
	enum err_class worst;
};

/* Signal handlers may only write a byte: the pipe's ends. */
static int signal_pipe[2] = { -1, -1 };

static void on_signal(int sig)
{
	unsigned char byte = (unsigned char)sig;
	int saved = errno;

	if (write(signal_pipe[1], &byte, 1) < 0)
		errno = saved;	/* full: it will be read anyway */
	errno = saved;
}

static bool catch_signals(struct err *err)
{
	static const int signals[] = { SIGCHLD, SIGINT, SIGTERM, SIGHUP };
	struct sigaction sa = { .sa_handler = on_signal,
		.sa_flags = SA_RESTART };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct sigaction old;
	size_t i;

	if (pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(err, errno, "cannot make a pipe");
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		/* nohup means it. */
		if (sigaction(signals[i], NULL, &old) == 0
		    && old.sa_handler == SIG_IGN)
			continue;
		sigaction(signals[i], &sa, NULL);
	}
	sigaction(SIGPIPE, &ignore, NULL);
	return true;
}

/* A worker gets none of the parent's descriptors but its own channel. */
static void collect_foreign(struct sched *s)
{
	size_t i, n = 0;

	s->foreign[n++] = signal_pipe[0];
	s->foreign[n++] = signal_pipe[1];
	for (i = 0; i < s->running; i++) {
		if (s->active[i]->chan >= 0)
			s->foreign[n++] = s->active[i]->chan;
		if (s->active[i]->mda_output >= 0)
			s->foreign[n++] = s->active[i]->mda_output;
	}
	s->foreign[n] = -1;
}

static void done(struct sched *s, struct proc *proc)
{
	progress_result(&s->progress, proc);
	s->worst = err_worse(s->worst, (enum err_class)proc->report.class);
}

static void start_one(struct sched *s, struct proc *proc)
{
	struct err err = ERR_INIT;

	collect_foreign(s);
	if (proc_start(proc, &s->session, &s->options->pass, s->foreign,
		&err)) {
		s->active[s->running++] = proc;
		s->busy[proc->host]++;
		return;
	}
	proc->state = PROC_DONE;
	chan_report_err(&proc->report, &err);
	done(s, proc);
}

static void start_due(struct sched *s)
{
	const struct config *config = s->options->config;
	struct proc *proc;
	size_t i;

	while (s->next < s->count && s->procs[s->next].state != PROC_IDLE)
		s->next++;
	for (i = s->next; i < s->count && s->running < config->parallel
	     && !s->stopping; i++) {
		proc = &s->procs[i];
		if (proc->state == PROC_IDLE
		    && s->busy[proc->host] < config->per_host)
			start_one(s, proc);
	}
}

static void retire(struct sched *s, size_t i)
{
	struct proc *proc = s->active[i];

	s->busy[proc->host]--;
	s->active[i] = s->active[--s->running];
	done(s, proc);
}

static void reap(struct sched *s)
{
	int status;
	pid_t pid;
	size_t i;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (i = 0; i < s->running; i++) {
			if (!proc_reaped(s->active[i], pid, status))
				continue;
			if (s->active[i]->state == PROC_DONE)
				retire(s, i);
			break;
		}
}

static void stop(struct sched *s)
{
	size_t i;

	if (s->stopping)
		return;
	log_info("stopping");
	s->stopping = true;
	s->stop_deadline = clock_after(STOP_MS);
	for (i = 0; i < s->running; i++)
		proc_stop(s->active[i]);
}

static void kill_slow(struct sched *s)
{
	size_t i;

	if (!s->stopping || clock_left(s->stop_deadline) > 0)
		return;
	for (i = 0; i < s->running; i++)
		if (s->active[i]->pid != 0)
			kill(s->active[i]->pid, SIGKILL);
	s->stop_deadline = clock_after(STOP_MS);
}

static void read_signals(struct sched *s)
{
	unsigned char bytes[64];
	ssize_t i, n = read(signal_pipe[0], bytes, sizeof(bytes));

	for (i = 0; i < n; i++)
		if (bytes[i] != SIGCHLD)
			stop(s);
	reap(s);
}

static int timeout(struct sched *s)
{
	clock_ms next = progress_next(&s->progress, clock_after(FOREVER_MS));
	size_t i;

	if (s->stopping)
		next = clock_min(next, s->stop_deadline);
	for (i = 0; i < s->running; i++)
		next = proc_next(s->active[i], next);
	return clock_left(next);
}

static void watch(struct pollfd *p, int fd)
{
	p->fd = fd;
	p->events = POLLIN;
	p->revents = 0;
}

/* Waits for something to happen; false if the system cannot even do that. */
static bool wait_for_events(struct sched *s)
{
	size_t i;

	watch(&s->fds[0], signal_pipe[0]);
	for (i = 0; i < s->running; i++) {
		watch(&s->fds[1 + 2 * i], s->active[i]->chan);
		watch(&s->fds[2 + 2 * i], s->active[i]->mda_output);
	}
	if (poll(s->fds, 1 + 2 * s->running, timeout(s)) >= 0)
		return true;
	for (i = 0; i < 1 + 2 * s->running; i++)
		s->fds[i].revents = 0;
	if (errno == EINTR)
		return true;
	log_error("poll: %s", strerror(errno));
	return false;
}

static void turn(struct sched *s)
{
	struct proc *proc;
	size_t i;

	if (!wait_for_events(s)) {
		s->worst = err_worse(s->worst, ERR_RETRY);
		stop(s);
		s->stop_deadline = clock_now();
		read_signals(s);
	}
	for (i = 0; i < s->running; i++) {
		proc = s->active[i];
		if (s->fds[1 + 2 * i].revents != 0 && proc->chan >= 0)
			proc_read_channel(proc);
		if (s->fds[2 + 2 * i].revents != 0 && proc->mda_output >= 0)
			proc_read_output(proc);
		proc_tick(proc);
	}
	if (s->fds[0].revents != 0)
		read_signals(s);
	kill_slow(s);
}

/* Reading the store takes longer than a pass that needs none of it. */
static bool needs_system_trust(const struct sched_options *options)
{
	const struct account *a;
	size_t i;

	for (i = 0; i < options->count; i++) {
		a = options->accounts[i];
		if (a->tls != TLS_NONE && a->ca_file == NULL && a->pin == NULL)
			return true;
	}
	return false;
}

/* Numbers the hosts, so that counting their connections takes no search. */
static void number_hosts(struct sched *s)
{
	size_t i, j;

	for (i = 0; i < s->count; i++) {
		for (j = 0; j < i; j++)
			if (strcasecmp(s->procs[j].account->host,
				s->procs[i].account->host) == 0)
				break;
		s->procs[i].host = j < i ? s->procs[j].host : i;
	}
}

/* Each account that runs needs two descriptors here. */
static void raise_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

static void set_up(struct sched *s, const struct sched_options *options)
{
	size_t i, n = options->count;
	size_t most = (size_t)options->config->parallel;

	memset(s, 0, sizeof(*s));
	s->options = options;
	s->count = n;
	if (most > n)
		most = n;
	s->procs = mem_grow(NULL, n + 1, sizeof(*s->procs));
	s->active = mem_grow(NULL, most + 1, sizeof(struct proc *));
	s->busy = mem_grow(NULL, n + 1, sizeof(*s->busy));
	memset(s->busy, 0, (n + 1) * sizeof(*s->busy));
	s->fds = mem_grow(NULL, 1 + 2 * most, sizeof(*s->fds));
	s->foreign = mem_grow(NULL, 3 + 2 * most, sizeof(*s->foreign));
	for (i = 0; i < n; i++)
		proc_init(&s->procs[i], options->accounts[i]);
	number_hosts(s);
	raise_limit();
	s->trust = tls_trust_new(needs_system_trust(options));
	s->session = (struct session_options){ options->config, NULL,
		s->trust, -1, options->trace };
	progress_init(&s->progress, options->quiet, options->trace == NULL);
}

static void tear_down(struct sched *s)
{
	progress_end(&s->progress);
	tls_trust_free(s->trust);
	free(s->procs);
	free(s->active);
	free(s->busy);
	free(s->fds);
	free(s->foreign);
}

enum err_class sched_fetch(const struct sched_options *options)
{
	struct err err = ERR_INIT;
	struct sched s;

	if (!catch_signals(&err)) {
		log_err(LOG_LEVEL_ERROR, &err);
		return err.class;
	}
	set_up(&s, options);
	for (start_due(&s); s.running != 0; start_due(&s)) {
		progress_draw(&s.progress, s.active, s.running);
		turn(&s);
	}
	tear_down(&s);
	return s.stopping ? err_worse(s.worst, ERR_STOP) : s.worst;
}
