/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_PARENT_VERDICT_H
#define AGENT_PARENT_VERDICT_H

#include "agent/sched/sched.h"
#include "agent/state/report.h"

/* What the end of a pass means for the next one. */
enum sched_event verdict(const struct report *report);

#endif
