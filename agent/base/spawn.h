/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_BASE_SPAWN_H
#define AGENT_BASE_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "agent/base/err.h"

/*
 * The only place that forks. Programs are started from an argv, never through
 * a shell, in a process group of their own, with standard input, output and
 * error given and no other descriptor open.
 */

struct spawn_program {
	const char *const *argv;	/* NULL-terminated; argv[0] is looked up in PATH */
	const char *const *envp;	/* NULL-terminated, the whole environment */
	int in;				/* becomes standard input; -1 is /dev/null */
	int out;			/* becomes standard output; -1 is /dev/null */
	int err;			/* becomes standard error; -1 is /dev/null */
};

/* Forks; the child calls run(arg) and exits with its result. Returns the
 * child's pid, or -1 with ERR_RETRY. Standard streams are shared. */
pid_t spawn_worker(int (*run)(void *arg), void *arg, struct err *err) MUST_USE;

/* Starts a program and returns its pid (also its process group), or -1: with
 * ERR_CONFIG if it cannot be executed, ERR_RETRY if fork failed. The
 * descriptors stay open here. */
pid_t spawn_program(const struct spawn_program *prog, struct err *err) MUST_USE;

/* Runs argv with this process's environment less the variables named in
 * `hide` (NULL-terminated, may be NULL), waits at most ms milliseconds, and
 * puts what it wrote to standard output into out (cap bytes, NUL added;
 * *len_r without it). Standard error goes where ours goes.
 * ERR_CONFIG if it cannot be started, ERR_RETRY if it fails, is too slow or
 * writes more than cap - 1 bytes; `out` is wiped then. */
bool spawn_capture(const char *const *argv, const char *const *hide, int ms,
	char *out, size_t cap, size_t *len_r, struct err *err) MUST_USE;

/* Sends a signal to a program's whole process group. */
void spawn_kill(pid_t pid, int sig);

/* A wait status in words: "exited with status 75 (temporary failure)". */
const char *spawn_status(char *out, size_t cap, int status);

#endif
