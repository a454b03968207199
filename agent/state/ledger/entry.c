/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/state/ledger/entry.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/state/ledger/priv.h"

/*
 * Behind the UID of an entry stand the digests of its identity, packed, as far
 * as it has them. While it is pending, its UID stands in a block of its own
 * instead, which goes back to the system when it is settled.
 */

struct block {
	struct ledger_pending pending;
	char *name, *hint, *reason;	/* what `pending` shows of them */
	struct identity identity;
	char uid[];
};

static_assert(sizeof(struct ledger_entry) == 32, "no gaps");

static struct block *block_of(const struct ledger_entry *e)
{
	return (struct block *)((uintptr_t)e->uid
		- offsetof(struct block, uid));
}

static void set_text(char **own, const char **shown, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = mem_grow(NULL, size, 1);

	memcpy(copy, text, size);
	free(*own);
	*own = copy;
	*shown = copy;
}

/* Nearly all are for one destination. */
static const char *keep_dest(struct ledger *l, const char *dest)
{
	if (l->dest == NULL || strcmp(l->dest, dest) != 0)
		l->dest = arena_strdup(l->arena, dest);
	return l->dest;
}

static struct block *new_block(const char *uid, size_t len)
{
	struct block *b = mem_grow(NULL, sizeof(*b) + len, 1);

	memset(b, 0, sizeof(*b));
	b->pending.name = b->pending.dest = b->pending.hint
		= b->pending.reason = "";
	b->identity = identity_none();
	if (len != 0)
		memcpy(b->uid, uid, len);
	return b;
}

static void free_block(struct block *b)
{
	free(b->name);
	free(b->hint);
	free(b->reason);
	free(b);
}

static void set_settled(struct ledger *l, struct ledger_entry *e,
	const char *uid, size_t len, const struct identity *identity)
{
	const struct identity none = identity_none();
	char *p;

	e->has_content = !digest_equal(&identity->content, &none.content);
	e->has_header = identity->has_header;
	e->is_weak = identity->is_weak;
	p = arena_bytes(l->arena, len + (e->has_content ? DIGEST_PACKED : 0)
		+ (e->has_header || e->is_weak ? DIGEST_PACKED : 0));
	e->pending = false;
	e->uid = p;
	e->uid_len = (uint32_t)len;
	if (len != 0)
		memcpy(p, uid, len);
	p += len;
	if (e->has_content) {
		digest_pack(&identity->content, p);
		p += DIGEST_PACKED;
	}
	if (e->has_header || e->is_weak)
		digest_pack(&identity->header, p);
}

struct identity ledger_identity(const struct ledger_entry *e)
{
	struct identity id = identity_none();
	const char *p = e->uid + e->uid_len;

	if (e->pending)
		return block_of(e)->identity;
	if (e->has_content) {
		digest_unpack(p, &id.content);
		p += DIGEST_PACKED;
	}
	id.has_header = e->has_header;
	id.is_weak = e->is_weak;
	if (e->has_header || e->is_weak)
		digest_unpack(p, &id.header);
	return id;
}

const struct ledger_pending *ledger_pending(const struct ledger_entry *e)
{
	static const struct ledger_pending none = { .name = "", .dest = "",
		.hint = "", .reason = "" };

	return e->pending ? &block_of(e)->pending : &none;
}

bool ledger_is_notice(const struct ledger_entry *e)
{
	const size_t len = sizeof(LEDGER_NOTICE) - 1;

	return e->uid_len >= len && memcmp(e->uid, LEDGER_NOTICE, len) == 0;
}

void entry_time(struct ledger_entry *e, int64_t time)
{
	e->time = time < LEDGER_MAX_TIME ? time : LEDGER_MAX_TIME;
}

void entry_listed(struct ledger_entry *e, uint64_t listed)
{
	e->listed = listed < LEDGER_MAX_LISTED ? listed : LEDGER_MAX_LISTED;
}

void entry_make(struct ledger *l, struct ledger_entry *e,
	const struct record *r)
{
	struct block *b;

	memset(e, 0, sizeof(*e));
	e->id = r->id;
	entry_time(e, r->time);
	entry_listed(e, r->listed);
	if (r->type == RECORD_SEEN) {
		e->state = (enum ledger_state)r->state;
		set_settled(l, e, r->uid, r->uid_len, &r->identity);
		return;
	}
	e->state = r->type == RECORD_INTENT ? LEDGER_INTENT : LEDGER_FAILED;
	b = new_block(r->uid, r->uid_len);
	e->pending = true;
	e->uid = b->uid;
	e->uid_len = (uint32_t)r->uid_len;
	if (r->type == RECORD_FAILED) {
		entry_refused(e, r);
		return;
	}
	b->identity = r->identity;
	entry_place(l, e, r);
}

void entry_place(struct ledger *l, struct ledger_entry *e,
	const struct record *r)
{
	struct block *b = block_of(e);

	set_text(&b->name, &b->pending.name, r->name);
	b->pending.dest = keep_dest(l, r->dest);
	b->pending.hint = "";
	b->pending.size = r->size;
	b->pending.stored = r->stored;
	b->pending.place = r->place;
	b->pending.at = r->at;
}

void entry_hint(struct ledger_entry *e, const char *text)
{
	struct block *b = block_of(e);

	if (e->pending)
		set_text(&b->hint, &b->pending.hint, text);
}

void entry_refused(struct ledger_entry *e, const struct record *r)
{
	struct block *b = block_of(e);

	if (r->type == RECORD_FAILED)
		entry_time(e, r->time);
	if (!e->pending)
		return;
	b->pending.tries = (unsigned int)r->tries;
	b->pending.next_try = r->next_try;
	set_text(&b->reason, &b->pending.reason, r->text);
}

void entry_rename(struct ledger *l, struct ledger_entry *e,
	const struct record *r)
{
	struct identity identity = ledger_identity(e);
	struct block *old = block_of(e), *b;

	if (!e->pending) {
		set_settled(l, e, r->uid, r->uid_len, &identity);
		return;
	}
	b = new_block(r->uid, r->uid_len);
	memcpy(b, old, sizeof(*b));
	free(old);
	e->uid = b->uid;
	e->uid_len = (uint32_t)r->uid_len;
}

void entry_state(struct ledger *l, struct ledger_entry *e,
	enum ledger_state state)
{
	struct block *b = block_of(e);

	e->state = state;
	if (!e->pending)
		return;
	set_settled(l, e, b->uid, e->uid_len, &b->identity);
	free_block(b);
}

void entry_free(struct ledger_entry *e)
{
	if (e->pending)
		free_block(block_of(e));
}
