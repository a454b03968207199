/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/parent/hook.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "agent/base/log.h"

static const char *const names[] = {
	[HOOK_MAIL] = "mail",
	[HOOK_FAILING] = "failing",
	[HOOK_RECOVERED] = "recovered",
};
static_assert(sizeof(names) / sizeof(names[0]) == HOOKS, "one for each hook");

/* NULL: nothing of that kind has happened, or nobody wants to know. */
static const char *const *wanted(enum hook hook, const struct account *account,
	const struct report *report)
{
	switch (hook) {
	case HOOK_MAIL:
		return report->counts.delivered != 0 ? account->hooks.mail
			: NULL;
	case HOOK_FAILING:
		return report->turn == TURN_FAILING ? account->hooks.failing
			: NULL;
	case HOOK_RECOVERED:
		return report->turn == TURN_RECOVERED
			? account->hooks.recovered : NULL;
	case HOOKS:
		break;
	}
	return NULL;
}

static bool start(struct mda *mda, enum hook hook, const char *const *argv,
	const struct account *account, const struct report *report)
{
	char name[100], event[40], messages[60], text[560];
	const char *const variables[] = { name, event, messages, text, NULL };
	struct err err = ERR_INIT;

	snprintf(name, sizeof(name), "POSTRIDER_ACCOUNT=%s", account->name);
	snprintf(event, sizeof(event), "POSTRIDER_EVENT=%s", names[hook]);
	snprintf(messages, sizeof(messages), "POSTRIDER_MESSAGES=%" PRIu64,
		report->counts.delivered);
	snprintf(text, sizeof(text), "POSTRIDER_ERROR=%s", report->text);
	if (mda_start(mda, argv, -1, variables, &err))
		return true;
	log_warn("%s: the %s hook: %s", account->name, names[hook], err.text);
	return false;
}

bool hook_start(struct mda *mda, enum hook *next, const struct account *account,
	const struct report *report)
{
	const char *const *argv;
	enum hook hook;

	while (*next < HOOKS) {
		hook = (*next)++;
		argv = wanted(hook, account, report);
		if (argv != NULL && start(mda, hook, argv, account, report))
			return true;
	}
	return false;
}
