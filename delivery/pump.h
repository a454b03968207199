/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DELIVERY_PUMP_H
#define DELIVERY_PUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/err.h"

/*
 * Message bytes are pulled from a source and pushed into a chain of sinks by
 * one loop, which owns the one buffer, the size limit and the counter. Memory
 * does not grow with the message, and a read error is never taken for a write
 * error.
 */

struct source {
	/* Puts up to cap bytes into buf. *len_r is 0 only at the end of the
	 * message; an end that was not announced is an error. */
	bool (*pull)(struct source *src, char *buf, size_t cap, size_t *len_r,
		struct err *err);
};

struct sink {
	/* Takes all len bytes, in pieces of any size. */
	bool (*push)(struct sink *sink, const char *data, size_t len,
		struct err *err);
	/* The message is complete: write what was held back. A sink passes it
	 * on to the next one in its chain. */
	bool (*finish)(struct sink *sink, struct err *err);
};

enum pump_result {
	PUMP_OK,
	PUMP_TOO_LARGE,		/* more than `limit` bytes */
	PUMP_SOURCE_FAILED,
	PUMP_SINK_FAILED
};

/* Moves a whole message. `limit` in bytes, 0 for none. *bytes_r counts what
 * was pulled. The error is set unless PUMP_OK; its class is ERR_PROTO for
 * PUMP_TOO_LARGE: the rest of the message is still to come. */
enum pump_result pump(struct source *src, struct sink *sink, uint64_t limit,
	uint64_t *bytes_r, struct err *err) MUST_USE;

#endif
