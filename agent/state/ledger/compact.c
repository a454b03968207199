/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/fsx.h"
#include "agent/state/ledger/priv.h"

/* Deleted messages are remembered for a month: servers have shown them again
 * after a restore. Failures too. */
#define GONE_SECONDS (30 * 86400)
/* History is worth its space up to here. */
#define LINES_A_MESSAGE 6
#define LINES_AT_LEAST 1000

static bool put_header(struct ledger *l, struct err *err)
{
	const struct record ledger = { .type = RECORD_LEDGER,
		.version = LEDGER_VERSION, .time = l->created,
		.name = l->account, .text = l->epoch, .id = l->next_id };
	const struct record file = { .type = RECORD_FILE, .serial = l->start,
		.lines = l->begun_with };

	l->crc = 0;
	return ledger_put(l, &ledger, err) && ledger_put(l, &file, err);
}

static bool put_places(struct ledger *l, struct err *err)
{
	const struct ledger_place *p;
	struct record r = { .type = RECORD_MARKED, .time = l->compacted };

	for (p = l->places; p != NULL; p = p->next) {
		r.dest = p->dest;
		r.name = p->marker;
		if (r.name[0] != '\0' && !ledger_put(l, &r, err))
			return false;
	}
	return true;
}

static uint64_t count_places(const struct ledger *l)
{
	const struct ledger_place *p;
	uint64_t n = 0;

	for (p = l->places; p != NULL; p = p->next)
		n += p->marker[0] != '\0';
	return n;
}

static bool put_open(struct ledger *l, const struct ledger_entry *e,
	struct err *err)
{
	const struct ledger_pending *p = ledger_pending(e);
	const struct record intent = { .type = RECORD_INTENT, .id = e->id,
		.time = e->time, .uid = e->uid, .uid_len = e->uid_len,
		.listed = e->listed, .size = p->size, .stored = p->stored,
		.place = p->place, .at = p->at, .identity = ledger_identity(e),
		.name = p->name, .dest = p->dest };
	const struct record hint = { .type = RECORD_HINT, .id = e->id,
		.text = p->hint };
	const struct record deferred = { .type = RECORD_DEFERRED, .id = e->id,
		.time = e->time, .tries = p->tries, .next_try = p->next_try,
		.text = p->reason };

	return ledger_put(l, &intent, err)
		&& (p->hint[0] == '\0' || ledger_put(l, &hint, err))
		&& (p->tries == 0 || ledger_put(l, &deferred, err));
}

/* What is only history. */
static bool is_dead(const struct ledger *l, const struct ledger_entry *e,
	int64_t now)
{
	return e->state == LEDGER_VOID || ((e->state == LEDGER_GONE
			|| e->state == LEDGER_FAILED)
		&& now - ledger_since(l, e, now) > GONE_SECONDS);
}

bool ledger_wants_compaction(const struct ledger *l)
{
	int64_t now = clock_wall();
	size_t i, live = 0;

	if (l->partial)
		return false;
	for (i = 0; i < l->count; i++)
		live += !is_dead(l, ledger_at(l, i), now);
	return l->lines > LINES_A_MESSAGE * live + LINES_AT_LEAST;
}

static bool put_failed(struct ledger *l, const struct ledger_entry *e,
	struct err *err)
{
	const struct ledger_pending *p = ledger_pending(e);
	const struct record failed = { .type = RECORD_FAILED, .id = e->id,
		.time = e->time, .uid = e->uid, .uid_len = e->uid_len,
		.listed = e->listed, .tries = p->tries,
		.next_try = p->next_try, .text = p->reason };

	return ledger_put(l, &failed, err);
}

static bool put_seen(struct ledger *l, const struct ledger_entry *e,
	struct err *err)
{
	const struct record seen = { .type = RECORD_SEEN, .id = e->id,
		.time = e->time, .uid = e->uid, .uid_len = e->uid_len,
		.listed = e->listed, .identity = ledger_identity(e),
		.state = (uint64_t)e->state };

	return ledger_put(l, &seen, err);
}

/* How many lines put_entry() makes of it. */
static uint64_t lines_of(const struct ledger *l, const struct ledger_entry *e)
{
	const struct ledger_pending *p = ledger_pending(e);

	if (is_dead(l, e, l->compacted))
		return 0;
	return e->state != LEDGER_INTENT ? 1
		: 1 + (uint64_t)(p->hint[0] != '\0') + (p->tries != 0);
}

static bool put_entry(struct ledger *l, const struct ledger_entry *e,
	struct err *err)
{
	if (is_dead(l, e, l->compacted))
		return true;
	if (e->state == LEDGER_INTENT)
		return put_open(l, e, err);
	return e->state == LEDGER_FAILED ? put_failed(l, e, err)
		: put_seen(l, e, err);
}

static bool put_mark(struct ledger *l, struct err *err)
{
	const struct record r = { .type = RECORD_MARK, .time = l->compacted,
		.before = l->crc };

	return ledger_put(l, &r, err);
}

static bool put_all(struct ledger *l, struct err *err)
{
	const struct record inexact = { .type = RECORD_INEXACT,
		.time = l->compacted };
	const struct record clock = { .type = RECORD_CLOCK, .time = l->clock };
	size_t i;

	if (!put_header(l, err)
	    || (l->inexact && !ledger_put(l, &inexact, err))
	    || (l->clock != 0 && !ledger_put(l, &clock, err))
	    || !put_places(l, err))
		return false;
	for (i = 0; i < l->count; i++)
		if (!put_entry(l, ledger_at(l, i), err))
			return false;
	if (!put_mark(l, err))
		return false;
	if (l->lines != l->begun_with)
		return err_set(err, ERR_RETRY,
			"%s.new has another length than it should", l->path);
	return ledger_sync(l, err);
}

/* A ledger without lines, whose first ones are counted: two lines in front, a
 * mark behind. */
static void empty(struct ledger *l)
{
	size_t i;

	l->compacted = clock_wall();
	l->version = LEDGER_VERSION;
	l->start += l->lines;
	/* What waits to be written is in memory too. */
	l->len = 0;
	l->lines = l->durable_lines = 0;
	l->synced = false;
	l->begun_with = 3 + l->inexact + (l->clock != 0) + count_places(l);
	for (i = 0; i < l->count; i++)
		l->begun_with += lines_of(l, ledger_at(l, i));
}

/* New file, durable, then the name: at no moment is there no ledger. */
bool ledger_compact(struct ledger *l, struct err *err)
{
	int fd;

	/* What is not in memory would be lost. */
	if (l->partial)
		return true;
	fd = openat(l->dir, LEDGER_NEW, O_WRONLY | O_CREAT | O_TRUNC
		| O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, errno, "cannot make %s.new", l->path);
	if (l->fd >= 0)
		close(l->fd);
	l->fd = fd;
	empty(l);
	if (put_all(l, err)) {
		if (renameat(l->dir, LEDGER_NEW, l->dir, LEDGER_FILE) == 0) {
			/* A seal must not tell of a name that may not last. */
			l->broken = !fsx_sync_dir(l->dir, l->path, err);
			return !l->broken;
		}
		err_sys(err, errno, "cannot rename %s.new", l->path);
	}
	unlinkat(l->dir, LEDGER_NEW, 0);
	l->broken = true;
	return false;
}
