/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_PARENT_CHAN_H
#define AGENT_PARENT_CHAN_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/err.h"
#include "agent/base/limits.h"
#include "agent/state/report.h"

/*
 * Packets between the parent and a worker, over a SOCK_SEQPACKET pair. All
 * have one fixed size. Each side treats the other as hostile: a packet of
 * another size, an unknown type or an unterminated text ends the connection.
 */

enum chan_type {
	CHAN_PROGRESS = 1,	/* worker: how far it is */
	CHAN_SPAWN,		/* worker: run the MDA on this descriptor */
	CHAN_EXITED,		/* parent: how that ended */
	CHAN_REPORT,		/* worker: how the pass ended */
	CHAN_STOP		/* parent: end soon */
};

struct chan_spawn {
	uint64_t id;			/* delivery id */
	uint32_t attempt;
	char epoch[24];
	char sender[LIMIT_SENDER + 1];	/* to be judged by sender_valid() */
};

struct chan_exited {
	uint32_t started;		/* 0: `output` says why not */
	int32_t status;			/* wait status; not started: err_class */
	char output[LIMIT_MDA_OUTPUT];	/* last words, printable */
};

struct chan_packet {
	uint32_t type;			/* enum chan_type */
	union {
		struct report_progress progress;
		struct chan_spawn spawn;
		struct chan_exited exited;
		struct report report;
	};
};

/* Two connected ends, close-on-exec. */
bool chan_pair(int fds[2], struct err *err) MUST_USE;

/* The parent never waits for a worker: it would wait for ever for one that
 * wants it to. */
enum chan_wait { CHAN_WAIT, CHAN_DONT_WAIT };

/* `fd` goes along if it is not -1. ERR_STOP if the other end is gone,
 * ERR_RETRY if it would have to be waited for. */
bool chan_send(int chan, const struct chan_packet *packet, int fd,
	enum chan_wait wait, struct err *err) MUST_USE;

/* Gets a packet and checks it. *fd_r is a descriptor that came along (the
 * receiver closes it) or -1; NULL refuses descriptors. ERR_STOP when the other
 * end is gone, ERR_RETRY when nothing is there and we do not wait, ERR_PROTO
 * for a packet that is not well-formed. */
bool chan_recv(int chan, struct chan_packet *packet_r, int *fd_r,
	enum chan_wait wait, struct err *err) MUST_USE;

#endif
