/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/parent/mda_argv.h"

static bool nothing_to_fill(const char *const *argv)
{
	while (*++argv != NULL)
		if (template_is(*argv))
			return false;
	return true;
}

const char *const *mda_argv_fill(struct mda_argv *filled,
	const char *const *argv, const char *const values[TEMPLATE_WORDS])
{
	size_t i, n, used = 0;

	if (nothing_to_fill(argv))
		return argv;
	for (i = 0; argv[i] != NULL; i++) {
		if (i == LIMIT_MDA_WORDS)
			return NULL;
		filled->list[i] = argv[i];
		if (i == 0 || !template_is(argv[i]))
			continue;
		filled->list[i] = filled->text + used;
		if (!template_fill(argv[i], values, filled->text + used,
			sizeof(filled->text) - used, &n))
			return NULL;
		used += n;
	}
	filled->list[i] = NULL;
	return filled->list;
}
