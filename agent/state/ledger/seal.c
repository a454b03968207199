/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/state/ledger/seal.h"

#include <stdio.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/state/ledger/priv.h"

/*
 * What others are told of a ledger, and what it notes of them: the seals that
 * remember how far it was, and the folders that carry one.
 */

/* Delivered, whatever came then. */
static bool is_here(const struct ledger_entry *e)
{
	return e->state == LEDGER_DELIVERED || e->state == LEDGER_DELETING
		|| e->state == LEDGER_GONE;
}

/* Where the last ids begin of which each was delivered. One that is missing
 * may have been void. One that the server kept back, or that was there before
 * us, never was on its way, and means nothing here. */
static uint64_t first_here(const struct ledger *l, uint64_t last)
{
	uint64_t first = last + 1;
	const struct ledger_entry *e;
	size_t i = l->count;

	while (i-- > 0) {
		e = ledger_at(l, i);
		if (e->id > last)
			continue;
		if (e->id + 1 != first || !(is_here(e)
			|| e->state == LEDGER_FAILED
			|| e->state == LEDGER_BASELINE))
			break;
		first = e->id;
	}
	return first;
}

void ledger_seal(const struct ledger *l, struct ledger_seal *seal_r)
{
	memset(seal_r, 0, sizeof(*seal_r));
	snprintf(seal_r->epoch, sizeof(seal_r->epoch), "%s", l->epoch);
	seal_r->last = l->durable_id;
	seal_r->serial = l->start + l->durable_lines;
	seal_r->first = first_here(l, l->durable_id);
}

bool ledger_outgrew(const struct ledger *l, const struct ledger_seal *seal)
{
	uint64_t last = l->next_id - 1;
	const struct ledger_entry *e;

	if (seal->epoch[0] == '\0')
		return last != 0;
	if (strcmp(seal->epoch, l->epoch) != 0 || seal->last != last)
		return true;
	/* What kept it from beginning earlier. */
	e = ledger_by_id(l, seal->first - 1);
	return e != NULL && is_here(e);
}

enum ledger_age ledger_compare(const struct ledger *l,
	const struct ledger_seal *seal)
{
	if (seal->epoch[0] == '\0')
		return LEDGER_CURRENT;
	if (strcmp(seal->epoch, l->epoch) != 0)
		return LEDGER_FOREIGN;
	return seal->last >= l->next_id || seal->serial > l->start + l->lines
		? LEDGER_OLD : LEDGER_CURRENT;
}

const char *ledger_marker(const struct ledger *l, const char *dest)
{
	const struct ledger_place *p = ledger_place_of(l, dest);

	return p == NULL || p->marker[0] == '\0' ? NULL : p->marker;
}

bool ledger_note_marker(struct ledger *l, const char *dest, const char *marker,
	struct err *err)
{
	const struct record r = { .type = marker != NULL ? RECORD_MARKED
			: RECORD_UNMARKED, .time = clock_wall(), .dest = dest,
		.name = marker };

	return ledger_record(l, &r, err);
}
