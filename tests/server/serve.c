#include "tests/server/serve.h"
#include "tests/tools/endpoint.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

enum { LISTENERS = 16 };

/* The only thing a signal handler may touch. */
static volatile sig_atomic_t asked_to_stop;

struct server {
	const struct service *service;
	struct pollfd polled[LISTENERS + 1];	/* the last: standard input */
	size_t n;
	unsigned long sessions;
	pid_t *children;
	size_t n_children;
	sigset_t normal;		/* mask outside of ppoll */
};

static void
on_signal(int number)
{
	if (number != SIGCHLD)
		asked_to_stop = 1;
}

/* Signals arrive only inside ppoll, so none is missed. */
static void
catch_signals(struct server *s)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD };
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t blocked;

	sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		sigaction(numbers[i], &action, NULL);
		sigaddset(&blocked, numbers[i]);
	}
	sigprocmask(SIG_BLOCK, &blocked, &s->normal);
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		sigdelset(&s->normal, numbers[i]);
	signal(SIGPIPE, SIG_IGN);
}

static void
restore_signals(const struct server *s)
{
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_SETMASK, &s->normal, NULL);
}

static bool
listen_all(struct server *s)
{
	const struct words *w = &s->service->opt->listen;
	static const char *standard = "127.0.0.1:0";
	const char **item = w->n ? w->item : &standard;
	size_t n = w->n ? w->n : 1;
	int fds[LISTENERS];

	if (n > LISTENERS) {
		fprintf(stderr, "popd: too many --listen\n");
		return false;
	}
	for (; s->n < n; s->n++) {
		fds[s->n] = endpoint_listen(item[s->n]);
		if (fds[s->n] < 0)
			return false;
		s->polled[s->n] = (struct pollfd){ .fd = fds[s->n], .events = POLLIN };
	}
	s->polled[n] = (struct pollfd){
		.fd = s->service->opt->until_eof ? STDIN_FILENO : -1, .events = POLLIN
	};
	return endpoint_announce(fds, n, s->service->opt->port_file);
}

static void
close_listeners(struct server *s)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->polled[i].fd >= 0)
			close(s->polled[i].fd);
		s->polled[i].fd = -1;
	}
}

static void
reap(struct server *s, int options)
{
	pid_t pid;

	while (s->n_children > 0 && (pid = waitpid(-1, NULL, options)) != 0) {
		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			return;
		for (size_t i = 0; i < s->n_children; i++) {
			if (s->children[i] == pid)
				s->children[i] = s->children[--s->n_children];
		}
	}
}

/* In the child: serve one client and end. */
static void
run_child(struct server *s, int fd, const char *peer, pid_t parent)
{
#ifdef __linux__
	prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
	restore_signals(s);
	close_listeners(s);
	free(s->children);
	if (getppid() == parent)
		session_run(s->service, fd, s->sessions, peer);
}

/* True in the child, when its session is over. */
static bool
start_session(struct server *s, int fd, const char *peer)
{
	pid_t *more = realloc(s->children, (s->n_children + 1) * sizeof *more);
	pid_t parent = getpid(), pid;

	if (more)
		s->children = more;
	s->sessions++;
	pid = more ? fork() : -1;
	if (pid == 0) {
		run_child(s, fd, peer, parent);
		return true;
	}
	close(fd);
	if (pid > 0)
		s->children[s->n_children++] = pid;
	else
		perror("popd: fork");
	return false;
}

static bool
enough(const struct server *s)
{
	uint64_t max = s->service->opt->max_sessions;

	return max > 0 && s->sessions >= max;
}

/* True in a child. */
static bool
accept_all(struct server *s, int listener)
{
	while (!enough(s)) {
		struct sockaddr_storage sa;
		socklen_t len = sizeof sa;
		int fd = accept4(listener, (struct sockaddr *)&sa, &len, SOCK_CLOEXEC);
		char peer[320];

		if (fd < 0)
			return false;
		endpoint_format((const struct sockaddr *)&sa, len, peer, sizeof peer);
		if (start_session(s, fd, peer))
			return true;
	}
	return false;
}

static bool
input_ended(const struct server *s)
{
	char sink[512];

	return s->polled[s->n].revents && read(STDIN_FILENO, sink, sizeof sink) <= 0;
}

/* True in a child. */
static bool
loop(struct server *s)
{
	while (!asked_to_stop && !enough(s)) {
		if (ppoll(s->polled, s->n + 1, NULL, &s->normal) < 0) {
			reap(s, WNOHANG);
			continue;
		}
		for (size_t i = 0; i < s->n; i++) {
			if (s->polled[i].revents && accept_all(s, s->polled[i].fd))
				return true;
		}
		if (input_ended(s))
			asked_to_stop = 1;
	}
	return false;
}

/* Signals stay blocked: a stop asked for now is seen only by the sessions. */
static void
end_sessions(struct server *s)
{
	while (!asked_to_stop && s->n_children > 0) {
		ppoll(NULL, 0, NULL, &s->normal);
		reap(s, WNOHANG);
	}
	for (size_t i = 0; i < s->n_children; i++)
		kill(s->children[i], SIGTERM);
	reap(s, 0);
}

bool
serve(const struct service *service)
{
	struct server s = { .service = service };
	bool ok;

	catch_signals(&s);
	ok = listen_all(&s);
	if (ok && loop(&s))
		return true;
	close_listeners(&s);
	end_sessions(&s);
	free(s.children);
	return ok;
}
