/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "delivery/dest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/arena.h"
#include "agent/base/fsx.h"
#include "delivery/filter.h"

/* Smaller files cost less in the flush that they share than each by itself. */
#define WRITEBACK_FROM (128 * 1024)

static const struct dest_kind *const kinds[] = {
	&dest_maildir, &dest_mbox, &dest_pipe,
};

void dest_describe(char *out, size_t cap, const char *kind, const char *path,
	bool gzip)
{
	snprintf(out, cap, "%s%s:%s", kind, gzip ? "+gzip" : "", path);
}

static const struct dest_kind *find_kind(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strlen(kinds[i]->name) == len
		    && memcmp(kinds[i]->name, name, len) == 0)
			return kinds[i];
	return NULL;
}

struct filter_options dest_form(const char *name)
{
	size_t word = strcspn(name, "+:");

	return (struct filter_options){
		.mboxrd = find_kind(name, word) == &dest_mbox,
		.gzip = strncmp(name + word, "+gzip:", 6) == 0 };
}

void dest_seal(struct dest *dest, struct item *item)
{
	item->size = filter_size(dest->chain);
	item->stored = filter_stored(dest->chain);
	stage_seal(&dest->stage, item);
	if (item->stored >= WRITEBACK_FROM)
		fsx_start_writeback(item->fd);
}

struct dest *dest_open(const char *name, const struct dest_env *env,
	bool may_make, struct err *err)
{
	size_t word = strcspn(name, "+:"), head = strcspn(name, ":");
	const struct dest_kind *kind = find_kind(name, word);
	struct dest *dest;

	if (kind == NULL || name[head] != ':') {
		err_set(err, ERR_CONFIG, "unknown destination %s", name);
		return NULL;
	}
	dest = mem_grow(NULL, 1, sizeof(*dest));
	memset(dest, 0, sizeof(*dest));
	dest->kind = kind;
	dest->env = env;
	dest->may_make = may_make;
	dest->path = name + head + 1;
	dest->gzip = dest_form(name).gzip;
	dest->fd = dest->dir = -1;
	stage_init(&dest->stage, env->stage_dir, env->stage_path, env->tag);
	if (dest->kind->open(dest, err))
		return dest;
	dest_close(dest);
	return NULL;
}

void dest_close(struct dest *dest)
{
	if (dest == NULL)
		return;
	dest->kind->close(dest);
	stage_end(&dest->stage);
	filter_free(dest->chain);
	if (dest->fd >= 0)
		close(dest->fd);
	if (dest->dir >= 0)
		close(dest->dir);
	free(dest);
}
