/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONFIG_NEAR_H
#define CONFIG_NEAR_H

#include <stddef.h>

/*
 * "Did you mean?": of the names offered, the one nearest to a misspelt word,
 * counting letters missing, added, changed or swapped with their neighbour.
 */

struct near {
	const char *word;
	const char *best;
	size_t distance;
};

/* Names further away than a third of the word's letters are no help. */
void near_start(struct near *near, const char *word);
void near_offer(struct near *near, const char *name);
/* The nearest name offered (the pointer that was offered), or NULL. */
const char *near_best(const struct near *near);

#endif
