/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "agent/base/arena.h"
#include "agent/base/clock.h"
#include "agent/base/limits.h"

extern char **environ;

/* Descriptors beyond this one are not inherited from anything sane. */
#define INHERITED_FDS 1024

/* Nor does anything of ours get one beyond this: a worker takes two. */
#define OWN_FDS (4 * LIMIT_PARALLEL)

/* From the first to the last. */
static void close_run(int first, int last)
{
#ifdef HAVE_CLOSE_RANGE
	if (close_range((unsigned int)first, (unsigned int)last, 0) == 0)
		return;
#endif
	for (; first <= last && first < OWN_FDS; first++)
		close(first);
}

void spawn_close(const int *fds)
{
	const int *first = fds;

	for (; *fds >= 0; fds++)
		if (fds[1] != fds[0] + 1) {
			close_run(*first, *fds);
			first = fds + 1;
		}
}

static void mend_descriptors(void)
{
	int fd = open("/dev/null", O_RDWR), flags;

	/* With 0, 1 or 2 closed, a socket would become one of them. */
	while (fd >= 0 && fd <= STDERR_FILENO)
		fd = dup(fd);
	if (fd > STDERR_FILENO)
		close(fd);
#if defined(HAVE_CLOSE_RANGE) && defined(CLOSE_RANGE_CLOEXEC)
	if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		return;
#endif
	for (fd = STDERR_FILENO + 1; fd < INHERITED_FDS; fd++) {
		flags = fcntl(fd, F_GETFD);
		if (flags >= 0)
			fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
	}
}

static void mend_signals(void)
{
	static const int signals[] = { SIGCHLD, SIGINT, SIGTERM, SIGHUP,
		SIGPIPE };
	const struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t set;
	size_t i;

	sigemptyset(&set);
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	/* SIGHUP may be ignored on purpose (nohup). */
	sigaction(SIGCHLD, &dfl, NULL);
}

static void guard_memory(void)
{
	struct rlimit core;

	if (getrlimit(RLIMIT_CORE, &core) == 0) {
		core.rlim_cur = 0;
		setrlimit(RLIMIT_CORE, &core);
	}
#ifdef __linux__
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

void spawn_prepare(void)
{
	mend_descriptors();
	mend_signals();
	guard_memory();
}

pid_t spawn_worker(int (*run)(void *arg), void *arg, struct err *err)
{
	pid_t pid = fork();

	if (pid < 0) {
		err_sys(err, errno, "cannot start a worker process");
		return -1;
	}
	if (pid == 0)
		_exit(run(arg));
	return pid;
}

static void die_with_parent(int sig)
{
#ifdef __linux__
	prctl(PR_SET_PDEATHSIG, sig, 0, 0, 0);
#else
	(void)sig;
#endif
}

pid_t spawn_helper(void (*run)(void *arg, int out), void *arg, int *answer_r,
	struct err *err)
{
	const int out = STDERR_FILENO + 1;
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0) {
		err_sys(err, errno, "cannot start a helper process");
		return -1;
	}
	pid = fork();
	if (pid == 0) {
		die_with_parent(SIGKILL);
		if (fds[1] != out && dup2(fds[1], out) < 0)
			_exit(EX_OSERR);
		close_run(out + 1, INT_MAX);
		run(arg, out);
		_exit(0);
	}
	if (pid < 0)
		err_sys(err, errno, "cannot start a helper process");
	close(fds[1]);
	if (pid < 0)
		close(fds[0]);
	else
		*answer_r = fds[0];
	return pid;
}

/* Only async-signal-safe calls from here to exec. */
static void reset_signals(void)
{
	sigset_t none;
	int sig;

	for (sig = 1; sig < NSIG; sig++)
		if (sig != SIGKILL && sig != SIGSTOP) {
			struct sigaction dfl = { .sa_handler = SIG_DFL };

			sigaction(sig, &dfl, NULL);
		}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool put_fd(int fd, int target)
{
	int null;

	if (fd >= 0)
		return dup2(fd, target) == target;
	null = open("/dev/null", O_RDWR);
	if (null < 0)
		return false;
	if (null == target)
		return true;
	if (dup2(null, target) != target)
		return false;
	close(null);
	return true;
}

static void exec_program(const struct spawn_program *prog, int report)
{
	int code;

	if (prog->own_group)
		setpgid(0, 0);
	if (prog->dies_with_us)
		die_with_parent(SIGTERM);
	reset_signals();
	if (put_fd(prog->in, 0) && put_fd(prog->out, 1)
	    && put_fd(prog->err, 2)) {
		/* execvpe does not change the strings. */
		execvpe(prog->argv[0], (char *const *)(uintptr_t)prog->argv,
			(char *const *)(uintptr_t)prog->envp);
	}
	code = errno;
	if (write(report, &code, sizeof(code)) < 0)
		_exit(EX_OSERR);
	_exit(EX_UNAVAILABLE);
}

/* The close-on-exec pipe carries errno back when exec failed, and nothing
 * but its end when it succeeded. */
static int read_report(int fd)
{
	int code = 0;
	ssize_t n;

	do
		n = read(fd, &code, sizeof(code));
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(code) ? code : 0;
}

pid_t spawn_program(const struct spawn_program *prog, struct err *err)
{
	int report[2], code;
	pid_t pid;

	if (pipe2(report, O_CLOEXEC) < 0) {
		err_sys(err, errno, "cannot start %s", prog->argv[0]);
		return -1;
	}
	pid = fork();
	if (pid == 0)
		exec_program(prog, report[1]);
	code = pid < 0 ? errno : 0;
	close(report[1]);
	if (pid > 0) {
		code = read_report(report[0]);
		if (code != 0)
			while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
				;
	}
	close(report[0]);
	if (code == 0)
		return pid;
	err_sys(err, code, "cannot start %s", prog->argv[0]);
	if (pid > 0 && code != ENOMEM && code != EMFILE && code != ENFILE)
		err->class = ERR_CONFIG;
	return -1;
}

static bool hidden(const char *entry, const char *const *hide)
{
	size_t len = strcspn(entry, "=");

	for (; hide != NULL && *hide != NULL; hide++)
		if (strlen(*hide) == len && memcmp(*hide, entry, len) == 0)
			return true;
	return false;
}

const char **spawn_environment(const char *const *hide)
{
	const char **env;
	size_t i, n = 0;

	for (i = 0; environ[i] != NULL; i++)
		;
	env = mem_grow(NULL, i + 1, sizeof(*env));
	for (i = 0; environ[i] != NULL; i++)
		if (!hidden(environ[i], hide))
			env[n++] = environ[i];
	env[n] = NULL;
	return env;
}

int spawn_end(pid_t pid, int ms)
{
	clock_ms deadline = clock_after(ms);
	int status = 0;
	pid_t got;

	while ((got = waitpid(pid, &status, WNOHANG)) != pid) {
		if (got < 0 && errno != EINTR)
			return -1;
		if (clock_left(deadline) == 0) {
			spawn_kill(pid, SIGKILL);
			while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
				;
			return status;
		}
		clock_sleep(2);
	}
	return status;
}

void spawn_kill(pid_t pid, int sig)
{
	/* Its own group first: offspring must not outlive a deadline. The pid
	 * too, in case it has not yet become a group leader. */
	kill(-pid, sig);
	kill(pid, sig);
}

const char *spawn_status(char *out, size_t cap, int status)
{
	static const char *const names[] = {
		[EX_USAGE - 64] = "usage", [EX_DATAERR - 64] = "data error",
		[EX_NOINPUT - 64] = "no input", [EX_NOUSER - 64] = "no such user",
		[EX_NOHOST - 64] = "no such host",
		[EX_UNAVAILABLE - 64] = "unavailable",
		[EX_SOFTWARE - 64] = "software error",
		[EX_OSERR - 64] = "system error", [EX_OSFILE - 64] = "system file",
		[EX_CANTCREAT - 64] = "cannot create", [EX_IOERR - 64] = "I/O error",
		[EX_TEMPFAIL - 64] = "temporary failure",
		[EX_PROTOCOL - 64] = "protocol error",
		[EX_NOPERM - 64] = "permission denied",
		[EX_CONFIG - 64] = "configuration error",
	};
	int code;

	if (WIFSIGNALED(status)) {
		snprintf(out, cap, "was killed by signal %d", WTERMSIG(status));
		return out;
	}
	code = WEXITSTATUS(status);
	if (code >= 64 && code < 64 + (int)(sizeof(names) / sizeof(names[0])))
		snprintf(out, cap, "exited with status %d (%s)", code,
			names[code - 64]);
	else
		snprintf(out, cap, "exited with status %d", code);
	return out;
}
