/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_BASE_LOG_SINK_H
#define AGENT_BASE_LOG_SINK_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/err.h"

/*
 * Where the lines of the log go. A line that cannot be written is lost, never
 * the program.
 */

enum log_sink {
	LOG_SINK_STDERR,
	LOG_SINK_JOURNAL,	/* standard error, which the journal reads */
	LOG_SINK_FILE,
	LOG_SINK_SYSLOG
};

/* "stderr", "syslog" or a path, opened for appending (0600). On ERR_CONFIG
 * everything stays as it was. */
bool log_sink_open(const char *target, struct err *err) MUST_USE;
enum log_sink log_sink_kind(void);
/* Opens the file again if it was moved away or removed; at most once a second
 * unless `now`. False, with the old one still in use, when that fails. */
bool log_sink_follow(bool now, struct err *err) MUST_USE;

/* Writes a line to anything but syslog; false when it was lost, wholly or in
 * part. */
bool log_sink_put(const char *line, size_t len);
/* How long a line may wait for a reader; below 0: as long as it takes. */
void log_sink_patience(int ms);

#endif
