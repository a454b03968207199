/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/pass/memory.h"

/*
 * Is the clock right? How long a message has been kept is the difference of
 * what the clock said in two passes, and a clock that is years ahead for one
 * pass, or was years behind when a message came, must not empty the server.
 * Nobody here knows the time better than the clock; but one that has gone back,
 * or on by more than passes are likely to be apart, has been wrong, now or
 * then. From such a moment on all ages are counted anew: to keep mail for
 * longer is no loss.
 */

#define DAY 86400
/* Passes are hardly further apart: a laptop that nobody opened over a holiday.
 * And a clock that is set right, or comes from another time zone. */
#define LONGEST_GAP (45 * DAY)
#define LONGEST_WAY_BACK DAY

/* When the last pass was: the clock that it has judged, or, where `memory` was
 * lost, what the ledger was last told. */
static int64_t last_pass(const struct pass *pass)
{
	return pass->memory.clock != 0 ? pass->memory.clock
		: ledger_noted(pass->ledger);
}

static int64_t latest(const struct pass *pass)
{
	int64_t latest = ledger_noted(pass->ledger);

	if (pass->memory.clock > latest)
		latest = pass->memory.clock;
	if (ledger_clock(pass->ledger) > latest)
		latest = ledger_clock(pass->ledger);
	return latest;
}

static void warn(const struct pass *pass, const char *way, int64_t seconds)
{
	log_write(pass->account->keep.kind == KEEP_FOR ? LOG_LEVEL_WARN
			: LOG_LEVEL_DEBUG,
		"the clock has gone %s by %" PRId64 " days since the last fetch: in case it was wrong, nothing is deleted for its age; what is kept for a time is kept from now on", way,
		seconds / DAY);
}

bool pass_judge_clock(struct pass *pass, struct err *err)
{
	int64_t now = clock_wall(), ahead = now - last_pass(pass);
	int64_t back = latest(pass) - now;

	pass->now = now;
	if (ledger_count(pass->ledger) != 0
	    && (ahead > LONGEST_GAP || back > LONGEST_WAY_BACK)) {
		if (back > LONGEST_WAY_BACK)
			warn(pass, "back", back);
		else
			warn(pass, "on", ahead);
		/* Before anything else is noted at this time. */
		if (!ledger_note_clock(pass->ledger, now, err)
		    || !ledger_flush(pass->ledger, err))
			return false;
	}
	pass->memory.clock = now;
	return true;
}
