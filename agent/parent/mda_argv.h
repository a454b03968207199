/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_PARENT_MDA_ARGV_H
#define AGENT_PARENT_MDA_ARGV_H

#include "agent/base/limits.h"
#include "config/template.h"

/*
 * The arguments of a delivery program, for one message: the configured ones,
 * with their placeholders filled in. Each stays one argument. The
 * configuration has seen to it that there is room.
 */

struct mda_argv {
	const char *list[LIMIT_MDA_WORDS + 1];
	char text[LIMIT_MDA_ARGUMENTS];
};

/* Returns `argv` itself if there is nothing to fill in, else the list, which
 * lives as long as both; NULL if it does not fit. The program is taken as it
 * is. */
const char *const *mda_argv_fill(struct mda_argv *filled,
	const char *const *argv, const char *const values[TEMPLATE_WORDS]);

#endif
