/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONFIG_TEMPLATE_H
#define CONFIG_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Placeholders in the arguments of a delivery program: %{sender} and
 * %{account}, whole arguments or parts of one. A percent sign is itself; only
 * those that stand directly before a { are written twice, so that "%%{" means
 * "%{". What is filled in is not looked at again.
 */

enum template_word { TEMPLATE_SENDER, TEMPLATE_ACCOUNT, TEMPLATE_WORDS };

/* Does it have to be filled in? */
bool template_is(const char *text);
/* NULL, or what is wrong with it and what would be right. */
const char *template_mistake(const char *text);
/* How many bytes it has at most, NUL included, where no value is longer than
 * `longest`. */
size_t template_room(const char *text, size_t longest);
/* Fills it in; false if it does not fit or is wrong. *len_r counts the NUL. */
bool template_fill(const char *text, const char *const values[TEMPLATE_WORDS],
	char *out, size_t cap, size_t *len_r);

#endif
