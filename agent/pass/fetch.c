/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/fsx.h"
#include "agent/base/log.h"
#include "agent/pass/priv.h"

/* Bytes of a message between two looks at the disk; or of several, as long as
 * so much room is left besides. */
#define CHECK_ROOM_EVERY (4u << 20)
#define MUCH_ROOM (64u << 20)

/* Room for a message where it is staged; twice, where it is then copied. */
static uint64_t room_needed(const struct pass *pass, uint64_t size)
{
	return (size + size / 16 + 8192)
		* (pass->account->deliver.kind == DELIVER_MBOX ? 2 : 1);
}

/* The room there is, and whose disk has so little. An mbox may be on another
 * disk than the stage. */
static uint64_t room(const struct pass *pass, const char **path_r)
{
	uint64_t stage = fsx_room(pass->batch.dest->stage.dir), mbox;

	*path_r = pass->batch.dest->stage.path;
	if (pass->account->deliver.kind != DELIVER_MBOX)
		return stage;
	mbox = fsx_room_for(pass->account->deliver.path);
	if (stage < mbox)
		return stage;
	*path_r = pass->account->deliver.path;
	return mbox;
}

/* Other programs write too: looks again after so many bytes, and if there is not
 * much room before each message. */
static bool is_room(struct pass *pass, uint64_t size, struct err *err)
{
	uint64_t more = room_needed(pass, size), need, free_now;
	const char *path;

	if (more <= pass->granted) {
		pass->granted -= more;
		return true;
	}
	need = room_needed(pass, pass->promised + size);
	free_now = room(pass, &path);
	if (need > free_now)
		return err_set(err, ERR_RETRY, "the disk of %s is full: %"
			PRIu64
				" bytes needed, %" PRIu64 " free above the reserve", path, need, free_now);
	pass->granted = free_now - need > MUCH_ROOM ? CHECK_ROOM_EVERY : 0;
	return true;
}

static bool send_retr(void *arg, size_t i, struct err *err)
{
	struct pass *pass = arg;
	uint64_t size = pass->work[i]->listed->size;

	if (!is_room(pass, size, err))
		return false;
	/* This server was out of step before. */
	if (pass->lockstep && !client_prove_step(pass->client, err))
		return false;
	pass->promised += size;
	return client_put(pass->client, "RETR", pass_number(pass, i), err);
}

/* Listed sizes are rough (some servers count LF as one byte, some compressed
 * ones), so only a gross excess is taken for an attack on the disk. */
static uint64_t body_limit(const struct pass *pass,
	const struct listed *listed)
{
	uint64_t limit = pass->account->limits.message;

	if (listed->size != 0)
		return 4 * listed->size + (1 << 20);
	return limit == 0 ? 0 : 2 * limit + 65536;
}

/* A large message must show its progress before it is whole. */

static bool meter_push(struct sink *sink, const char *data, size_t len,
	struct err *err)
{
	struct pass *pass = (struct pass *)(void *)((char *)sink
		- offsetof(struct pass, meter));
	const char *path;

	pass->progress.bytes += len;
	pass_tell(pass, PHASE_FETCH);
	/* It may be far larger than listed. */
	pass->unchecked += len;
	if (pass->unchecked > CHECK_ROOM_EVERY) {
		pass->unchecked = 0;
		if (room(pass, &path) == 0) {
			err_set(err, ERR_RETRY,
				"the disk of %s is full: more bytes are needed than the server listed",
				path);
			err->sys = ENOSPC;
			return false;
		}
	}
	return pass->metered->push(pass->metered, data, len, err);
}

static bool meter_finish(struct sink *sink, struct err *err)
{
	struct pass *pass = (struct pass *)(void *)((char *)sink
		- offsetof(struct pass, meter));

	return pass->metered->finish(pass->metered, err);
}

/* It is about this message, not about the disk: another one may well find room.
 * No look at the disk shows a quota, or a limit on file sizes. */
static bool no_room(const struct err *err)
{
	return err->sys == ENOSPC || err->sys == EDQUOT || err->sys == EFBIG;
}

static bool commit(struct pass *pass, struct err *err)
{
	pass->spoiled = !batch_commit(&pass->batch, err);
	pass->settled = !pass->spoiled;
	return pass->settled;
}

static bool stage(struct pass *pass, struct batch_slot **slot_r,
	struct sink **sink_r, struct err *err)
{
	struct dest *dest = pass->batch.dest;

	*slot_r = batch_next(&pass->batch);
	if (dest->kind->stage(dest, &(*slot_r)->item, sink_r, err))
		return true;
	pass->spoiled = !no_room(err);
	return false;
}

/* Others have opened so many files meanwhile: ours are closed by a commit. */
static bool too_many_files(const struct pass *pass, const struct err *err)
{
	return (err->sys == EMFILE || err->sys == ENFILE)
		&& pass->batch.count != 0;
}

static bool begin(struct pass *pass, struct batch_slot **slot_r,
	struct sink **sink_r, struct err *err)
{
	if (stage(pass, slot_r, sink_r, err))
		return true;
	if (!too_many_files(pass, err))
		return false;
	log_debug("%s: delivering what is here first", err->text);
	err_clear(err);
	return commit(pass, err) && stage(pass, slot_r, sink_r, err);
}

static bool retrieve(struct pass *pass, struct batch_slot **slot_r,
	struct plan_message *m, struct err *err)
{
	struct dest *dest = pass->batch.dest;
	enum pump_result result;
	struct sink *sink;
	uint64_t bytes;

	if (!begin(pass, slot_r, &sink, err))
		return false;
	pass->spoiled = true;
	pass->metered = headers_start(pass->headers, sink);
	pass->meter = (struct sink){ meter_push, meter_finish };
	result = pump(client_body(pass->client, m->listed->size),
		&pass->meter, body_limit(pass, m->listed), &bytes, err);
	pass->spoiled = result == PUMP_SINK_FAILED && !no_room(err);
	if (result != PUMP_OK)
		return false;
	if (!pass_in_step(pass, m, bytes, err)) {
		pass->spoiled = true;
		return false;
	}
	pass->counts->fetched_bytes += bytes;
	dest_seal(dest, &(*slot_r)->item);
	return true;
}

/* The server keeps it, and keeps it to itself. */
static bool not_handed_over(struct pass *pass, struct plan_message *m,
	const struct err *why, struct err *err)
{
	log_err(pass_loudness(pass), why);
	pass->counts->failed++;
	m->action = PLAN_WAIT;
	return pass_note_failure(pass, m, why->text, err);
}

static bool refused(struct pass *pass, struct plan_message *m,
	const struct reply *reply, struct err *err)
{
	struct err why = ERR_INIT;
	char what[40];

	snprintf(what, sizeof(what), "RETR %" PRIu32, m->listed->number);
	reply_refused(reply, ERR_MSG, what, &why);
	return not_handed_over(pass, m, &why, err);
}

/* Some servers answer so for what they cannot read themselves. */
static bool empty(struct pass *pass, struct plan_message *m, struct err *err)
{
	struct err why = ERR_INIT;

	err_set(&why, ERR_MSG, "the server sent nothing for message %" PRIu32
		", which it lists with %" PRIu64 " bytes", m->listed->number,
		m->listed->size);
	return not_handed_over(pass, m, &why, err);
}

static void drop(struct pass *pass, struct batch_slot *slot)
{
	struct err err = ERR_INIT;

	if (slot->item.fd >= 0 && !stage_remove(&pass->batch.dest->stage,
		&slot->item, &err))
		log_err(LOG_LEVEL_WARN, &err);
}

static bool take_message(struct pass *pass, struct plan_message *m,
	struct err *err)
{
	struct batch_slot *slot;
	bool ok = retrieve(pass, &slot, m, err);

	if (ok && slot->item.size == 0 && m->listed->size != 0) {
		drop(pass, slot);
		return empty(pass, m, err);
	}
	if (!ok || plan_recognise(&pass->plan, m,
		headers_identity(pass->headers))) {
		/* Half a message, or one that is here already. */
		drop(pass, slot);
		m->cut = false;
		return ok && pass_note_known(pass, m, err);
	}
	slot->owner = m;
	slot->what.uid = m->listed->uid;
	slot->what.uid_len = m->listed->uid_len;
	slot->what.listed = m->listed->size;
	slot->what.identity = *headers_identity(pass->headers);
	pass->counts->fetched++;
	batch_add(&pass->batch);
	return true;
}

static bool recv_retr(void *arg, size_t i, const struct reply *reply,
	struct err *err)
{
	struct pass *pass = arg;
	struct plan_message *m = pass->work[i];
	bool ok;

	ok = reply->kind == REPLY_OK ? take_message(pass, m, err)
		: refused(pass, m, reply, err);
	if (!ok) {
		err_prefix(err, "message %" PRIu32, m->listed->number);
		return false;
	}
	pass->promised -= m->listed->size;
	pass->progress.messages++;
	pass_tell(pass, PHASE_FETCH);
	return !batch_full(&pass->batch) || commit(pass, err);
}

static int by_size(const void *a, const void *b)
{
	const struct listed *x = (*(struct plan_message *const *)a)->listed;
	const struct listed *y = (*(struct plan_message *const *)b)->listed;

	if (x->size != y->size)
		return x->size < y->size ? -1 : 1;
	return x->number < y->number ? -1 : 1;
}

/* Puts first what has not failed before, so that a message which breaks the
 * session each time holds up no other; nor does one that finds no room. */
static void failed_last(struct pass *pass)
{
	struct plan_message **order = arena_array(pass->arena,
		pass->work_count, sizeof(*order));
	size_t i, n = 0, fresh;

	for (i = 0; i < pass->work_count; i++)
		if (pass->work[i]->failed == NULL)
			order[n++] = pass->work[i];
	fresh = n;
	for (i = 0; i < pass->work_count; i++)
		if (pass->work[i]->failed != NULL)
			order[n++] = pass->work[i];
	if (n != fresh)
		qsort(order + fresh, n - fresh, sizeof(*order), by_size);
	for (i = 0; i < n; i++)
		pass->work[i] = order[i];
}

/* Leaves for later what does not fit on the disk; returns how many do. */
static size_t keep_to_room(struct pass *pass)
{
	uint64_t free_now = room(pass, &pass->no_room_path), size, used = 0;
	size_t i, n = 0;

	for (i = 0; i < pass->work_count; i++) {
		size = room_needed(pass, pass->work[i]->listed->size);
		if (used + size > free_now) {
			pass->work[i]->action = PLAN_LATER;
			pass->no_room++;
			pass->no_room_bytes += size;
			continue;
		}
		used += size;
		pass->work[n++] = pass->work[i];
	}
	return n;
}

/* One that finds no room comes later, but need not wait when there is some. */
static void blame(struct pass *pass, const struct window *window,
	const struct err *err)
{
	if (window->got < window->count && no_room(err)
	    && err->sys != EFBIG && pass->work[window->got]->failed != NULL)
		return;
	pass_blame(pass, window, err);
}

static void count_rest(struct pass *pass)
{
	pass->counts->skipped = pass_select(pass, PLAN_SKIP);
	pass->counts->later = pass_select(pass, PLAN_LATER);
	pass->counts->waiting = pass_select(pass, PLAN_WAIT)
		+ pass_select(pass, PLAN_STAGED);
}

bool pass_fetch(struct pass *pass, struct err *err)
{
	struct window window = { .send = send_retr,
		.recv = recv_retr, .arg = pass };
	struct err why = ERR_INIT;
	size_t i;

	plan_limit(&pass->plan);
	count_rest(pass);
	pass_select(pass, PLAN_FETCH);
	failed_last(pass);
	window.count = pass->work_count = keep_to_room(pass);
	pass->progress.of_messages = window.count;
	for (i = 0; i < window.count; i++)
		pass->progress.of_bytes += pass->work[i]->listed->size;
	pass_tell(pass, PHASE_FETCH);
	if (client_window(pass->client, &window, err)
	    && client_in_step(pass->client, err)) {
		if (!commit(pass, err))
			return false;
		pass_learn_sizes(pass);
		return ledger_flush(pass->ledger, err);
	}
	if (!pass->spoiled)
		blame(pass, &window, err);
	if (err->class == ERR_PROTO)
		pass->spoiled = true;
	/* What came whole before the line broke is delivered all the same: on
	 * a bad line nothing would ever arrive otherwise. */
	if (!pass->spoiled && !commit(pass, &why))
		log_err(LOG_LEVEL_WARN, &why);
	return false;
}
