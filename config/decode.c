/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/decode.h"

#include <stdio.h>
#include <string.h>

#include "config/near.h"
#include "config/value.h"

/* A shorter table is listed as a whole when nothing in it is near. */
#define LISTED 8

static const char *nearest(const struct field *fields, const char *word)
{
	struct near near;

	near_start(&near, word);
	for (; fields->key != NULL; fields++)
		near_offer(&near, fields->key);
	return near_best(&near);
}

static const char *list_keys(const struct field *fields, char *out, size_t cap)
{
	size_t i, n = 0;

	out[0] = '\0';
	for (i = 0; fields[i].key != NULL && n < cap; i++)
		n += (size_t)snprintf(out + n, cap - n, "%s%s",
			i != 0 ? ", " : "", fields[i].key);
	return i <= LISTED && n < cap ? out : NULL;
}

static bool unknown_key(struct decoder *d, struct yaml_node *node,
	const struct field *fields)
{
	const char *near = nearest(fields, node->key);
	char list[200];
	const char *keys = list_keys(fields, list, sizeof(list));

	/* `password: {hunter2}`: what looks like a key is the password. */
	if (fields == secret_fields)
		return mistake_key(d->mistakes, node,
			"unknown key (not shown, it may be the password itself: put that in quotes); known here: %s",
			keys);
	if (near != NULL)
		return mistake_key(d->mistakes, node,
			"unknown key; did you mean \"%s\"?", near);
	if (keys != NULL)
		return mistake_key(d->mistakes, node,
			"unknown key; known here: %s", keys);
	return mistake_key(d->mistakes, node, "unknown key");
}

static bool take_key(struct decoder *d, struct yaml_node *node,
	const struct field *fields, void *base)
{
	const struct field *f = field_find(fields, node->key);

	/* A node to be read later is kept: others must know that it is there. */
	if (node->bad && (f == NULL || f->type != FIELD_NODE))
		return false;
	if (f == NULL)
		return unknown_key(d, node, fields);
	if (!value_take(d, node, f, (char *)base + f->offset))
		node->bad = true;
	return !node->bad;
}

bool decode_map(struct decoder *d, struct yaml_node *map,
	const struct field *fields, void *base)
{
	struct yaml_node *node;
	bool ok = true;

	if (map->bad || yaml_empty(map))
		return !map->bad;
	if (map->kind != YAML_MAP)
		return mistake_value(d->mistakes, map, "keys are wanted here");
	for (node = map->first; node != NULL; node = node->next)
		if (!take_key(d, node, fields, base))
			ok = false;
	return ok;
}

/* A key given replaces all of the member: what the defaults of the file said
 * inside it goes, what the program says comes back. */
static void start_fresh(const struct field *f, void *member)
{
	if (f->fresh != NULL)
		memcpy(member, f->fresh, f->size);
	else if (f->size != 0)
		memset(member, 0, f->size);
}

bool decode_submap(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member)
{
	start_fresh(f, member);
	return decode_map(d, node, f->fields, member);
}

/* The names of the rows one of which must be chosen: "maildir, mbox or pipe". */
static void list_choices(const struct field *fields, char *out, size_t cap)
{
	const struct field *f, *last = NULL;
	size_t n = 0;

	for (f = fields; f->key != NULL; f++)
		if (f->choice != 0)
			last = f;
	out[0] = '\0';
	for (f = fields; f->key != NULL && n < cap; f++) {
		if (f->choice == 0)
			continue;
		n += (size_t)snprintf(out + n, cap - n, "%s%s",
			n == 0 ? "" : f == last ? " or " : ", ", f->key);
	}
}

static bool choose(struct decoder *d, struct yaml_node *map,
	const struct field *fields, void *member)
{
	struct yaml_node *node;
	const struct field *f;
	char list[200];
	int chosen = 0;

	list_choices(fields, list, sizeof(list));
	for (node = map->first; node != NULL; node = node->next) {
		f = field_find(fields, node->key);
		if (f == NULL || f->choice == 0)
			continue;
		if (chosen != 0)
			return mistake_key(d->mistakes, node,
				"only one of %s can be given", list);
		chosen = f->choice;
	}
	if (chosen == 0)
		return mistake_value(d->mistakes, map, "one of %s is wanted",
			list);
	memcpy(member, &chosen, sizeof(chosen));
	return true;
}

bool decode_choice(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member)
{
	memset(member, 0, f->size);
	if (!decode_map(d, node, f->fields, member))
		return false;
	return choose(d, node, f->fields, member);
}
