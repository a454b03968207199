/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pass/plan_priv.h"

/* The memory of a million entries is looked up so many messages ahead. */
#define LOOK_AHEAD 8
/* Among entries of one UID: half a second, in which each of 4,000 is held
 * against all others. Servers that are merely odd list a UID twice. */
#define MOST_STEPS 20000000

static bool is_due(const struct plan *plan, const struct ledger_entry *e)
{
	return plan_due(plan->account, plan->ledger, e, plan->past.judged);
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
		if (plan_candidate(e) && (best == NULL
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
	else if (m->failed != NULL && ledger_waits(m->failed, plan->past.now))
		m->action = PLAN_WAIT;
	else
		m->action = PLAN_FETCH;
}

/* UID and size do not settle it. */
static void check(struct plan *plan, struct plan_message *m)
{
	m->failed = earlier_failure(plan, m->listed);
	m->action = m->failed != NULL
		&& ledger_waits(m->failed, plan->past.now)
		? PLAN_WAIT : PLAN_CHECK;
}

static void decide(struct plan *plan, struct plan_message *m)
{
	struct ledger_entry *e = NULL;

	if (m->listed->number <= plan->past.last
	    && plan->account->keep.kind == KEEP_ALWAYS) {
		m->action = PLAN_KEEP;
		return;
	}
	if (m->listed->uid_len != 0)
		e = lookup(plan, m->listed);
	if (e == NULL) {
		fetch(plan, m);
		/* It may have come while the server told no UIDs. */
		if (m->action == PLAN_FETCH && (m->listed->uid_len == 0
			? plan->nameless != 0 : plan->unnamed))
			m->action = PLAN_CHECK;
		return;
	}
	m->own = e->listed == m->listed->size ? e : NULL;
	if (e->state == LEDGER_INTENT && e->listed == m->listed->size) {
		e->claimed = true;
		m->entry = e;
		m->action = PLAN_STAGED;
		return;
	}
	/* Deleted before but there again; of another size; or about to be
	 * deleted: the header decides. */
	if ((e->state != LEDGER_DELIVERED && e->state != LEDGER_BASELINE)
	    || e->listed != m->listed->size
	    || is_due(plan, e)) {
		check(plan, m);
		return;
	}
	if (plan_suspects(plan, e) != NULL) {
		m->doubted = e;
		m->action = PLAN_CHECK;
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
		m->action = is_due(plan, e) ? PLAN_DELETE : PLAN_KEEP;
}

typedef bool same_fn(const struct identity *a, const struct identity *b);

/* UID and size are known, and so is what the sender wrote into the header: that
 * is enough where the server serves bodies otherwise each time, as those do that
 * have given out new UIDs before. */
static bool is_own(const struct plan *plan, const struct plan_message *m,
	const struct identity *identity)
{
	struct identity own;

	if (m->own == NULL || !plan_candidate(m->own)
	    || !ledger_has_moved(plan->ledger))
		return false;
	own = ledger_identity(m->own);
	return identity_like(&own, identity);
}

/* An unclaimed entry that is this message: of its UID, or of another. */
static struct ledger_entry *match(struct plan *plan,
	struct plan_message *m, const struct identity *identity, bool read)
{
	same_fn *same = read ? identity_same : identity_same_header;
	struct ledger_entry *e = NULL;
	struct identity id;

	while (m->listed->uid_len != 0
	       && (e = next_same(plan, m->listed, e)) != NULL) {
		id = ledger_identity(e);
		if (plan_candidate(e) && same(&id, identity))
			return e;
	}
	if (read && is_own(plan, m, identity))
		return m->own;
	e = plan_match_lost(plan, m, identity, read);
	m->moved |= e != NULL;
	return e;
}

void plan_checked(struct plan *plan, struct plan_message *m,
	const struct identity *identity)
{
	struct ledger_entry *e = m->doubted;

	if (e != NULL && (!plan_candidate(e) || !plan_clears(plan,
		plan_suspects(plan, e), e, identity)))
		e = NULL;
	if (e == NULL && identity != NULL)
		e = match(plan, m, identity, false);
	if (e != NULL)
		settle(plan, m, e);
	else
		fetch(plan, m);
}

bool plan_recognise(struct plan *plan, struct plan_message *m,
	const struct identity *identity)
{
	struct ledger_entry *e = match(plan, m, identity, true);

	if (e == NULL)
		return false;
	plan->unstable |= e == m->doubted;
	settle(plan, m, e);
	return true;
}

/* Entries without a UID: more of them than there are messages without one came
 * while the server told no UIDs. */
static void count_nameless(struct plan *plan, const struct listing *listing)
{
	struct ledger_entry *e = NULL;
	size_t i, listed = 0;

	while ((e = ledger_find(plan->ledger, "", 0, e)) != NULL)
		plan->nameless += plan_candidate(e);
	for (i = 0; plan->nameless != 0 && i < listing->count; i++)
		listed += listing->messages[i].uid_len == 0;
	plan->unnamed = plan->nameless > listed;
}

void plan_make(struct plan *plan_r, const struct listing *listing,
	struct ledger *ledger, const struct account *account,
	const struct plan_past *past, struct arena *arena)
{
	struct plan_message m;
	int64_t since;
	size_t i;

	*plan_r = (struct plan){ .account = account, .ledger = ledger,
		.past = *past, .oldest = INT64_MAX };
	count_nameless(plan_r, listing);
	/* Pages that are not touched take no memory. */
	plan_r->messages = arena_array(arena, listing->count, sizeof(m));
	for (i = 0; i < listing->count; i++) {
		if (i + LOOK_AHEAD < listing->count)
			ledger_find_soon(ledger,
				listing->messages[i + LOOK_AHEAD].uid,
				listing->messages[i + LOOK_AHEAD].uid_len);
		m = (struct plan_message){ .listed = &listing->messages[i] };
		decide(plan_r, &m);
		if (m.action != PLAN_KEEP || m.entry == NULL) {
			plan_r->messages[plan_r->count++] = m;
			continue;
		}
		plan_r->staying++;
		plan_offer(plan_r, &m);
		since = ledger_since(ledger, m.entry, past->judged);
		if (m.entry->state != LEDGER_BASELINE
		    && since < plan_r->oldest)
			plan_r->oldest = since;
	}
	plan_choose(plan_r);
	plan_find_lost(plan_r, arena);
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
