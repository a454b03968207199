/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/files.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "config/path.h"
#include "config/source.h"

#define WILDCARDS "*?["

static struct file *add(struct files *files, const char *path)
{
	struct file *file;

	files->list = mem_grow(files->list, files->count + 1,
		sizeof(*files->list));
	file = &files->list[files->count++];
	*file = (struct file){ .path = path };
	return file;
}

struct place {
	struct mistakes *mistakes;
	const char *path;
};

static void on_mistake(void *arg, const struct yaml_node *node,
	unsigned line, unsigned column, const char *words)
{
	const struct place *in = arg;

	mistake_at(in->mistakes, in->path, node, line, column, words);
}

static void parse(struct file *file, struct decoder *d, const char *data,
	size_t len)
{
	struct place in = { d->mistakes, file->path };

	file->broken = !yaml_parse(file->path, data, len, d->tree,
		d->arena, on_mistake, &in, &file->root);
}

static bool load(struct files *files, struct decoder *d, const char *path,
	struct err *err)
{
	struct source source;
	struct file *file;
	const char *why;

	if (!source_read(path, &source, err))
		return false;
	file = add(files, path);
	file->loaded = true;
	file->st = source.st;
	parse(file, d, source.data, source.len);
	source_free(&source);
	why = source_unsafe(d->arena, &file->st, path);
	if (why != NULL)
		mistake_at(d->mistakes, path, NULL, 1, 1, why);
	return true;
}

bool files_load(struct files *files, struct decoder *d, const char *path,
	struct err *err)
{
	*files = (struct files){ NULL, 0 };
	return load(files, d, arena_strdup(d->arena, path), err);
}

void files_parse(struct files *files, struct decoder *d, const char *name,
	const char *data, size_t len)
{
	*files = (struct files){ NULL, 0 };
	parse(add(files, arena_strdup(d->arena, name)), d, data, len);
}

static void load_all(struct files *files, struct decoder *d,
	struct yaml_node *at, const glob_t *found)
{
	struct err err = ERR_INIT;
	size_t i;

	for (i = 0; i < found->gl_pathc; i++)
		if (!load(files, d, arena_strdup(d->arena, found->gl_pathv[i]),
			&err))
			mistake_value(d->mistakes, at, "%s", err.text);
}

/* The main file's folder is no pattern, whatever is in its name. */
static const char *literal_folder(struct decoder *d, const char *path)
{
	char *out = arena_array(d->arena, strlen(path) + 1, 2);
	char *p = out;

	for (; *path != '\0'; path++) {
		if (strchr(WILDCARDS "]\\", *path) != NULL)
			*p++ = '\\';
		*p++ = *path;
	}
	return out;
}

static void include_one(struct files *files, struct decoder *d,
	struct yaml_node *node)
{
	const char *why, *pattern;
	glob_t found;
	int code;

	if (!node->bad && node->len == 0)
		mistake_value(d->mistakes, node, "the name of a file is wanted");
	if (node->bad)
		return;
	pattern = path_expand(d->arena, node->text, &why);
	if (pattern == NULL) {
		mistake_value(d->mistakes, node, "%s", why);
		return;
	}
	pattern = path_beside(d->arena,
		literal_folder(d, files->list[0].path), pattern);
	code = glob(pattern, 0, NULL, &found);
	if (code == 0)
		load_all(files, d, node, &found);
	else if (code != GLOB_NOMATCH)
		mistake_value(d->mistakes, node, "the folder cannot be read");
	else if (strpbrk(node->text, WILDCARDS) == NULL)
		mistake_value(d->mistakes, node, "there is no such file");
	if (code == 0)
		globfree(&found);
}

void files_include(struct files *files, struct decoder *d,
	struct yaml_node *include)
{
	struct yaml_node *node;

	if (include->bad || yaml_empty(include))
		return;
	if (include->kind == YAML_TEXT) {
		include_one(files, d, include);
		return;
	}
	for (node = include->first; node != NULL; node = node->next)
		if (include->kind == YAML_MAP || node->kind != YAML_TEXT)
			mistake_value(d->mistakes, node,
				"a pattern of file names is wanted");
		else
			include_one(files, d, node);
}

void files_free(struct files *files)
{
	free(files->list);
	*files = (struct files){ NULL, 0 };
}
