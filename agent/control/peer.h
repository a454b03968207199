/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_CONTROL_PEER_H
#define AGENT_CONTROL_PEER_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

#include "agent/base/err.h"

/*
 * What the two ends of the control socket share: its address, who is at the
 * other end, and the form of an answer.
 */

/* "NNN\n", where an answer begins. */
#define PEER_STATUS_LEN 4

/* A stream socket, not blocking and closed on exec; -1 with ERR_RETRY. */
int peer_socket(struct err *err) MUST_USE;
/* ERR_CONFIG when the path does not fit. */
bool peer_address(const char *path, struct sockaddr_un *at_r,
	struct err *err) MUST_USE;
/* Is it a process of our user, or of root? */
bool peer_is_ours(int fd);
/* The process that listens at the other end of a connected socket; 0 where the
 * system does not say. */
pid_t peer_pid(int fd);

#endif
