/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H

#include <sys/stat.h>

#include "config/decode.h"

/*
 * What one row cannot know: keys that need or exclude each other, names that
 * must be unique, files that must be private.
 */

/* An account's name is a file name under `state` and a word on command lines. */
bool check_name(struct mistakes *m, struct yaml_node *account);

/* After the account was read. `node` is its map, `defaults` the map of
 * defaults or NULL; keys already known to be wrong are left alone. */
void check_account(struct mistakes *m, const struct account *account,
	struct yaml_node *node, const struct yaml_node *defaults);

/* Two accounts of the same name, in one file or in two. */
void check_unique(struct mistakes *m, struct yaml_node *const *accounts,
	size_t count);

/* A password or a token in this map (of an account or of defaults), not both;
 * one that an account has itself replaces both of the defaults. */
void check_one_secret(struct mistakes *m, struct account *account,
	const struct yaml_node *map);

/* A secret that stands in this map (of an account or of defaults, read into
 * `account`): the file with the map must be private; `told` keeps that to one
 * line a file. So must the file that {file:} or {netrc:} names, if it exists
 * and the account is enabled. */
void check_secrets(struct decoder *d, struct yaml_node *map,
	const struct account *account, const struct stat *st, bool *told);

/* The same for the password of a proxy. */
void check_proxy(struct decoder *d, struct yaml_node *map,
	const struct account *account, const struct stat *st, bool *told);

/* A file with the key of a client certificate must be private; one without a
 * key of its own holds it too. So must this file if it has a token's PIN. */
void check_client_key(struct decoder *d, struct yaml_node *map,
	const struct account *account, const struct stat *st, bool *told);

#endif
