/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_BASE_SPAWN_H
#define AGENT_BASE_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "agent/base/err.h"

/*
 * The only place that forks. Programs are started from an argv, never through
 * a shell, with standard input, output and error given and no other descriptor
 * open: all of ours are close-on-exec, and spawn_prepare() sees to those we
 * were started with.
 */

/* Once, at the start of main(): standard descriptors exist, inherited ones are
 * close-on-exec, signals we wait for are neither blocked nor ignored, and
 * nobody can read our memory (core files, debuggers of the same user). */
void spawn_prepare(void);

struct spawn_program {
	const char *const *argv;	/* NULL-terminated; argv[0] is looked up in PATH */
	const char *const *envp;	/* NULL-terminated, the whole environment */
	int in;				/* becomes standard input; -1 is /dev/null */
	int out;			/* becomes standard output; -1 is /dev/null */
	int err;			/* becomes standard error; -1 is /dev/null */
	bool own_group;			/* a process group of its own: spawn_kill()
					 * reaches its offspring too */
	bool dies_with_us;		/* where the system can do that */
};

/* Forks; the child calls run(arg) and exits with its result. Returns the
 * child's pid, or -1 with ERR_RETRY. Standard streams are shared. */
pid_t spawn_worker(int (*run)(void *arg), void *arg, struct err *err) MUST_USE;

/* In the child: closes all of `fds`, which end with -1; a call for each run of
 * them, as with many workers there are hundreds, if they are sorted. */
void spawn_close(const int *fds);

/* Forks a helper that writes what it finds to `out`, the other end of
 * *answer_r. It has the standard streams and no other descriptor of ours, so
 * that it holds no lock, and dies with us where the system can do that. End it
 * with spawn_end(). -1 with ERR_RETRY. */
pid_t spawn_helper(void (*run)(void *arg, int out), void *arg, int *answer_r,
	struct err *err) MUST_USE;

/* Starts a program and returns its pid, or -1: with
 * ERR_CONFIG if it cannot be executed, ERR_RETRY if fork failed. The
 * descriptors stay open here. */
pid_t spawn_program(const struct spawn_program *prog, struct err *err) MUST_USE;

/* This process's environment less the variables named in `hide`
 * (NULL-terminated, may be NULL), for spawn_program(); to be freed, but not the
 * strings in it. */
const char **spawn_environment(const char *const *hide);

/* Runs argv with this process's environment less the variables named in
 * `hide` (NULL-terminated, may be NULL), waits at most ms milliseconds, and
 * puts what it wrote to standard output into out (cap bytes, NUL added;
 * *len_r without it). It stays in our process group, so that it may ask a
 * person on the terminal; standard error is passed on to ours if that is a
 * terminal, and its end becomes part of the error text.
 * ERR_CONFIG if it cannot be started, ERR_RETRY if it fails, is too slow or
 * writes more than cap - 1 bytes; `out` is wiped then. */
bool spawn_capture(const char *const *argv, const char *const *hide, int ms,
	char *out, size_t cap, size_t *len_r, struct err *err) MUST_USE;

/* Sends a signal to a program and, if it has one, its process group. */
void spawn_kill(pid_t pid, int sig);

/* Waits at most ms milliseconds for the end of a child, then kills it and its
 * process group. Returns its wait status. */
int spawn_end(pid_t pid, int ms);

/* A wait status in words: "exited with status 75 (temporary failure)". */
const char *spawn_status(char *out, size_t cap, int status);

#endif
