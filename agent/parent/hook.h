/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_PARENT_HOOK_H
#define AGENT_PARENT_HOOK_H

#include "agent/parent/mda.h"
#include "agent/state/report.h"
#include "config/config.h"

/*
 * Programs that the account's owner wants run at an event. They get it in
 * their environment: POSTRIDER_ACCOUNT, POSTRIDER_EVENT (mail, failing,
 * recovered), POSTRIDER_MESSAGES (delivered in this pass), POSTRIDER_ERROR (our
 * words, not the server's).
 */

enum hook { HOOK_MAIL, HOOK_FAILING, HOOK_RECOVERED, HOOKS };

/* Starts the next hook that a finished pass asks for, from *next on, which it
 * moves behind it. False when none is left; one that cannot be started is
 * logged and passed over. */
bool hook_start(struct mda *mda, enum hook *next, const struct account *account,
	const struct report *report);

#endif
