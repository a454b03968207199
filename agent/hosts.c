/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/hosts.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/base/arena.h"

/* FNV-1a. The names come from the configuration: nobody aims at the table. */
static size_t hash(const char *name)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *name != '\0'; name++)
		h = (h ^ (uint64_t)tolower((unsigned char)*name))
			* 0x100000001b3u;
	return (size_t)(h ^ h >> 32);
}

static uint32_t *find(struct hosts *h, const char *name)
{
	size_t at = hash(name) & (h->slots - 1);

	while (h->table[at] != 0
	       && strcasecmp(h->names[h->table[at] - 1], name) != 0)
		at = (at + 1) & (h->slots - 1);
	return &h->table[at];
}

static void grow(struct hosts *h)
{
	size_t i;

	free(h->table);
	h->slots = h->slots == 0 ? 64 : 2 * h->slots;
	h->table = mem_grow(NULL, h->slots, sizeof(*h->table));
	memset(h->table, 0, h->slots * sizeof(*h->table));
	for (i = 0; i < h->count; i++)
		*find(h, h->names[i]) = (uint32_t)i + 1;
}

uint32_t hosts_number(struct hosts *h, const char *name)
{
	size_t len = strlen(name) + 1;
	uint32_t *slot;

	if (4 * (h->count + 1) > 3 * h->slots)
		grow(h);
	slot = find(h, name);
	if (*slot != 0)
		return *slot - 1;
	if (h->count == h->room) {
		h->room = h->room < 16 ? 16 : 2 * h->room;
		h->names = mem_grow(h->names, h->room, sizeof(*h->names));
	}
	h->names[h->count] = mem_grow(NULL, len, 1);
	memcpy(h->names[h->count], name, len);
	h->bytes += len;
	*slot = (uint32_t)++h->count;
	return *slot - 1;
}

void hosts_free(struct hosts *h)
{
	size_t i;

	for (i = 0; i < h->count; i++)
		free(h->names[i]);
	free(h->names);
	free(h->table);
	memset(h, 0, sizeof(*h));
}
