/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONFIG_FILES_H
#define CONFIG_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "config/decode.h"

/*
 * The files of a configuration as trees: the one that was named and those it
 * includes.
 */

struct file {
	const char *path;
	bool loaded;			/* false: from memory, nothing to judge */
	bool broken;			/* there is no tree to go on with */
	bool told;			/* that it is not private */
	struct stat st;
	struct yaml_node *root;		/* NULL: empty */
	struct yaml_node *accounts;	/* filled in by the caller */
};

struct files {
	struct file *list;		/* list[0] is the main file */
	size_t count;
};

/* Reads the main file. False with ERR_CONFIG when it cannot be read. A mistake
 * in it makes it `broken` instead. */
bool files_load(struct files *files, struct decoder *d, const char *path,
	struct err *err) MUST_USE;
/* The same from memory. */
void files_parse(struct files *files, struct decoder *d, const char *name,
	const char *data, size_t len);
/* Adds the files that match the patterns in `include`, which are relative to
 * the main file. What cannot be read is a mistake at the pattern. */
void files_include(struct files *files, struct decoder *d,
	struct yaml_node *include);

void files_free(struct files *files);

#endif
