/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pass/priv.h"

/*
 * What each step of a pass stands on: the messages it is about, and the word to
 * the caller how far it is. pass.c, the course, is above the steps.
 */

void pass_tell(struct pass *pass, enum report_phase phase)
{
	pass->progress.phase = phase;
	pass->env->progress(pass->env->arg, &pass->progress);
}

size_t pass_select(struct pass *pass, enum plan_action action)
{
	size_t i;

	pass->work_count = 0;
	for (i = 0; i < pass->plan.count; i++)
		if (pass->plan.messages[i].action == action)
			pass->work[pass->work_count++] =
				&pass->plan.messages[i];
	return pass->work_count;
}

uint64_t pass_number(const struct pass *pass, size_t i)
{
	return pass->work[i]->listed->number;
}
