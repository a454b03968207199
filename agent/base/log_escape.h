/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_BASE_LOG_ESCAPE_H
#define AGENT_BASE_LOG_ESCAPE_H

#include <stddef.h>

/*
 * What makes anybody's bytes fit for a line of ours. Apart from the log, as
 * errors need it, and the log needs errors.
 */

/* Copies len bytes into out (cap bytes with the NUL), unprintable ones as
 * \xNN, cut with "..." when it does not fit. Returns out. */
char *log_escape(char *out, size_t cap, const char *s, size_t len);

#endif
