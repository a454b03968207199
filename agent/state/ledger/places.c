/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "agent/state/ledger/priv.h"

/*
 * The folders that have a marker, in memory.
 */

struct ledger_place *ledger_place_of(const struct ledger *l,
	const char *dest)
{
	struct ledger_place *p = l->places;

	while (p != NULL && strcmp(p->dest, dest) != 0)
		p = p->next;
	return p;
}

void ledger_apply_place(struct ledger *l, const struct record *r)
{
	struct ledger_place *p = ledger_place_of(l, r->dest);

	if (p == NULL) {
		p = arena_alloc(l->arena, sizeof(*p));
		p->next = l->places;
		p->dest = arena_strdup(l->arena, r->dest);
		l->places = p;
	}
	p->marker = r->type == RECORD_MARKED
		? arena_strdup(l->arena, r->name) : "";
}
