/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "agent/pass/plan_priv.h"

/*
 * Entries whose UID is not listed, found by what their messages hold. What
 * that must be depends on how likely it is that the server has given a known
 * message another UID:
 *
 *	the entry has no UID (no UIDL then)	header or content
 *	the server has renumbered		header (be it weak) or content
 *	it has restored much of what was gone	header, or content and header
 *	it has restored a few of these		content and header
 *	no sign: moved away and back		content and header
 *
 * Two copies of one message are both to come. So what was deleted, or is lost
 * without a sign, counts only if a later pass has dealt with all that was
 * listed then: a copy that waited on the server has an entry of its own. And
 * what somebody puts on the server again, one by one, is to be fetched again.
 */

/* So many new messages with the sizes of missing ones are no accident, even
 * if others are known by their UIDs. */
#define RENUMBERED_FROM 10
/* Fewer of what was deleted are put there by a person rather than a backup. */
#define RETURNED_FROM 4

/* The beginning of a digest: enough to be found by. */
static uint64_t key_of(const struct digest *digest)
{
	uint64_t key;

	memcpy(&key, digest->text, sizeof(key));
	return key;
}

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x == *y ? 0 : *x < *y ? -1 : 1;
}

static int by_key(const void *a, const void *b)
{
	const struct plan_lost *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	if (x->entry->listed != y->entry->listed)
		return x->entry->listed < y->entry->listed ? -1 : 1;
	return x->entry->id < y->entry->id ? -1 : 1;
}

/* The first with this key and at least this size. */
static size_t first_of(const struct plan_lost *lost, size_t count,
	uint64_t key, uint64_t size)
{
	size_t low = 0, high = count, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (lost[mid].key < key || (lost[mid].key == key
			&& lost[mid].entry->listed < size))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool same_content(const struct identity *a, const struct identity *b)
{
	const struct identity none = identity_none();

	return digest_equal(&a->content, &b->content)
		&& !digest_equal(&a->content, &none.content);
}

/* Deleted in a session whose QUIT was not answered: not to be listed any more
 * is what it was meant to be. */
static bool may_be_gone(const struct plan *plan, const struct ledger_entry *e)
{
	return e->state == LEDGER_DELETING && e->id >= plan->past.settled;
}

static bool proves(const struct plan *plan, const struct plan_message *m,
	const struct ledger_entry *e, const struct identity *id, bool read)
{
	struct identity own = ledger_identity(e);
	bool content = read && same_content(&own, id);
	bool header = identity_same_header(&own, id);
	bool both = content && identity_like(&own, id);

	if (e->uid_len == 0)
		return content || header;
	if (e->state == LEDGER_GONE)
		return (both && plan->returned) || (header && plan->restored);
	if (plan->renumbered && !may_be_gone(plan, e))
		return content || identity_like(&own, id);
	if (e->id < plan->past.settled)
		return both;
	return both && header && !may_be_gone(plan, e)
		&& e->listed == m->listed->size;
}

/* Of those with one key and, if `sized`, the message's size. How many in front
 * are not free any more is remembered: it stays so. */
static struct ledger_entry *match_group(const struct plan *plan,
	const struct plan_index *index, uint64_t key, bool sized,
	const struct plan_message *m, const struct identity *id, bool read)
{
	uint64_t size = m->listed->size;
	size_t first = first_of(index->lost, index->count, key,
		sized ? size : 0), i;
	struct ledger_entry *e;
	uint32_t *taken;

	if (first == index->count)
		return NULL;
	taken = sized ? &index->lost[first].taken_sized
		: &index->lost[first].taken;
	for (i = first + *taken; i < index->count
	     && index->lost[i].key == key; i++) {
		e = index->lost[i].entry;
		if (sized && e->listed != size)
			break;
		if (!plan_candidate(e)) {
			if (i == first + *taken)
				(*taken)++;
			continue;
		}
		if (proves(plan, m, e, id, read))
			return e;
	}
	return NULL;
}

static struct ledger_entry *match_key(const struct plan *plan,
	const struct plan_index *index, const struct digest *digest,
	const struct plan_message *m, const struct identity *id, bool read)
{
	uint64_t key = key_of(digest);
	struct ledger_entry *e = match_group(plan, index, key, true, m, id,
		read);

	return e != NULL ? e
		: match_group(plan, index, key, false, m, id, read);
}

/* Several of one header, all of other sizes: which one it is, its content
 * says. */
static bool is_doubtful(const struct plan_index *index,
	const struct ledger_entry *e, uint64_t size, uint64_t key)
{
	size_t first, i, n = 0;

	if (e->listed == size)
		return false;
	first = first_of(index->lost, index->count, key, 0);
	for (i = first + index->lost[first].taken; i < index->count
	     && index->lost[i].key == key && n < 2; i++)
		n += plan_candidate(index->lost[i].entry);
	return n > 1;
}

struct ledger_entry *plan_match_lost(const struct plan *plan,
	const struct plan_message *m, const struct identity *id, bool read)
{
	const struct plan_index *header = &plan->by_header;
	struct ledger_entry *e = NULL;

	if (read)
		e = match_key(plan, &plan->by_content, &id->content, m, id,
			read);
	if (e != NULL || !(id->has_header || id->is_weak))
		return e;
	/* What a sender may have chosen proves nothing unread. */
	if (id->is_weak && !read)
		return NULL;
	e = match_key(plan, header, &id->header, m, id, read);
	if (e == NULL || read)
		return e;
	return is_doubtful(header, e, m->listed->size, key_of(&id->header))
		? NULL : e;
}

static bool is_lost(const struct plan *plan, const struct ledger_entry *e)
{
	if (!plan_candidate(e) || e->state == LEDGER_VOID
	    || ledger_is_notice(e))
		return false;
	return e->state != LEDGER_GONE || e->id < plan->past.settled;
}

/* Sizes of entries, to see whether new messages have them. */
struct sizes {
	uint64_t *list;
	size_t count;
};

static void add_lost(struct plan *plan, struct ledger_entry *e)
{
	const struct identity none = identity_none();
	struct identity id = ledger_identity(e);

	if (id.has_header || id.is_weak)
		plan->by_header.lost[plan->by_header.count++] =
			(struct plan_lost){ e, key_of(&id.header), 0, 0 };
	if (!digest_equal(&id.content, &none.content))
		plan->by_content.lost[plan->by_content.count++] =
			(struct plan_lost){ e, key_of(&id.content), 0, 0 };
}

static void sort_lost(struct plan_index *index)
{
	if (index->count != 0)
		qsort(index->lost, index->count, sizeof(*index->lost), by_key);
}

static void sort_sizes(struct sizes *sizes)
{
	if (sizes->count != 0)
		qsort(sizes->list, sizes->count, sizeof(*sizes->list),
			by_number);
}

/* Returns how many entries with a UID were not deleted and are not listed. */
static size_t collect(struct plan *plan, struct arena *arena,
	struct sizes *here, struct sizes *gone)
{
	size_t i, n = ledger_count(plan->ledger);
	struct ledger_entry *e;

	plan->by_header.lost = arena_array(arena, n, sizeof(struct plan_lost));
	plan->by_content.lost = arena_array(arena, n,
		sizeof(struct plan_lost));
	here->list = arena_array(arena, n, sizeof(uint64_t));
	gone->list = arena_array(arena, n, sizeof(uint64_t));
	for (i = 0; i < n; i++) {
		e = ledger_at(plan->ledger, i);
		if (!is_lost(plan, e))
			continue;
		add_lost(plan, e);
		if (e->uid_len == 0)
			continue;
		if (e->state == LEDGER_GONE)
			gone->list[gone->count++] = e->listed;
		else if (!may_be_gone(plan, e))
			here->list[here->count++] = e->listed;
	}
	sort_lost(&plan->by_header);
	sort_lost(&plan->by_content);
	sort_sizes(here);
	sort_sizes(gone);
	return here->count;
}

static bool has_size(const struct sizes *sizes, uint64_t size)
{
	return sizes->count != 0 && bsearch(&size, sizes->list, sizes->count,
		sizeof(size), by_number) != NULL;
}

static bool is_fresh(const struct plan_message *m)
{
	return m->action == PLAN_FETCH || m->action == PLAN_CHECK;
}

static size_t count_alike(const struct plan *plan, const struct sizes *sizes)
{
	size_t i, n = 0;

	for (i = 0; i < plan->count; i++)
		n += is_fresh(&plan->messages[i])
			&& has_size(sizes, plan->messages[i].listed->size);
	return n;
}

/* A header costs less than a message. */
static void ask(struct plan *plan, const struct sizes *sizes)
{
	struct plan_message *m;
	size_t i;

	for (i = 0; i < plan->count; i++) {
		m = &plan->messages[i];
		if (is_fresh(m) && (sizes == NULL
			|| has_size(sizes, m->listed->size)))
			m->action = PLAN_CHECK;
	}
}

/* What is listed under its own UID, in its own size, is not lost, even if its
 * header has yet to be asked for: another message that has the same header
 * would else take its place, and never be fetched. */
static void hold_own(struct plan *plan)
{
	struct plan_message *m;
	size_t i;

	for (i = 0; i < plan->count; i++) {
		m = &plan->messages[i];
		/* Some servers list a UID twice. */
		if (m->own != NULL && m->own->claimed)
			m->own = NULL;
		if (m->own != NULL)
			m->own->claimed = true;
	}
}

static void release_own(struct plan *plan)
{
	size_t i;

	for (i = 0; i < plan->count; i++)
		if (plan->messages[i].own != NULL)
			plan->messages[i].own->claimed = false;
}

void plan_find_lost(struct plan *plan, struct arena *arena)
{
	size_t i, fresh = 0, known = plan->staying, familiar = known;
	size_t lost, alike;
	struct sizes here = { NULL, 0 }, gone = { NULL, 0 };
	bool moved = ledger_has_moved(plan->ledger);

	for (i = 0; i < plan->count; i++) {
		fresh += is_fresh(&plan->messages[i]);
		known += plan->messages[i].entry != NULL;
		familiar += plan->messages[i].entry != NULL
			|| plan->messages[i].own != NULL;
	}
	if (fresh == 0)
		return;
	hold_own(plan);
	lost = collect(plan, arena, &here, &gone);
	release_own(plan);
	/* Not one is known, or many new ones have the sizes of missing ones,
	 * or it was seen to do so before. */
	alike = count_alike(plan, &here);
	plan->renumbered = lost != 0 && (familiar == 0
		|| (known == 0 && alike != 0)
		|| alike >= RENUMBERED_FROM || moved);
	if (plan->renumbered)
		ask(plan, familiar == 0 || alike >= RENUMBERED_FROM
			|| fresh >= RENUMBERED_FROM ? NULL : &here);
	/* A backup, of mail that was deleted. */
	alike = count_alike(plan, &gone);
	plan->returned = alike >= RETURNED_FROM || (moved && alike != 0);
	plan->restored = alike >= RENUMBERED_FROM && 2 * alike > fresh;
	if (plan->restored)
		ask(plan, &gone);
}
