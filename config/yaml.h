/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONFIG_YAML_H
#define CONFIG_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/arena.h"
#include "agent/base/err.h"

/*
 * A YAML document as a tree that remembers where everything stood. Only what
 * a configuration needs is allowed: text, lists and maps whose keys are text.
 * Aliases, anchors, tags, NUL characters, several documents and keys given
 * twice are mistakes; depth, nodes and bytes are bounded by limits.h.
 */

enum yaml_kind { YAML_TEXT, YAML_LIST, YAML_MAP };

struct yaml_node {
	enum yaml_kind kind;
	bool quoted;		/* text: in quotes, or a | or > block */
	bool bad;		/* a mistake in it was reported; leave it alone */
	unsigned line, column;	/* of the value, from 1; columns are characters */
	unsigned key_line, key_column;	/* of its key, if it stands in a map */
	const char *file;
	const char *key;	/* NULL in a list and at the root */
	const char *text;	/* YAML_TEXT: ends with a NUL, has none inside */
	size_t len;
	size_t count;		/* entries of a list or map */
	struct yaml_node *parent, *first, *last, *next;
};

/* Called once for each mistake. `node` is the node it is about, or NULL for
 * a mistake of syntax; `words` holds nothing of the document's content. */
typedef void yaml_report(void *arg, const struct yaml_node *node,
	unsigned line, unsigned column, const char *words);

/* Reads one document; `file` is a name for marks and must outlive the tree,
 * which lives in `tree`, but for the text of its nodes, which lives in `texts`
 * and may be kept. *root_r is NULL when the document is empty.
 * False when there is no tree to go on with; reported as well. A tree with
 * mistakes in single nodes (those are `bad`) is true. */
bool yaml_parse(const char *file, const char *data, size_t len,
	struct arena *tree, struct arena *texts, yaml_report *report, void *arg,
	struct yaml_node **root_r) MUST_USE;

/* The entry of a map with that key, or NULL. */
struct yaml_node *yaml_find(const struct yaml_node *map, const char *key);
/* Nothing stands where a value could: `limits:` and the end of the line. */
bool yaml_empty(const struct yaml_node *node);

#endif
