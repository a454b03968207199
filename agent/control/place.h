/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_CONTROL_PLACE_H
#define AGENT_CONTROL_PLACE_H

#include <sys/types.h>
#include <sys/un.h>

#include "agent/base/err.h"

/*
 * The file of the control socket: made by one daemon at a time, taken away by
 * the one that made it.
 */

struct control_place {
	int fd;			/* listens, and does not block */
	dev_t dev;		/* the socket file we made */
	ino_t ino;
	struct sockaddr_un at;
};

/* Listens at `path`; errors as control_open(), and then nothing is open. */
bool control_place_take(struct control_place *place, const char *path,
	struct err *err) MUST_USE;
/* Closes it, and removes the file if it is still ours. */
void control_place_leave(struct control_place *place);

#endif
