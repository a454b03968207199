/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_DAEMON_NOTIFY_H
#define AGENT_DAEMON_NOTIFY_H

#include <stdint.h>

/*
 * Tells the service manager how the daemon fares: the protocol of
 * sd_notify(3). Without one that asked for it nothing happens. A manager that
 * does not listen costs a second at most.
 */

/* Once, before the first child: takes NOTIFY_SOCKET, WATCHDOG_USEC and
 * WATCHDOG_PID out of the environment. */
void notify_open(void);
/* The descriptor that a child must not keep, or -1. */
int notify_descriptor(void);
void notify_close(void);

/* At work; also after notify_reloading(). */
void notify_ready(void);
/* Reads its configuration again, until notify_ready(). */
void notify_reloading(void);
void notify_stopping(void);
/* One line for `systemctl status`. */
void notify_status(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));

/* Still alive; to be called every notify_watchdog_ms(), half of the time after
 * which the manager gives us up; 0 if it does not watch. */
void notify_watchdog(void);
int64_t notify_watchdog_ms(void);

#endif
