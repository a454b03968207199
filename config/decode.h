/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONFIG_DECODE_H
#define CONFIG_DECODE_H

#include <stdbool.h>

#include "config/fields.h"
#include "config/mistake.h"
#include "config/yaml.h"

/*
 * From a tree and a table of rows to a struct. Nothing here knows a key by
 * name; every mistake is collected and the rest is still read.
 *
 * decode.c and value.c with its value_*.c call each other in a circle, the only
 * one between files of a room: a map holds values, and a value may be a map.
 */

struct decoder {
	struct arena *arena;		/* what is read lives here */
	struct arena *tree;		/* until all is read */
	struct mistakes *mistakes;
};

/* Reads a map into the struct at `base`, which holds the defaults: a key
 * given replaces its member as a whole. Nodes with a mistake are marked `bad`,
 * and false is returned. An empty value is an empty map. */
bool decode_map(struct decoder *d, struct yaml_node *map,
	const struct field *fields, void *base);

/* The functions of FIELD_MAP, FIELD_CHOICE and FIELD_SECRET; see value.h. */
bool decode_submap(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member);
bool decode_choice(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member);

#endif
