/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_BASE_LOG_H
#define AGENT_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/err.h"
#include "agent/base/log_escape.h"

/*
 * One event, one line. Everything that is not printable ASCII is
 * written as \xNN, so neither a server nor a sender can forge a line or move
 * a terminal's cursor.
 */

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* `target` is "stderr", "syslog" or a path, opened for appending (0600).
 * Children inherit the target. Until the first call: level info, text form,
 * standard error. ERR_CONFIG, and everything as before, when the path cannot
 * be opened.
 *
 * When the journal of systemd reads standard error, lines begin with their
 * priority as it wants it, "<6>". Elsewhere than in a file they have no time.
 *
 * A file that was moved away or removed (rotated) is made again within a
 * second, in each process that writes to it. A line that cannot be written is
 * lost; the next one that can be follows one that says how many were. */
bool log_open(enum log_level level, enum log_format format,
	const char *target, struct err *err) MUST_USE;
/* Opens the file again now; the old one stays in use if that fails. */
void log_reopen(void);
/* For a process that others wait for: a line waits at most so long for whoever
 * reads it. Otherwise as long as it takes. */
void log_patience(int ms);

/* Lines start with this account's name from now on; NULL takes it away. The
 * string must live as long as it is set. */
void log_account(const char *name);
/* Standard error shows a progress block below the cursor: clear it first. */
void log_over_progress(bool on);

bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* Our words, then the server's in quotes if it said any. */
void log_err(enum log_level level, const struct err *err);

#endif
