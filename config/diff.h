/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONFIG_DIFF_H
#define CONFIG_DIFF_H

#include "config/config.h"

/*
 * What a new configuration changes, for whoever asked for it. Values are never
 * shown: some are secret.
 */

/* Puts the names of the keys in which two accounts differ into `keys`; false
 * if there are none. */
bool diff_account(const struct account *before, const struct account *after,
	char *keys, size_t cap);
/* The keys of the top level, `accounts` and `defaults` aside. */
bool diff_top(const struct config *before, const struct config *after,
	char *keys, size_t cap);

#endif
