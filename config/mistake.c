/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/mistake.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/limits.h"
#include "config/fields.h"

/* A path of PATH_MAX still leaves room for the words. */
#define LINE 6144
#define WORDS 4608
#define KEY_SHOWN 80

struct mistake {
	const char *file, *line_text;
	unsigned line, column;
};

struct pile {
	size_t count, kept;
	struct mistake list[LIMIT_CONFIG_ERRORS];
};

struct mistakes {
	struct arena *arena;
	struct pile wrong, advice;
};

struct mistakes *mistakes_new(struct arena *arena)
{
	struct mistakes *m = arena_alloc(arena, sizeof(*m));

	m->arena = arena;
	return m;
}

/* `password: {hunter2}` is a map with a secret for a key, so below it only
 * what is surely a key of ours is shown. */
static bool is_secret(const struct yaml_node *node)
{
	const struct yaml_node *map = node->parent;
	bool account = map->key != NULL && strcmp(map->key, "accounts") == 0
		&& map->parent->parent == NULL;

	return (strcmp(node->key, "password") == 0
		|| strcmp(node->key, "token") == 0) && !account;
}

static void add_key(char *out, size_t cap, const char *key)
{
	char shown[KEY_SHOWN];
	size_t n = strlen(out);

	log_escape(shown, sizeof(shown), key, strlen(key));
	snprintf(out + n, cap - n, "%s%s", n != 0 ? "." : "", shown);
}

/* The keys from the root to the node, joined by dots. */
static void print_path(char *out, size_t cap, const struct yaml_node *node)
{
	const struct yaml_node *up[LIMIT_CONFIG_DEPTH + 1];
	bool below = false, last = false;
	size_t depth = 0;

	for (; node != NULL && depth <= LIMIT_CONFIG_DEPTH; node = node->parent)
		if (node->key != NULL)
			up[depth++] = node;
	out[0] = '\0';
	while (depth-- != 0 && !last) {
		last = below;
		if (below && field_find(secret_fields, up[depth]->key) == NULL)
			break;
		add_key(out, cap, up[depth]->key);
		below = is_secret(up[depth]);
	}
}

static bool known(const struct pile *pile, const char *text)
{
	size_t i;

	for (i = 0; i < pile->kept; i++)
		if (strcmp(pile->list[i].line_text, text) == 0)
			return true;
	return false;
}

static void add(struct mistakes *m, struct pile *pile, const char *file,
	const struct yaml_node *node, unsigned line, unsigned column,
	const char *words)
{
	char path[LIMIT_CONFIG_DEPTH * (KEY_SHOWN + 1)];
	char raw[LINE], text[LINE];

	if (pile->kept == LIMIT_CONFIG_ERRORS) {
		pile->count++;
		return;
	}
	print_path(path, sizeof(path), node);
	snprintf(raw, sizeof(raw), "%s:%u:%u: %s%s%s", file, line, column,
		path, path[0] != '\0' ? ": " : "", words);
	log_escape(text, sizeof(text), raw, strlen(raw));
	if (known(pile, text))
		return;
	pile->count++;
	pile->list[pile->kept++] = (struct mistake){ file,
		arena_strdup(m->arena, text), line, column };
}

void mistake_at(struct mistakes *m, const char *file,
	const struct yaml_node *node, unsigned line, unsigned column,
	const char *words)
{
	add(m, &m->wrong, file, node, line, column, words);
}

bool mistake_value(struct mistakes *m, struct yaml_node *node,
	const char *fmt, ...)
{
	char words[WORDS];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	mistake_at(m, node->file, node, node->line, node->column, words);
	node->bad = true;
	return false;
}

bool mistake_key(struct mistakes *m, struct yaml_node *node,
	const char *fmt, ...)
{
	char words[WORDS];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	mistake_at(m, node->file, node, node->key_line, node->key_column,
		words);
	node->bad = true;
	return false;
}

void mistake_advise(struct mistakes *m, const struct yaml_node *node,
	const char *fmt, ...)
{
	static const char label[] = "warning: ";
	char words[WORDS];
	va_list ap;

	memcpy(words, label, sizeof(label));
	va_start(ap, fmt);
	vsnprintf(words + sizeof(label) - 1, sizeof(words) - sizeof(label) + 1,
		fmt, ap);
	va_end(ap);
	add(m, &m->advice, node->file, node, node->line, node->column, words);
}

struct arena *mistakes_arena(struct mistakes *m)
{
	return m->arena;
}

size_t mistakes_count(const struct mistakes *m)
{
	return m->wrong.count;
}

static int by_place(const void *a, const void *b)
{
	const struct mistake *x = a, *y = b;
	int order = strcmp(x->file, y->file);

	if (order != 0)
		return order;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	return strcmp(x->line_text, y->line_text);
}

static void sort(struct pile *pile)
{
	qsort(pile->list, pile->kept, sizeof(pile->list[0]), by_place);
}

void mistakes_report(struct mistakes *m, config_report *report, void *arg)
{
	size_t i;

	sort(&m->wrong);
	for (i = 0; i < m->wrong.kept; i++)
		report(arg, m->wrong.list[i].line_text);
}

const char *const *mistakes_advice(struct mistakes *m, struct arena *arena)
{
	const char **lines = arena_array(arena, m->advice.kept + 1,
		sizeof(*lines));
	size_t i;

	sort(&m->advice);
	for (i = 0; i < m->advice.kept; i++)
		lines[i] = arena_strdup(arena, m->advice.list[i].line_text);
	return lines;
}
