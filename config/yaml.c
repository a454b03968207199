/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/yaml.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "agent/base/limits.h"

struct builder {
	yaml_parser_t parser;
	const char *file, *data;
	size_t len;
	struct arena *tree, *texts;
	yaml_report *report;
	void *arg;
	struct yaml_node *root;
	struct yaml_node *open;		/* the innermost list or map not ended */
	const char *key;		/* read, its value not yet */
	yaml_mark_t key_mark;
	unsigned depth, documents;
	size_t nodes;
};

static bool refuse(struct builder *b, const struct yaml_node *node,
	yaml_mark_t mark, const char *words)
{
	b->report(b->arg, node, (unsigned)mark.line + 1,
		(unsigned)mark.column + 1, words);
	return false;
}

/* A mistake in one node: the rest of the document can still be judged. */
static void refuse_node(struct builder *b, struct yaml_node *node,
	yaml_mark_t mark, const char *words)
{
	node->bad = true;
	refuse(b, node, mark, words);
}

static void put_key(struct builder *b, struct yaml_node *node)
{
	if (b->key == NULL)
		return;
	node->key = b->key;
	node->key_line = (unsigned)b->key_mark.line + 1;
	node->key_column = (unsigned)b->key_mark.column + 1;
	b->key = NULL;
}

static struct yaml_node *add(struct builder *b, enum yaml_kind kind,
	const yaml_event_t *event)
{
	struct yaml_node *node = arena_alloc(b->tree, sizeof(*node));

	node->kind = kind;
	node->file = b->file;
	node->line = (unsigned)event->start_mark.line + 1;
	node->column = (unsigned)event->start_mark.column + 1;
	node->parent = b->open;
	put_key(b, node);
	if (b->open == NULL) {
		b->root = node;
		return node;
	}
	if (b->open->last != NULL)
		b->open->last->next = node;
	else
		b->open->first = node;
	b->open->last = node;
	b->open->count++;
	return node;
}

static void no_decoration(struct builder *b, struct yaml_node *node,
	const yaml_event_t *event, const void *anchor, bool tag)
{
	if (anchor != NULL)
		refuse_node(b, node, event->start_mark,
			"anchors and aliases (& and *) are not allowed; put text that begins with & or * in quotes");
	else if (tag)
		refuse_node(b, node, event->start_mark,
			"tags are not allowed; put text that begins with ! in quotes");
}

static bool wants_key(const struct builder *b)
{
	return b->open != NULL && b->open->kind == YAML_MAP && b->key == NULL;
}

static bool has_nul(const yaml_event_t *event)
{
	return memchr(event->data.scalar.value, '\0',
		event->data.scalar.length) != NULL;
}

static bool has_tag(const yaml_event_t *event)
{
	bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

	return event->data.scalar.tag != NULL
		|| (plain && !event->data.scalar.plain_implicit);
}

static bool take_key(struct builder *b, const yaml_event_t *event)
{
	if (event->data.scalar.anchor != NULL || has_tag(event)
	    || has_nul(event))
		return refuse(b, b->open, event->start_mark,
			"a key must be plain text");
	b->key = arena_strndup(b->tree,
		(const char *)event->data.scalar.value,
		event->data.scalar.length);
	b->key_mark = event->start_mark;
	return true;
}

static bool take_scalar(struct builder *b, const yaml_event_t *event)
{
	struct yaml_node *node;

	if (wants_key(b))
		return take_key(b, event);
	node = add(b, YAML_TEXT, event);
	node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	no_decoration(b, node, event, event->data.scalar.anchor,
		has_tag(event));
	if (!node->bad && has_nul(event))
		refuse_node(b, node, event->start_mark,
			"a NUL character is not allowed");
	node->text = "";
	if (node->bad)
		return true;
	node->text = arena_strndup(b->texts,
		(const char *)event->data.scalar.value,
		event->data.scalar.length);
	node->len = event->data.scalar.length;
	return true;
}

static bool take_alias(struct builder *b, const yaml_event_t *event)
{
	struct yaml_node *node;

	if (wants_key(b))
		return refuse(b, b->open, event->start_mark,
			"a key must be plain text");
	node = add(b, YAML_TEXT, event);
	node->text = "";
	no_decoration(b, node, event, event, false);
	return true;
}

static bool take_start(struct builder *b, const yaml_event_t *event)
{
	bool map = event->type == YAML_MAPPING_START_EVENT;
	struct yaml_node *node;

	if (wants_key(b))
		return refuse(b, b->open, event->start_mark,
			"a key must be plain text");
	if (++b->depth > LIMIT_CONFIG_DEPTH)
		return refuse(b, b->open, event->start_mark,
			"lists and maps are nested too deeply");
	node = add(b, map ? YAML_MAP : YAML_LIST, event);
	if (map)
		no_decoration(b, node, event,
			event->data.mapping_start.anchor,
			event->data.mapping_start.tag != NULL);
	else
		no_decoration(b, node, event,
			event->data.sequence_start.anchor,
			event->data.sequence_start.tag != NULL);
	b->open = node;
	return true;
}

static int by_key(const void *a, const void *b)
{
	const struct yaml_node *x = *(const struct yaml_node *const *)a;
	const struct yaml_node *y = *(const struct yaml_node *const *)b;
	int order = strcmp(x->key, y->key);

	if (order != 0)
		return order;
	if (x->key_line != y->key_line)
		return x->key_line < y->key_line ? -1 : 1;
	return x->key_column < y->key_column ? -1 : 1;
}

/* Sorting keeps a map of a hundred thousand keys from taking minutes. */
static void refuse_twins(struct builder *b, struct yaml_node *map)
{
	struct yaml_node **nodes = mem_grow(NULL, map->count, sizeof(*nodes));
	struct yaml_node *node, *original = NULL;
	char words[64];
	size_t i = 0;

	for (node = map->first; node != NULL; node = node->next)
		nodes[i++] = node;
	qsort(nodes, map->count, sizeof(*nodes), by_key);
	for (i = 0; i < map->count; i++) {
		node = nodes[i];
		if (original == NULL || strcmp(node->key, original->key) != 0) {
			original = node;
			continue;
		}
		node->bad = true;
		snprintf(words, sizeof(words),
			"given twice; the first is on line %u",
			original->key_line);
		b->report(b->arg, node, node->key_line, node->key_column,
			words);
	}
	free(nodes);
}

static bool take_end(struct builder *b, const yaml_event_t *event)
{
	(void)event;
	if (b->open->kind == YAML_MAP && b->open->count > 1)
		refuse_twins(b, b->open);
	b->open = b->open->parent;
	b->depth--;
	return true;
}

static bool take_document(struct builder *b, const yaml_event_t *event)
{
	if (++b->documents > 1)
		return refuse(b, NULL, event->start_mark,
			"a second document (---) is not allowed");
	return true;
}

static bool take(struct builder *b, const yaml_event_t *event)
{
	static bool (*const takes[])(struct builder *,
		const yaml_event_t *) = {
		[YAML_DOCUMENT_START_EVENT] = take_document,
		[YAML_ALIAS_EVENT] = take_alias,
		[YAML_SCALAR_EVENT] = take_scalar,
		[YAML_SEQUENCE_START_EVENT] = take_start,
		[YAML_SEQUENCE_END_EVENT] = take_end,
		[YAML_MAPPING_START_EVENT] = take_start,
		[YAML_MAPPING_END_EVENT] = take_end,
	};

	static_assert(sizeof(takes) / sizeof(takes[0])
		== YAML_MAPPING_END_EVENT + 1, "one row for each event");
	if (++b->nodes > LIMIT_CONFIG_NODES)
		return refuse(b, NULL, event->start_mark,
			"too many values in one file");
	return takes[event->type] == NULL || takes[event->type](b, event);
}

/* The reader knows only an offset in bytes. */
static yaml_mark_t mark_at(const struct builder *b, size_t offset)
{
	yaml_mark_t mark = { 0, 0, 0 };

	for (; mark.index < offset && mark.index < b->len; mark.index++) {
		if (b->data[mark.index] == '\n') {
			mark.line++;
			mark.column = 0;
		} else if (((unsigned char)b->data[mark.index] & 0xc0) != 0x80)
			mark.column++;
	}
	return mark;
}

/* What libyaml says of the commonest slips, in words for people who do not
 * know how a parser works. */
static const char *plain_words(const char *problem)
{
	static const char *const table[][2] = {
		{ "found character that cannot start any token",
		  "lines are indented with spaces, not tabs, and text that begins with @, % or ` must be in quotes" },
		{ "mapping values are not allowed in this context",
		  "a key and a value cannot stand here; text with \": \" in it must be in quotes" },
		{ "could not find expected ':'",
		  "there is no \": \" after this key, or the line is indented too little" },
		{ "did not find expected key",
		  "this line is indented differently from the keys around it, or text goes on after a closing quote" },
		{ "did not find expected ',' or ']'",
		  "a , or ] is missing before this" },
		{ "did not find expected ',' or '}'",
		  "a , or } is missing before this" },
		{ "did not find expected node content",
		  "a value is missing before this, or a bracket has no partner" },
		{ "found unexpected end of stream",
		  "the file ends inside quotes" },
	};
	size_t i;

	if (problem == NULL)
		return "this is not YAML";
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(problem, table[i][0]) == 0)
			return table[i][1];
	return problem;
}

static bool syntax_error(struct builder *b)
{
	const yaml_parser_t *p = &b->parser;
	const char *problem = plain_words(p->problem);
	char words[300];

	if (p->error == YAML_MEMORY_ERROR)
		mem_exhausted();
	if (p->error == YAML_READER_ERROR)
		return refuse(b, NULL, mark_at(b, p->problem_offset), problem);
	if (p->context != NULL && p->context_mark.line != p->problem_mark.line)
		snprintf(words, sizeof(words), "%s (%s that begins on line %zu)",
			problem, p->context, p->context_mark.line + 1);
	else
		snprintf(words, sizeof(words), "%s", problem);
	return refuse(b, NULL, p->problem_mark, words);
}

static bool build(struct builder *b)
{
	yaml_event_t event;
	bool ok, end = false;

	while (!end) {
		if (!yaml_parser_parse(&b->parser, &event))
			return syntax_error(b);
		end = event.type == YAML_STREAM_END_EVENT;
		ok = take(b, &event);
		yaml_event_delete(&event);
		if (!ok)
			return false;
	}
	return true;
}

bool yaml_parse(const char *file, const char *data, size_t len,
	struct arena *tree, struct arena *texts, yaml_report *report, void *arg,
	struct yaml_node **root_r)
{
	struct builder b = { .file = file, .data = data, .len = len,
		.tree = tree, .texts = texts, .report = report, .arg = arg };
	yaml_mark_t start = { 0, 0, 0 };
	bool ok;

	if (len > LIMIT_CONFIG_BYTES)
		return refuse(&b, NULL, start, "the file is larger than 1 MiB");
	if (!yaml_parser_initialize(&b.parser))
		return refuse(&b, NULL, start, "out of memory");
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&b.parser, (const unsigned char *)data,
		len);
	ok = build(&b);
	yaml_parser_delete(&b.parser);
	*root_r = b.root;
	return ok;
}

struct yaml_node *yaml_find(const struct yaml_node *map, const char *key)
{
	struct yaml_node *node;

	if (map == NULL || map->kind != YAML_MAP)
		return NULL;
	for (node = map->first; node != NULL; node = node->next)
		if (strcmp(node->key, key) == 0)
			return node;
	return NULL;
}

bool yaml_empty(const struct yaml_node *node)
{
	return node->kind == YAML_TEXT && !node->quoted && node->len == 0;
}
