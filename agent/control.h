/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_CONTROL_H
#define AGENT_CONTROL_H

#include <poll.h>
#include <stdio.h>

#include "agent/base/clock.h"
#include "agent/base/err.h"

/*
 * The daemon's control socket: a stream socket in the file system, for its
 * owner and root only, whatever the modes of its folder say (the peer's
 * credentials are asked for). One connection carries one request and one
 * answer. Nobody can make the daemon wait: a caller that does not send or
 * read is dropped after LIMIT_CONTROL_MS.
 *
 * Request: the arguments, each ended by NUL, then end of file.
 * Answer: the exit status (sysexits.h) in decimal and LF, then text for
 * standard output (status 0) or standard error.
 */

/* Carries out a request: argc arguments, argv[0] the command. What is written
 * to `out` goes to the caller. Returns an exit status. */
typedef int control_run(void *arg, int argc, char **argv, FILE *out);

struct control;

/* Listens at `path`, whose folder is made (0700) if need be. A socket file
 * that nobody listens at is replaced. ERR_CONFIG when somebody does, naming
 * the process; ERR_RETRY otherwise. */
struct control *control_open(const char *path, control_run *run, void *arg,
	struct err *err) MUST_USE;
/* Removes the socket; NULL is allowed. */
void control_close(struct control *control);

/* Puts what to wait for into fds, at most CONTROL_FDS; returns how many.
 * control_react() gets the same ones after poll(2). */
#define CONTROL_FDS 9
size_t control_watch(struct control *control, struct pollfd *fds);
void control_react(struct control *control, const struct pollfd *fds,
	size_t count);
/* When control_react() is next needed whatever happens, or `otherwise`. */
clock_ms control_next(const struct control *control, clock_ms otherwise);
/* Puts every descriptor into `list`, at most CONTROL_FDS, for a child that
 * must not keep them; returns how many. */
size_t control_descriptors(const struct control *control, int *list);

/* Where the socket is: `configured` if not NULL, else
 * $RUNTIME_DIRECTORY/control, $XDG_RUNTIME_DIR/postrider/control,
 * /run/postrider/control, the first whose variable is set. */
void control_path(const char *configured, char *out, size_t cap);

/* The other end: sends a request, copies the answer to standard output or
 * standard error, and puts the exit status into *status_r. ERR_STOP when no
 * daemon listens there; ERR_RETRY when it does not answer. */
bool control_call(const char *path, int argc, const char *const *argv,
	FILE *out, int *status_r, struct err *err) MUST_USE;

#endif
