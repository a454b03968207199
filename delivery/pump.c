/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "delivery/pump.h"

#include <inttypes.h>

#include "agent/base/arena.h"
#include "agent/base/limits.h"

enum pump_result pump(struct source *src, struct sink *sink, uint64_t limit,
	uint64_t *bytes_r, struct err *err)
{
	char buf[LIMIT_PUMP_BUFFER] UNFILLED;
	size_t len;

	*bytes_r = 0;
	for (;;) {
		if (!src->pull(src, buf, sizeof(buf), &len, err))
			return PUMP_SOURCE_FAILED;
		if (len == 0)
			break;
		*bytes_r += len;
		if (limit != 0 && *bytes_r > limit) {
			err_set(err, ERR_PROTO,
				"the server sends far more than it listed for a message (over %" PRIu64
				" bytes)", limit);
			return PUMP_TOO_LARGE;
		}
		if (!sink->push(sink, buf, len, err))
			return PUMP_SINK_FAILED;
	}
	return sink->finish(sink, err) ? PUMP_OK : PUMP_SINK_FAILED;
}
