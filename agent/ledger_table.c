/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "agent/base/limits.h"
#include "agent/ledger_priv.h"

/* FNV-1a: UIDs are no secret and the table is per account. */
static size_t hash_uid(const char *uid, size_t len)
{
	uint64_t h = 14695981039346656037u;
	size_t i;

	for (i = 0; i < len; i++)
		h = (h ^ (unsigned char)uid[i]) * 1099511628211u;
	return (size_t)(h ^ h >> 32);
}

static void link_entry(struct ledger *l, struct ledger_entry *e)
{
	struct ledger_entry **slot = &l->buckets[hash_uid(e->uid, e->uid_len)
		& (l->bucket_count - 1)];

	e->next = *slot;
	*slot = e;
}

void ledger_grow(struct ledger *l)
{
	size_t i;

	l->room = l->room == 0 ? 256 : l->room * 2;
	l->entries = mem_grow(l->entries, l->room, sizeof(*l->entries));
	l->bucket_count = l->room * 2;
	l->buckets = mem_grow(l->buckets, l->bucket_count,
		sizeof(*l->buckets));
	memset(l->buckets, 0, l->bucket_count * sizeof(*l->buckets));
	for (i = 0; i < l->count; i++)
		link_entry(l, l->entries[i]);
}

static struct ledger_entry *by_id(const struct ledger *l, uint64_t id)
{
	size_t low = 0, high = l->count, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (l->entries[mid]->id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low < l->count && l->entries[low]->id == id
		? l->entries[low] : NULL;
}

static void unlink_entry(struct ledger *l, const struct ledger_entry *e)
{
	struct ledger_entry **slot = &l->buckets[hash_uid(e->uid, e->uid_len)
		& (l->bucket_count - 1)];

	while (*slot != e)
		slot = &(*slot)->next;
	*slot = e->next;
}

static enum ledger_state first_state(const struct record *r)
{
	if (r->type == RECORD_INTENT)
		return LEDGER_INTENT;
	if (r->type == RECORD_FAILED)
		return LEDGER_FAILED;
	return (enum ledger_state)r->state;
}

/* Where an intent's message is, and where it is to go. */
static void apply_place(struct ledger_entry *e, const struct record *r)
{
	e->name = r->name;
	e->dest = r->dest;
	e->hint = "";
	e->size = r->size;
	e->stored = r->stored;
	e->place = r->place;
}

static bool apply_new(struct ledger *l, const struct record *r)
{
	struct ledger_entry *e;

	if (r->id < l->next_id || (r->type == RECORD_SEEN
		&& (r->state < LEDGER_DELIVERED || r->state > LEDGER_BASELINE)))
		return false;
	if (l->count == l->room)
		ledger_grow(l);
	e = arena_alloc(l->arena, sizeof(*e));
	e->id = r->id;
	e->state = first_state(r);
	e->time = r->time;
	e->uid = r->uid;
	e->uid_len = r->uid_len;
	e->listed = r->listed;
	e->identity = r->identity;
	e->name = e->dest = e->hint = "";
	e->reason = r->type == RECORD_FAILED ? r->text : "";
	e->tries = (unsigned int)r->tries;
	e->next_try = r->next_try;
	if (r->type == RECORD_INTENT)
		apply_place(e, r);
	l->entries[l->count++] = e;
	link_entry(l, e);
	l->next_id = r->id + 1;
	return true;
}

static void apply_refusal(struct ledger_entry *e, const struct record *r)
{
	e->tries = (unsigned int)r->tries;
	e->next_try = r->next_try;
	e->reason = r->text;
	if (r->type == RECORD_FAILED)
		e->time = r->time;
}

static void apply_moved(struct ledger *l, struct ledger_entry *e,
	const struct record *r)
{
	e->listed = r->listed;
	if (e->uid_len == r->uid_len && memcmp(e->uid, r->uid, r->uid_len) == 0)
		return;
	unlink_entry(l, e);
	e->uid = r->uid;
	e->uid_len = r->uid_len;
	link_entry(l, e);
	l->moved = true;
}

bool ledger_has_uids(const struct ledger *l)
{
	size_t i;

	for (i = 0; i < l->count; i++)
		if (l->entries[i]->uid_len != 0
		    && l->entries[i]->state < LEDGER_GONE
		    && !ledger_is_notice(l->entries[i]))
			return true;
	return false;
}

bool ledger_is_notice(const struct ledger_entry *e)
{
	const size_t len = sizeof(LEDGER_NOTICE) - 1;

	return e->uid_len >= len && memcmp(e->uid, LEDGER_NOTICE, len) == 0;
}

bool ledger_sizes_inexact(const struct ledger *l)
{
	return l->inexact;
}

bool ledger_has_moved(const struct ledger *l)
{
	return l->moved;
}

bool ledger_apply(struct ledger *l, const struct record *r)
{
	struct ledger_entry *e;

	if (r->type == RECORD_MARK)
		return true;
	if (r->type == RECORD_INEXACT)
		return l->inexact = true;
	e = by_id(l, r->id);
	if (r->type == RECORD_SEEN || (r->type == RECORD_INTENT && e == NULL))
		return apply_new(l, r);
	if (e == NULL && r->type == RECORD_FAILED)
		return apply_new(l, r);
	if (r->type == RECORD_LEDGER || e == NULL)
		return false;
	switch (r->type) {
	case RECORD_INTENT:
		if (e->state != LEDGER_INTENT)
			return false;
		apply_place(e, r);
		break;
	case RECORD_HINT:
		e->hint = r->text;
		break;
	case RECORD_DELIVERED:
		if (e->state == LEDGER_INTENT)
			e->time = r->time;
		e->state = LEDGER_DELIVERED;
		break;
	case RECORD_DEFERRED:
	case RECORD_FAILED:
		apply_refusal(e, r);
		break;
	case RECORD_MOVED:
		apply_moved(l, e, r);
		break;
	case RECORD_VOID:
		e->state = LEDGER_VOID;
		break;
	case RECORD_DELETING:
		e->state = LEDGER_DELETING;
		break;
	case RECORD_GONE:
		e->state = LEDGER_GONE;
		e->time = r->time;
		break;
	case RECORD_LEDGER:
	case RECORD_INEXACT:
	case RECORD_SEEN:
	case RECORD_MARK:
	case RECORD_TYPES:
		return false;
	}
	return true;
}

void ledger_short_uid(const char **uid, size_t *len, char *room)
{
	struct digest digest;

	if (*len <= LIMIT_UID)
		return;
	digest = digest_of(*uid, *len);
	*len = (size_t)snprintf(room, LEDGER_UID_ROOM, "sha256:%s",
		digest.text);
	*uid = room;
}

struct ledger_entry *ledger_find(const struct ledger *l, const char *uid,
	size_t len, const struct ledger_entry *after)
{
	char room[LEDGER_UID_ROOM];
	struct ledger_entry *e;

	ledger_short_uid(&uid, &len, room);
	e = after != NULL ? after->next
		: l->buckets[hash_uid(uid, len) & (l->bucket_count - 1)];
	for (; e != NULL; e = e->next)
		if (e->uid_len == len && memcmp(e->uid, uid, len) == 0
		    && e->state != LEDGER_VOID)
			return e;
	return NULL;
}

size_t ledger_count(const struct ledger *l)
{
	return l->count;
}

struct ledger_entry *ledger_at(const struct ledger *l, size_t i)
{
	return l->entries[i];
}
