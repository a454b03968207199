/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_DAEMON_DAEMON_H
#define AGENT_DAEMON_DAEMON_H

#include <stdio.h>

#include "agent/base/log.h"
#include "config/config.h"

/*
 * The daemon: every enabled account on its interval, until it is told to
 * stop. Nothing else ends it: not a server, not a worker that crashes, not a
 * configuration that cannot be read again.
 */

struct daemon_options {
	const struct config *config;	/* outlives the run */
	const char *config_file;	/* read again at a reload; NULL: as found */
	const char *control;		/* --control, or NULL */
	FILE *trace;			/* the dialogue, or NULL */
	/* The level of --verbose and --quiet, which outdo the configuration's;
	 * negative: none was given. */
	int level;
};

/* Runs until stopped. ERR_NONE after an orderly stop; ERR_CONFIG when another
 * daemon has the state directory or the control socket. */
enum err_class daemon_run(const struct daemon_options *options);

#endif
