/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/sched/hosts.h"

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
	       && strcasecmp(h->text + h->names[h->table[at] - 1], name) != 0)
		at = (at + 1) & (h->slots - 1);
	return &h->table[at];
}

static void grow_table(struct hosts *h)
{
	size_t i;

	free(h->table);
	h->slots = h->slots == 0 ? 64 : 2 * h->slots;
	h->table = mem_grow(NULL, h->slots, sizeof(*h->table));
	memset(h->table, 0, h->slots * sizeof(*h->table));
	for (i = 0; i < h->count; i++)
		*find(h, h->text + h->names[i]) = (uint32_t)i + 1;
}

static void append(struct hosts *h, const char *name)
{
	size_t len = strlen(name) + 1;

	if (h->count == h->room) {
		h->room = h->room < 16 ? 16 : h->room + h->room / 2;
		h->names = mem_grow(h->names, h->room, sizeof(*h->names));
	}
	if (h->text_room - h->text_len < len) {
		h->text_room += h->text_room / 2 + len;
		h->text = mem_grow(h->text, h->text_room, 1);
	}
	memcpy(h->text + h->text_len, name, len);
	h->names[h->count++] = h->text_len;
	h->text_len += len;
}

uint32_t hosts_number(struct hosts *h, const char *name)
{
	uint32_t *slot;

	if (4 * (h->count + 1) > 3 * h->slots)
		grow_table(h);
	slot = find(h, name);
	if (*slot == 0) {
		append(h, name);
		*slot = (uint32_t)h->count;
	}
	return *slot - 1;
}

size_t hosts_size(const struct hosts *h)
{
	return h->room * sizeof(*h->names) + h->slots * sizeof(*h->table)
		+ h->text_room;
}

void hosts_free(struct hosts *h)
{
	free(h->names);
	free(h->table);
	free(h->text);
	memset(h, 0, sizeof(*h));
}
