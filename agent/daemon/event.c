/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/base/clock.h"
#include "agent/daemon/priv.h"

void daemon_event(struct daemon *d, uint32_t id, enum sched_event event)
{
	const struct roster *roster = parent_roster(d->parent);
	uint32_t i;

	if (id != DAEMON_ALL) {
		sched_event(roster->sched, id, event, clock_now());
		return;
	}
	/* To poll all is not to poll those that somebody has paused. */
	for (i = 0; i < roster->count; i++)
		if (event != SCHED_POLL
		    || !sched_is_paused(roster->sched, i))
			sched_event(roster->sched, i, event, clock_now());
}
