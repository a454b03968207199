/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/plan.h"

#include <stdlib.h>
#include <string.h>

/* So many new messages with the sizes of missing ones are no accident, even
 * if others are known by their UIDs. */
#define RENUMBERED_FROM 10
/* The memory of a million entries is looked up so many messages ahead. */
#define LOOK_AHEAD 8
/* Among entries of one UID: half a second, in which each of 4,000 is held
 * against all others. Servers that are merely odd list a UID twice. */
#define MOST_STEPS 20000000

bool plan_due(const struct account *account, const struct ledger *ledger,
	const struct ledger_entry *entry, int64_t now)
{
	int64_t since = ledger_since(ledger, entry, now);

	/* Never fetched: there is no copy but the server's. */
	if (entry->state == LEDGER_BASELINE)
		return false;
	switch (account->keep.kind) {
	case KEEP_NEVER:
		return true;
	case KEEP_ALWAYS:
		return false;
	case KEEP_FOR:
		break;
	}
	return since <= now
		&& (uint64_t)(now - since) >= account->keep.seconds;
}

static bool is_due(const struct plan *plan, const struct ledger_entry *e)
{
	return plan_due(plan->account, plan->ledger, e, plan->now);
}

/* Entries that a listed message may turn out to be. A message without a UID
 * that is gone for certain tells nothing about the next one without. */
static bool candidate(const struct ledger_entry *e)
{
	return !e->claimed && e->state != LEDGER_FAILED
		&& !(e->uid_len == 0 && e->state == LEDGER_GONE);
}

/* The next entry of the same UID. There are few, unless the server wants us to
 * search for ever: then the first one has to do, and content decides. */
static struct ledger_entry *next_same(struct plan *plan,
	const struct listed *listed, const struct ledger_entry *after)
{
	if (after != NULL && plan->searched++ >= MOST_STEPS)
		return NULL;
	return ledger_find(plan->ledger, listed->uid, listed->uid_len, after);
}

/* The entry that UID and size point to; one of the same size if there is a
 * choice (some servers list a UID twice). */
static struct ledger_entry *lookup(struct plan *plan,
	const struct listed *listed)
{
	struct ledger_entry *e = NULL, *best = NULL;

	while ((e = next_same(plan, listed, e)) != NULL)
		if (candidate(e) && (best == NULL
			|| (best->listed != listed->size
				&& e->listed == listed->size)))
			best = e;
	return best;
}

static struct ledger_entry *earlier_failure(struct plan *plan,
	const struct listed *listed)
{
	struct ledger_entry *e = NULL;

	while (listed->uid_len != 0
	       && (e = next_same(plan, listed, e)) != NULL)
		if (e->state == LEDGER_FAILED && e->listed == listed->size)
			return e;
	return NULL;
}

static void fetch(struct plan *plan, struct plan_message *m)
{
	uint64_t limit = plan->account->limits.message;

	m->failed = earlier_failure(plan, m->listed);
	if (limit != 0 && m->listed->size > limit)
		m->action = PLAN_SKIP;
	else if (m->failed != NULL && ledger_waits(m->failed, plan->now))
		m->action = PLAN_WAIT;
	else
		m->action = PLAN_FETCH;
}

static void decide(struct plan *plan, struct plan_message *m,
	uint64_t last)
{
	struct ledger_entry *e;

	if (m->listed->number <= last
	    && plan->account->keep.kind == KEEP_ALWAYS) {
		m->action = PLAN_KEEP;
		return;
	}
	e = lookup(plan, m->listed);

	if (e == NULL) {
		fetch(plan, m);
		return;
	}
	if (e->state == LEDGER_INTENT && e->uid_len != 0
	    && e->listed == m->listed->size) {
		e->claimed = true;
		m->entry = e;
		m->action = PLAN_STAGED;
		return;
	}
	/* Deleted before but there again; of another size; without a UID; or
	 * about to be deleted: the header decides. */
	if ((e->state != LEDGER_DELIVERED && e->state != LEDGER_BASELINE)
	    || e->listed != m->listed->size
	    || e->uid_len == 0 || is_due(plan, e)) {
		m->failed = earlier_failure(plan, m->listed);
		m->action = m->failed != NULL
			&& ledger_waits(m->failed, plan->now)
			? PLAN_WAIT : PLAN_CHECK;
		return;
	}
	e->claimed = true;
	m->entry = e;
	m->action = PLAN_KEEP;
}

static void settle(const struct plan *plan, struct plan_message *m,
	struct ledger_entry *e)
{
	e->claimed = true;
	m->entry = e;
	if (e->state == LEDGER_INTENT)
		m->action = PLAN_STAGED;
	else
		m->action = is_due(plan, e)
			? PLAN_DELETE : PLAN_KEEP;
}

typedef bool same_fn(const struct identity *a, const struct identity *b);

/* The beginning of a digest: enough to be found by. */
static uint64_t key_of(const struct digest *digest)
{
	uint64_t key;

	memcpy(&key, digest->text, sizeof(key));
	return key;
}

static int by_key(const void *a, const void *b)
{
	const struct plan_lost *x = a, *y = b;

	if (x->size != y->size)
		return x->size < y->size ? -1 : 1;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->entry->id < y->entry->id ? -1 : 1;
}

/* The first of the lost ones with this size and at least this key. */
static size_t first_lost(const struct plan *plan, const struct plan_lost *lost,
	uint64_t size, uint64_t key)
{
	size_t low = 0, high = plan->lost_count, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (lost[mid].size < size || (lost[mid].size == size
			&& lost[mid].key < key))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool any_lost(const struct plan *plan, uint64_t size)
{
	size_t i = first_lost(plan, plan->by_header, size, 0);

	return i < plan->lost_count && plan->by_header[i].size == size;
}

static struct ledger_entry *match_key(const struct plan *plan,
	struct plan_lost *lost, uint64_t size, uint64_t key,
	const struct identity *identity, same_fn *same)
{
	size_t first = first_lost(plan, lost, size, key), i;
	struct identity id;

	if (first == plan->lost_count)
		return NULL;
	for (i = first + lost[first].claimed; i < plan->lost_count
	     && lost[i].size == size && lost[i].key == key; i++) {
		if (!candidate(lost[i].entry)) {
			/* It stays so: the next search begins behind it. */
			if (i == first + lost[first].claimed)
				lost[first].claimed++;
			continue;
		}
		id = ledger_identity(lost[i].entry);
		if (same(&id, identity))
			return lost[i].entry;
	}
	return NULL;
}

static struct ledger_entry *match_lost(const struct plan *plan,
	struct plan_message *m, const struct identity *identity, same_fn *same)
{
	struct ledger_entry *e = NULL;

	if (plan->lost_count == 0)
		return NULL;
	/* Without a sign that it has renumbered, only what is the same in
	 * every respect is taken for the same. */
	if (!plan->renumbered)
		same = identity_identical;
	if (same != identity_same_header)
		e = match_key(plan, plan->by_content, m->listed->size,
			key_of(&identity->content), identity, same);
	if (e == NULL && same != identity_identical && identity->has_header)
		e = match_key(plan, plan->by_header, m->listed->size,
			key_of(&identity->header), identity, same);
	m->moved |= e != NULL;
	return e;
}

/* An unclaimed entry that `same` recognises: of the message's UID, or, when
 * the server has renumbered, of its size. */
static struct ledger_entry *match(struct plan *plan,
	struct plan_message *m, const struct identity *identity, same_fn *same)
{
	struct ledger_entry *e = NULL;
	struct identity id;

	while ((e = m->listed->uid_len == 0
		? ledger_find(plan->ledger, "", 0, e)
		: next_same(plan, m->listed, e)) != NULL) {
		id = ledger_identity(e);
		if (candidate(e) && same(&id, identity))
			return e;
	}
	return match_lost(plan, m, identity, same);
}

void plan_checked(struct plan *plan, struct plan_message *m,
	const struct identity *identity)
{
	struct ledger_entry *e = NULL;

	if (identity != NULL)
		e = match(plan, m, identity, identity_same_header);
	if (e != NULL)
		settle(plan, m, e);
	else
		fetch(plan, m);
}

bool plan_recognise(struct plan *plan, struct plan_message *m,
	const struct identity *identity)
{
	struct ledger_entry *e = match(plan, m, identity, identity_same);

	if (e == NULL)
		return false;
	settle(plan, m, e);
	return true;
}

static bool is_lost(const struct ledger_entry *e)
{
	return !e->claimed && e->uid_len != 0 && !ledger_is_notice(e)
		&& (e->state == LEDGER_INTENT
		|| e->state == LEDGER_DELIVERED || e->state == LEDGER_DELETING
		|| e->state == LEDGER_BASELINE);
}

static void collect_lost(struct plan *plan, struct arena *arena)
{
	struct plan_lost *header, *content;
	struct ledger_entry *e;
	struct identity id;
	size_t i, n = ledger_count(plan->ledger);

	plan->by_header = header = arena_array(arena, n, sizeof(*header));
	plan->by_content = content = arena_array(arena, n, sizeof(*content));
	for (i = 0; i < n; i++) {
		e = ledger_at(plan->ledger, i);
		if (!is_lost(e))
			continue;
		id = ledger_identity(e);
		header->entry = content->entry = e;
		header->size = content->size = e->listed;
		header++->key = id.has_header ? key_of(&id.header) : 0;
		content++->key = key_of(&id.content);
	}
	plan->lost_count = (size_t)(header - plan->by_header);
	if (plan->lost_count == 0)
		return;
	qsort(plan->by_header, plan->lost_count, sizeof(*header), by_key);
	qsort(plan->by_content, plan->lost_count, sizeof(*content), by_key);
}

static bool may_be_lost(const struct plan *plan, const struct plan_message *m)
{
	return (m->action == PLAN_FETCH || m->action == PLAN_CHECK)
		&& any_lost(plan, m->listed->size);
}

/* Has the server given its messages new UIDs? Not one is known, or many new
 * ones have the sizes of missing ones, or it was seen to do so before. */
static void find_renumbered(struct plan *plan, struct arena *arena)
{
	size_t i, fresh = 0, known = plan->staying, alike = 0;

	for (i = 0; i < plan->count; i++) {
		fresh += plan->messages[i].action == PLAN_FETCH
			|| plan->messages[i].action == PLAN_CHECK;
		known += plan->messages[i].entry != NULL;
	}
	if (fresh == 0)
		return;
	collect_lost(plan, arena);
	for (i = 0; i < plan->count; i++)
		alike += may_be_lost(plan, &plan->messages[i]);
	plan->renumbered = alike != 0 && (known == 0
		|| alike >= RENUMBERED_FROM || ledger_has_moved(plan->ledger));
	if (!plan->renumbered)
		return;
	/* A header costs less than a message. */
	for (i = 0; i < plan->count; i++)
		if (may_be_lost(plan, &plan->messages[i]))
			plan->messages[i].action = PLAN_CHECK;
}

void plan_make(struct plan *plan_r, const struct listing *listing,
	struct ledger *ledger, const struct account *account, uint64_t last,
	int64_t now, struct arena *arena)
{
	struct plan_message m;
	int64_t since;
	size_t i;

	*plan_r = (struct plan){ .account = account, .ledger = ledger,
		.now = now, .oldest = INT64_MAX };
	/* Pages that are not touched take no memory. */
	plan_r->messages = arena_array(arena, listing->count, sizeof(m));
	for (i = 0; i < listing->count; i++) {
		if (i + LOOK_AHEAD < listing->count)
			ledger_find_soon(ledger,
				listing->messages[i + LOOK_AHEAD].uid,
				listing->messages[i + LOOK_AHEAD].uid_len);
		m = (struct plan_message){ .listed = &listing->messages[i] };
		decide(plan_r, &m, last);
		if (m.action != PLAN_KEEP || m.entry == NULL) {
			plan_r->messages[plan_r->count++] = m;
			continue;
		}
		plan_r->staying++;
		since = ledger_since(ledger, m.entry, now);
		if (m.entry->state != LEDGER_BASELINE
		    && since < plan_r->oldest)
			plan_r->oldest = since;
	}
	find_renumbered(plan_r, arena);
}

void plan_limit(struct plan *plan)
{
	const struct account_limits *limits = &plan->account->limits;
	uint64_t messages = 0, bytes = 0;
	struct plan_message *m;
	size_t i;

	for (i = 0; i < plan->count; i++) {
		m = &plan->messages[i];
		if (m->action != PLAN_FETCH)
			continue;
		if ((limits->messages != 0 && messages >= limits->messages)
		    || (limits->bytes != 0 && messages != 0
			&& bytes + m->listed->size > limits->bytes)) {
			m->action = PLAN_LATER;
			continue;
		}
		messages++;
		bytes += m->listed->size;
	}
}
