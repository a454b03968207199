/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/limits.h"
#include "agent/state/ledger/priv.h"

/* Multilinear hashing with a key of this process: no server can choose UIDs
 * that fall together. len is at most LIMIT_UID. */
static uint32_t hash_uid(const struct ledger *l, const char *uid, size_t len)
{
	const uint64_t *key = l->key;
	uint64_t h = *key++;
	uint32_t word = (uint32_t)len;

	h += *key++ * word;
	for (; len >= sizeof(word); uid += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, uid, sizeof(word));
		h += *key++ * word;
	}
	word = 0;
	if (len != 0)
		memcpy(&word, uid, len);
	h += *key * word;
	return (uint32_t)(h >> 32);
}

/* SplitMix64: many numbers from one. */
static void make_key(struct ledger *l)
{
	uint64_t seed = digest_random(), v;
	size_t i;

	for (i = 0; i < LEDGER_KEY; i++) {
		seed += 0x9e3779b97f4a7c15u;
		v = (seed ^ seed >> 30) * 0xbf58476d1ce4e5b9u;
		v = (v ^ v >> 27) * 0x94d049bb133111ebu;
		l->key[i] = v ^ v >> 31;
	}
}

static uint32_t *bucket(const struct ledger *l, uint32_t hash)
{
	return &l->buckets[hash & (l->bucket_count - 1)];
}

/* What is left of the hash stands in the entry: a look at the UID is likely to
 * have to wait for memory. */
static uint32_t mark_of(uint32_t hash)
{
	return hash >> 28;
}

/* Of a place as it stands in a bucket, or in `next`. */
static struct ledger_entry *at(const struct ledger *l, uint32_t place)
{
	return place == 0 ? NULL : ledger_at(l, place - 1);
}

static void link_entry(struct ledger *l, uint32_t place)
{
	struct ledger_entry *e = at(l, place);
	uint32_t hash = hash_uid(l, e->uid, e->uid_len);
	uint32_t *head = bucket(l, hash);

	e->mark = mark_of(hash);
	e->next = *head;
	*head = place;
}

/* Returns its place. */
static uint32_t unlink_entry(struct ledger *l, const struct ledger_entry *e)
{
	uint32_t *head = bucket(l, hash_uid(l, e->uid, e->uid_len));
	uint32_t place = *head;
	struct ledger_entry *before = at(l, place);

	if (before == e) {
		*head = e->next;
		return place;
	}
	while (at(l, before->next) != e)
		before = at(l, before->next);
	place = before->next;
	before->next = e->next;
	return place;
}

void ledger_table_link(struct ledger *l)
{
	size_t i, count = l->bucket_count;

	while (count < l->count)
		count *= 2;
	l->bucket_count = count;
	l->buckets = mem_grow(l->buckets, count, sizeof(*l->buckets));
	memset(l->buckets, 0, count * sizeof(*l->buckets));
	for (i = 0; i < l->count; i++)
		link_entry(l, (uint32_t)i + 1);
}

void ledger_table_start(struct ledger *l)
{
	make_key(l);
	l->bucket_count = LEDGER_BLOCK;
}

void ledger_table_free(struct ledger *l)
{
	size_t i;

	for (i = 0; i < l->count; i++)
		entry_free(ledger_at(l, i));
	for (i = 0; i < l->block_count; i++)
		free(l->blocks[i]);
	free(l->blocks);
	free(l->buckets);
}

static struct ledger_entry *new_entry(struct ledger *l)
{
	size_t used = l->block_count * LEDGER_BLOCK;

	if (l->count == used) {
		/* In powers of two: room is only taken when it is full. */
		if ((l->block_count & (l->block_count - 1)) == 0)
			l->blocks = mem_grow(l->blocks, l->block_count == 0
				? 1 : 2 * l->block_count, sizeof(*l->blocks));
		l->blocks[l->block_count++] = mem_grow(NULL, LEDGER_BLOCK,
			sizeof(**l->blocks));
	}
	return ledger_at(l, l->count++);
}

struct ledger_entry *ledger_by_id(const struct ledger *l, uint64_t id)
{
	size_t low = 0, high = l->count, mid;
	uint64_t first = l->count == 0 ? 0 : ledger_at(l, 0)->id;

	/* Few are missing in between. */
	if (id >= first && id - first < high) {
		high = (size_t)(id - first) + 1;
		if (ledger_at(l, high - 1)->id == id)
			return ledger_at(l, high - 1);
	}
	while (low < high) {
		mid = low + (high - low) / 2;
		if (ledger_at(l, mid)->id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low < l->count && ledger_at(l, low)->id == id
		? ledger_at(l, low) : NULL;
}

static bool apply_new(struct ledger *l, const struct record *r)
{
	if (r->id < l->next_id || r->id > LEDGER_MAX_ID
	    || r->uid_len > LIMIT_UID || l->count == UINT32_MAX
	    || (r->type == RECORD_SEEN && (r->state < LEDGER_DELIVERED
		|| r->state > LEDGER_BASELINE)))
		return false;
	entry_make(l, new_entry(l), r);
	if (l->count > l->bucket_count && l->buckets != NULL)
		ledger_table_link(l);
	else if (l->buckets != NULL)
		link_entry(l, (uint32_t)l->count);
	l->next_id = r->id + 1;
	return true;
}

static bool apply_moved(struct ledger *l, struct ledger_entry *e,
	const struct record *r)
{
	uint32_t place;

	if (r->uid_len > LIMIT_UID)
		return false;
	entry_listed(e, r->listed);
	if (e->uid_len == r->uid_len && memcmp(e->uid, r->uid, r->uid_len) == 0)
		return true;
	/* One that had none may get its first. */
	l->moved |= e->uid_len != 0;
	if (l->buckets == NULL) {
		entry_rename(l, e, r);
		return true;
	}
	place = unlink_entry(l, e);
	entry_rename(l, e, r);
	link_entry(l, place);
	return true;
}

bool ledger_has_uids(const struct ledger *l)
{
	const struct ledger_entry *e;
	size_t i;

	for (i = 0; i < l->count; i++) {
		e = ledger_at(l, i);
		if (e->uid_len != 0 && e->state < LEDGER_GONE
		    && !ledger_is_notice(e))
			return true;
	}
	return false;
}

bool ledger_sizes_inexact(const struct ledger *l)
{
	return l->inexact;
}

bool ledger_has_moved(const struct ledger *l)
{
	return l->moved;
}

int64_t ledger_clock(const struct ledger *l)
{
	return l->clock;
}

int64_t ledger_noted(const struct ledger *l)
{
	return l->noted;
}

int64_t ledger_since(const struct ledger *l, const struct ledger_entry *e,
	int64_t now)
{
	return l->clock != 0 && (e->time < l->clock || e->time > now)
		? l->clock : e->time;
}

/* What is noted of the account, and of no message; false for all else. */
static bool apply_to_all(struct ledger *l, const struct record *r)
{
	switch (r->type) {
	case RECORD_MARK:
		return true;
	case RECORD_INEXACT:
		return l->inexact = true;
	case RECORD_CLOCK:
		l->clock = r->time;
		return true;
	case RECORD_MARKED:
	case RECORD_UNMARKED:
		ledger_apply_place(l, r);
		return true;
	default:
		return false;
	}
}

/* A record of an entry that is there. */
static bool apply_to(struct ledger *l, struct ledger_entry *e,
	const struct record *r)
{
	switch (r->type) {
	case RECORD_INTENT:
		if (e->state != LEDGER_INTENT)
			return false;
		entry_place(l, e, r);
		break;
	case RECORD_HINT:
		entry_hint(e, r->text);
		break;
	case RECORD_DELIVERED:
		if (e->state == LEDGER_INTENT)
			entry_time(e, r->time);
		entry_state(l, e, LEDGER_DELIVERED);
		break;
	case RECORD_DEFERRED:
	case RECORD_FAILED:
		entry_refused(e, r);
		break;
	case RECORD_MOVED:
		return apply_moved(l, e, r);
	case RECORD_LEFT:
		entry_state(l, e, LEDGER_BASELINE);
		break;
	case RECORD_VOID:
		entry_state(l, e, LEDGER_VOID);
		break;
	case RECORD_DELETING:
		entry_state(l, e, LEDGER_DELETING);
		break;
	case RECORD_GONE:
		entry_state(l, e, LEDGER_GONE);
		entry_time(e, r->time);
		break;
	case RECORD_LEDGER:
	case RECORD_FILE:
	case RECORD_INEXACT:
	case RECORD_MARKED:
	case RECORD_UNMARKED:
	case RECORD_CLOCK:
	case RECORD_SEEN:
	case RECORD_MARK:
	case RECORD_TYPES:
		return false;
	}
	return true;
}

bool ledger_apply(struct ledger *l, const struct record *r)
{
	struct ledger_entry *e;

	if (r->time != 0)
		l->noted = r->time;
	if (apply_to_all(l, r))
		return true;
	e = ledger_by_id(l, r->id);
	if (r->type == RECORD_SEEN || (r->type == RECORD_INTENT && e == NULL))
		return apply_new(l, r);
	if (e == NULL && r->type == RECORD_FAILED)
		return apply_new(l, r);
	if (r->type == RECORD_LEDGER || r->type == RECORD_FILE || e == NULL)
		return false;
	return apply_to(l, e, r);
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

static bool has_uid(const struct ledger_entry *e, const char *uid, size_t len)
{
	return e->uid_len == len && memcmp(e->uid, uid, len) == 0;
}

struct ledger_entry *ledger_find(const struct ledger *l, const char *uid,
	size_t len, const struct ledger_entry *after)
{
	char room[LEDGER_UID_ROOM];
	struct ledger_entry *e;
	uint32_t hash;

	if (after != NULL && after->next == 0)
		return NULL;
	ledger_short_uid(&uid, &len, room);
	hash = hash_uid(l, uid, len);
	e = at(l, after != NULL ? after->next : *bucket(l, hash));
	for (; e != NULL; e = at(l, e->next))
		if (e->mark == mark_of(hash) && has_uid(e, uid, len)
		    && e->state != LEDGER_VOID)
			return e;
	return NULL;
}

void ledger_find_soon(const struct ledger *l, const char *uid, size_t len)
{
	uint32_t place = len > LIMIT_UID ? 0
		: *bucket(l, hash_uid(l, uid, len));

	if (place != 0)
		__builtin_prefetch(at(l, place));
}

static uint32_t place_of(const struct ledger *l, const char *uid, size_t len)
{
	uint32_t hash, place;

	if (len > LIMIT_UID)
		return 0;
	hash = hash_uid(l, uid, len);
	place = *bucket(l, hash);
	while (place != 0 && !(at(l, place)->mark == mark_of(hash)
		&& has_uid(at(l, place), uid, len)))
		place = at(l, place)->next;
	return place;
}

const char *ledger_uid(const struct ledger *l, const char *uid, size_t len,
	size_t *next)
{
	uint32_t place;

	if (*next >= l->count || !has_uid(ledger_at(l, *next), uid, len)) {
		place = place_of(l, uid, len);
		if (place == 0)
			return NULL;
		*next = place - 1;
	}
	/* What is pending moves when it is settled. */
	return ledger_at(l, *next)->pending ? NULL
		: ledger_at(l, (*next)++)->uid;
}

size_t ledger_count(const struct ledger *l)
{
	return l->count;
}

struct ledger_entry *ledger_at(const struct ledger *l, size_t i)
{
	return &l->blocks[i / LEDGER_BLOCK][i % LEDGER_BLOCK];
}
