/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONFIG_MISTAKE_H
#define CONFIG_MISTAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/arena.h"
#include "config/config.h"
#include "config/yaml.h"

/*
 * The mistakes found so far, each with its place; and advice, which is none.
 * The words given here must not hold a value from the file, because it may be a
 * password in the wrong place; only keys are named, and below `password:` only
 * the known ones.
 */

struct mistakes;

struct mistakes *mistakes_new(struct arena *arena);

/* About a node's value. Marks the node `bad` and returns false. A line that
 * was added before is not added again. */
bool mistake_value(struct mistakes *m, struct yaml_node *node,
	const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The same about the node's key: the place is the key's. */
bool mistake_key(struct mistakes *m, struct yaml_node *node,
	const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* At any place of a file; `node` gives the path and may be NULL. */
void mistake_at(struct mistakes *m, const char *file,
	const struct yaml_node *node, unsigned line, unsigned column,
	const char *words);

/* Advice about a node's value, once for all accounts that share it. */
void mistake_advise(struct mistakes *m, const struct yaml_node *node,
	const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* For words, until all is reported. */
struct arena *mistakes_arena(struct mistakes *m);
/* What does not count: advice. */
size_t mistakes_count(const struct mistakes *m);
/* Hands them on, sorted by file, line and column; at most
 * LIMIT_CONFIG_ERRORS of them. */
void mistakes_report(struct mistakes *m, config_report *report, void *arg);
/* The advice in the same order, NULL-terminated, in `arena`. */
const char *const *mistakes_advice(struct mistakes *m, struct arena *arena);

#endif
