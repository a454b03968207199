/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_CONTROL_CONTROL_H
#define AGENT_CONTROL_CONTROL_H

#include <poll.h>
#include <stdio.h>

#include "agent/base/clock.h"
#include "agent/base/err.h"
#include "agent/base/limits.h"

/*
 * The daemon's control socket: a stream socket in the file system, for its
 * owner and root only, whatever the modes of its folder say (the peer's
 * credentials are asked for). One connection carries one request and one
 * answer. Nobody can make the daemon wait: a caller that does not send or
 * read is dropped after LIMIT_CONTROL_MS.
 *
 * Request: the arguments, none of them empty, each ended by NUL; one NUL more
 * ends the request, so one that was cut off is never carried out.
 * Answer: the exit status (sysexits.h) as three digits and LF, then text for
 * standard output (status 0) or standard error, then NUL.
 */

/* Carries out a request: argc arguments, argv[0] the command, NULL behind the
 * last. What is written to `out` goes to the caller. Returns an exit status.
 * Must not close the control. */
typedef int control_run(void *arg, int argc, char **argv, FILE *out);

struct control;

/* Listens at `path`, whose folder is made (0700) if need be. A socket file
 * that nobody listens at is replaced. ERR_CONFIG when somebody does (naming
 * the process where the system can say), and when something else than a
 * socket is there or the path is too long for one; ERR_RETRY otherwise. */
struct control *control_open(const char *path, control_run *run, void *arg,
	struct err *err) MUST_USE;
/* Removes the socket and drops all callers; NULL is allowed. */
void control_close(struct control *control);

/* Puts what to wait for into fds, at most CONTROL_FDS; returns how many. */
#define CONTROL_FDS (LIMIT_CONTROL_CALLERS + 1)
size_t control_watch(const struct control *control, struct pollfd *fds);
/* Serves whom poll(2) found ready among the same ones, and drops whose time
 * is over; call it at the moment control_next() gave as well, and never from
 * inside `run`. */
void control_react(struct control *control, const struct pollfd *fds,
	size_t count, clock_ms now);
/* When control_react() is next needed whatever happens, or `otherwise`,
 * whichever comes first. */
clock_ms control_next(const struct control *control, clock_ms otherwise);
/* Puts every descriptor into `list`, at most CONTROL_FDS, for a child that
 * must not keep them; returns how many. */
size_t control_descriptors(const struct control *control, int *list);

/* Where a daemon listens: `given` (--control) unless NULL, $POSTRIDER_CONTROL,
 * $RUNTIME_DIRECTORY/control, $XDG_RUNTIME_DIR/postrider/control, the first
 * that is set; else /run/postrider/control. */
void control_path(const char *given, char *out, size_t cap);
/* Where to ask: the same, but of the standard places the first that has a
 * socket if any has, so that the daemon of the system is found too. */
void control_find(const char *given, char *out, size_t cap);

/* The other end: sends a request, puts the exit status into *status_r and
 * writes the text to `out`, in printable ASCII, LF and tab. ERR_STOP when no
 * daemon listens there, ERR_CONFIG when we may not ask or an argument is
 * empty; ERR_RETRY, with nothing written, when it does not answer wholly. */
bool control_call(const char *path, int argc, const char *const *argv,
	FILE *out, int *status_r, struct err *err) MUST_USE;
/* Waits until nobody listens there any more. ERR_RETRY when somebody still
 * does after `ms` milliseconds. */
bool control_wait_gone(const char *path, int ms, struct err *err) MUST_USE;

#endif
