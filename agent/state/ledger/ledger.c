/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/state/ledger/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/digest.h"
#include "agent/base/log.h"
#include "agent/state/ledger/priv.h"

#define TRIES_AT_ONCE 3
#define FIRST_WAIT 300
#define LONGEST_WAIT (6 * 3600)

/* The first record after a sync says that all before it is durable. */
static bool mark(struct ledger *l, struct err *err)
{
	const struct record r = { .type = RECORD_MARK, .time = clock_wall(),
		.before = l->crc };

	return !l->synced || l->sealed || ledger_put(l, &r, err);
}

/* Takes the last line out of the buffer. */
static void take_back(struct ledger *l, uint32_t crc)
{
	while (--l->len > 0 && l->buffer[l->len - 1] != '\n')
		;
	l->lines--;
	l->crc = crc;
}

static bool begin_record(struct ledger *l, struct err *err)
{
	if (!ledger_may_write(l, err))
		return false;
	if (l->version != LEDGER_VERSION)
		return ledger_compact(l, err);
	return mark(l, err);
}

bool ledger_record(struct ledger *l, const struct record *r, struct err *err)
{
	uint32_t crc;

	if (!begin_record(l, err))
		return false;
	crc = l->crc;
	if (!ledger_put(l, r, err))
		return false;
	if (ledger_apply(l, r))
		return true;
	take_back(l, crc);
	return err_set(err, ERR_RETRY, "%s: a record makes no sense",
		l->path);
}

static struct ledger *new_ledger(int dir, const char *path,
	const char *account)
{
	struct ledger *l = mem_head(sizeof(*l),
		offsetof(struct ledger, buffer));

	l->arena = arena_new();
	l->dir = dir;
	l->fd = -1;
	l->account = account;
	l->next_id = 1;
	snprintf(l->path, sizeof(l->path), "%s/" LEDGER_FILE, path);
	ledger_table_start(l);
	return l;
}

static bool start_new(struct ledger *l, struct err *err)
{
	l->created = clock_wall();
	snprintf(l->epoch, sizeof(l->epoch), "%016" PRIx64, digest_random());
	l->ready = true;
	return ledger_compact(l, err);
}

struct ledger *ledger_open(int dir, const char *path, const char *account,
	bool adopt, struct err *err)
{
	struct ledger *l = new_ledger(dir, path, account);
	bool there;

	l->adopt = adopt;
	if (ledger_load(l, &there, err) && (there || start_new(l, err)))
		return l;
	ledger_close(l);
	return NULL;
}

bool ledger_begin(struct ledger *l, struct err *err)
{
	if (l->ready)
		return true;
	l->ready = true;
	if (l->torn)
		log_info("%s: the last write was cut off at line %" PRIu64
			"; continuing from there", l->path, l->lines + 1);
	if (l->torn || l->rename)
		return ledger_compact(l, err);
	l->fd = openat(l->dir, LEDGER_FILE, O_WRONLY | O_APPEND | O_NOFOLLOW
		| O_CLOEXEC);
	l->broken = l->fd < 0;
	return l->fd >= 0 || err_sys(err, errno, "cannot open %s", l->path);
}

struct ledger *ledger_read(int dir, const char *path, const char *account,
	struct err *err)
{
	struct ledger *l = new_ledger(dir, path, account);
	bool there = false;

	if (ledger_load(l, &there, err) && there)
		return l;
	ledger_close(l);
	return NULL;
}

void ledger_abandon(struct ledger *l)
{
	l->broken = true;
}

/* Now, as a later pass cannot know any more what was durable. */
static bool finish(struct ledger *l, struct err *err)
{
	if (ledger_wants_compaction(l) && !ledger_compact(l, err))
		return false;
	return mark(l, err) && ledger_flush(l, err);
}

void ledger_close(struct ledger *l)
{
	struct err err = ERR_INIT;

	if (l == NULL)
		return;
	if (l->ready && !l->broken && !finish(l, &err))
		log_err(LOG_LEVEL_WARN, &err);
	if (l->fd >= 0)
		close(l->fd);
	ledger_table_free(l);
	arena_free(l->arena);
	free(l);
}

const char *ledger_epoch(const struct ledger *l)
{
	return l->epoch;
}

uint64_t ledger_next_id(const struct ledger *l)
{
	return l->next_id;
}

uint64_t ledger_durable_id(const struct ledger *l)
{
	return l->durable_id;
}

static void take_place(struct record *r, const struct ledger_what *what)
{
	r->name = what->name;
	r->dest = what->dest;
	r->size = what->size;
	r->stored = what->stored;
	r->place = what->place;
	r->at = what->at;
}

bool ledger_redirect(struct ledger *l, struct ledger_entry *entry,
	const struct ledger_what *what, struct err *err)
{
	struct record r = { .type = RECORD_INTENT, .id = entry->id,
		.time = clock_wall(), .uid = entry->uid,
		.uid_len = entry->uid_len, .listed = entry->listed,
		.identity = ledger_identity(entry) };

	take_place(&r, what);
	return ledger_record(l, &r, err);
}

bool ledger_intent(struct ledger *l, const struct ledger_what *what,
	struct ledger_entry **entry_r, struct err *err)
{
	char room[LEDGER_UID_ROOM];
	struct record r = { .type = RECORD_INTENT, .id = l->next_id,
		.time = clock_wall(), .uid = what->uid,
		.uid_len = what->uid_len, .listed = what->listed,
		.identity = what->identity };

	ledger_short_uid(&r.uid, &r.uid_len, room);
	take_place(&r, what);
	if (!ledger_record(l, &r, err))
		return false;
	*entry_r = ledger_at(l, l->count - 1);
	(*entry_r)->claimed = true;
	return true;
}

bool ledger_hint(struct ledger *l, struct ledger_entry *entry,
	const char *text, struct err *err)
{
	struct record r = { .type = RECORD_HINT, .id = entry->id,
		.text = text };

	return ledger_record(l, &r, err);
}

/* When to try again what has failed `tries` times. The first few times may be
 * a person at work on the MDA: no waiting. */
static int64_t next_try(unsigned int tries)
{
	int64_t wait = FIRST_WAIT;
	unsigned int i;

	if (tries < TRIES_AT_ONCE)
		return clock_wall();
	for (i = TRIES_AT_ONCE; i < tries && wait < LONGEST_WAIT; i++)
		wait *= 2;
	return clock_wall() + (wait < LONGEST_WAIT ? wait : LONGEST_WAIT);
}

bool ledger_waits(const struct ledger_entry *entry, int64_t now)
{
	int64_t next = ledger_pending(entry)->next_try;

	return next > now && next - now <= LONGEST_WAIT;
}

bool ledger_deferred(struct ledger *l, struct ledger_entry *entry,
	const char *reason, struct err *err)
{
	unsigned int tries = ledger_pending(entry)->tries + 1;
	struct record r = { .type = RECORD_DEFERRED, .id = entry->id,
		.time = clock_wall(), .tries = tries,
		.next_try = next_try(tries), .text = reason };

	return ledger_record(l, &r, err);
}

bool ledger_failed(struct ledger *l, struct ledger_entry *entry,
	const struct ledger_what *what, const char *reason, struct err *err)
{
	unsigned int tries = entry == NULL ? 1
		: ledger_pending(entry)->tries + 1;
	struct record r = { .type = RECORD_FAILED, .time = clock_wall(),
		.tries = tries, .next_try = next_try(tries), .text = reason };
	char room[LEDGER_UID_ROOM];

	r.id = entry != NULL ? entry->id : l->next_id;
	r.uid = entry != NULL ? entry->uid : what->uid;
	r.uid_len = entry != NULL ? entry->uid_len : what->uid_len;
	r.listed = entry != NULL ? entry->listed : what->listed;
	ledger_short_uid(&r.uid, &r.uid_len, room);
	return ledger_record(l, &r, err);
}

bool ledger_baseline(struct ledger *l, const struct ledger_what *what,
	struct err *err)
{
	char room[LEDGER_UID_ROOM];
	struct record r = { .type = RECORD_SEEN, .id = l->next_id,
		.time = clock_wall(), .uid = what->uid,
		.uid_len = what->uid_len, .listed = what->listed,
		.identity = what->identity, .state = LEDGER_BASELINE };

	/* The whole listing may come, and is in memory already. */
	ledger_short_uid(&r.uid, &r.uid_len, room);
	if (!begin_record(l, err) || !ledger_put(l, &r, err))
		return false;
	l->partial = true;
	l->next_id++;
	return true;
}

bool ledger_imported(struct ledger *l, const struct ledger_what *what,
	int64_t time, struct ledger_entry **entry_r, struct err *err)
{
	char room[LEDGER_UID_ROOM];
	struct record r = { .type = RECORD_SEEN, .id = l->next_id,
		.time = time, .uid = what->uid, .uid_len = what->uid_len,
		.listed = what->listed, .identity = what->identity,
		.state = LEDGER_DELIVERED };

	ledger_short_uid(&r.uid, &r.uid_len, room);
	if (!ledger_record(l, &r, err))
		return false;
	*entry_r = ledger_at(l, l->count - 1);
	(*entry_r)->claimed = true;
	return true;
}

bool ledger_note_inexact(struct ledger *l, struct err *err)
{
	struct record r = { .type = RECORD_INEXACT, .time = clock_wall() };

	return ledger_record(l, &r, err);
}

bool ledger_note_clock(struct ledger *l, int64_t now, struct err *err)
{
	struct record r = { .type = RECORD_CLOCK, .time = now };

	return ledger_record(l, &r, err);
}

bool ledger_moved(struct ledger *l, struct ledger_entry *entry,
	const char *uid, size_t len, uint64_t listed, struct err *err)
{
	char room[LEDGER_UID_ROOM];
	struct record r = { .type = RECORD_MOVED, .id = entry->id,
		.time = clock_wall(), .uid = uid, .uid_len = len,
		.listed = listed };

	ledger_short_uid(&r.uid, &r.uid_len, room);
	return ledger_record(l, &r, err);
}

static bool record_state(struct ledger *l, enum record_type type,
	const struct ledger_entry *entry, struct err *err)
{
	struct record r = { .type = type, .id = entry->id,
		.time = clock_wall() };

	return ledger_record(l, &r, err);
}

bool ledger_delivered(struct ledger *l, struct ledger_entry *entry,
	struct err *err)
{
	return record_state(l, RECORD_DELIVERED, entry, err);
}

bool ledger_void(struct ledger *l, struct ledger_entry *entry,
	struct err *err)
{
	return record_state(l, RECORD_VOID, entry, err);
}

bool ledger_deleting(struct ledger *l, struct ledger_entry *entry,
	struct err *err)
{
	return record_state(l, RECORD_DELETING, entry, err);
}

bool ledger_gone(struct ledger *l, struct ledger_entry *entry,
	struct err *err)
{
	return record_state(l, RECORD_GONE, entry, err);
}

bool ledger_left(struct ledger *l, struct ledger_entry *entry,
	struct err *err)
{
	return record_state(l, RECORD_LEFT, entry, err);
}
