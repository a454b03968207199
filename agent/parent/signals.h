/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_PARENT_SIGNALS_H
#define AGENT_PARENT_SIGNALS_H

#include <stdbool.h>

#include "agent/base/err.h"

/*
 * Signals as bytes in a pipe, so that the loop deals with them like with
 * everything else.
 */

/* What signals_take() returns. */
enum signals { SIGNALS_CHILD = 1, SIGNALS_STOP = 2, SIGNALS_RELOAD = 4,
	SIGNALS_POLL = 8 };

/* From now on SIGCHLD, SIGINT and SIGTERM are noted; SIGHUP is RELOAD and
 * SIGUSR1 POLL for a daemon, else SIGHUP is STOP, unless nohup had it
 * ignored. SIGPIPE is ignored. Once in a process. */
bool signals_catch(bool daemon, struct err *err) MUST_USE;
/* The end that becomes readable, and the other. */
int signals_fd(void);
int signals_write_fd(void);
/* The set of those that came since the last call. */
unsigned int signals_take(void);

#endif
