/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_NET_RACE_H
#define AGENT_NET_RACE_H

#include "agent/net/resolve.h"

/*
 * Connecting to whichever address of a host answers first (RFC 8305): the next
 * one is tried when all earlier ones have failed or 250 ms have passed, and
 * earlier ones go on meanwhile. A dead address costs 250 ms.
 */

/* What became of each address, as a line for people:
 * "2001:db8::1: Connection refused, 192.0.2.1: connected in 31 ms". */
#define RACE_STORY 400

/* A connected, non-blocking socket, or -1: ERR_RETRY when no address answers
 * before `deadline`, ERR_STOP when stop_fd (-1 for none) is readable. `source`
 * is the numeric address to connect from, or NULL. *winner_r is an index;
 * `story` holds RACE_STORY bytes, and is right also after an error. */
int race_connect(const struct addresses *addresses, const char *source,
	int stop_fd, clock_ms deadline, size_t *winner_r, char *story,
	struct err *err) MUST_USE;

#endif
