/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>

#include "agent/base/log.h"
#include "agent/pass/memory.h"

static bool send_dele(void *arg, size_t i, struct err *err)
{
	struct pass *pass = arg;
	struct ledger_entry *e = pass->work[i]->entry;

	/* A directory that is locked stays so. */
	if (pass->dir.by_file && !pass_has_lock(pass, err))
		return false;
	return (e->state == LEDGER_DELETING
			|| ledger_deleting(pass->ledger, e, err))
		&& client_put(pass->client, "DELE", pass_number(pass, i), err);
}

static bool recv_dele(void *arg, size_t i, const struct reply *reply,
	struct err *err)
{
	struct pass *pass = arg;

	if (reply->kind == REPLY_OK)
		return true;
	log_write(pass_loudness(pass),
		"the server would not delete message %" PRIu64,
		pass_number(pass, i));
	return ledger_delivered(pass->ledger, pass->work[i]->entry, err);
}

bool pass_delete(struct pass *pass, struct err *err)
{
	struct window window = { .send = send_dele,
		.recv = recv_dele, .arg = pass };

	window.count = pass_select(pass, PLAN_DELETE);
	if (window.count == 0)
		return true;
	pass_tell(pass, PHASE_DELETE);
	if (!pass_has_lock(pass, err))
		return false;
	/* From here on the server may lose them: what says that they are
	 * here must outlast a power cut. */
	if (!ledger_sync(pass->ledger, err))
		return false;
	if (client_window(pass->client, &window, err))
		return ledger_flush(pass->ledger, err);
	pass_blame(pass, &window, err);
	return false;
}

/* Not listed any more: what was deleted in an earlier session whose QUIT went
 * unanswered, and what came while the server told no UIDs. */
static bool has_vanished(const struct pass *pass, const struct ledger_entry *e)
{
	return !e->claimed && (e->state == LEDGER_DELETING
		|| (e->state == LEDGER_DELIVERED && e->uid_len == 0
			&& pass->listing.has_uids));
}

static bool note_vanished(struct pass *pass, struct err *err)
{
	struct ledger_entry *e;
	size_t i;

	/* What is listed and was not recognised may be any of them. */
	for (i = 0; i < pass->plan.count; i++)
		if (pass->plan.messages[i].entry == NULL)
			return true;
	for (i = 0; i < ledger_count(pass->ledger); i++) {
		e = ledger_at(pass->ledger, i);
		if (has_vanished(pass, e)
		    && !ledger_gone(pass->ledger, e, err))
			return false;
	}
	return true;
}

static bool quit(struct pass *pass, struct err *err)
{
	struct ledger_entry *e;
	size_t i;

	pass_tell(pass, PHASE_QUIT);
	if (pass->no_quit)
		return err_set(err, ERR_RETRY,
			"a message was retrieved but could not be stored; the server keeps everything");
	if (!(pass->work_count == 0 && pass->plan.audit_count != 0
		? pass_audit(pass, err) : client_quit(pass->client, err)))
		return false;
	for (i = 0; i < pass->work_count; i++) {
		e = pass->work[i]->entry;
		if (e->state != LEDGER_DELETING)
			continue;
		if (!ledger_gone(pass->ledger, e, err))
			return false;
		pass_forgive(pass, pass->work[i]);
		pass->counts->deleted++;
	}
	return note_vanished(pass, err) && ledger_flush(pass->ledger, err);
}

/* Without UIDs the server's LAST is all that tells old from new, and QUIT moves
 * it on, over what could not be fetched as well. */
static bool would_forget(const struct pass *pass)
{
	const struct report_counts *c = pass->counts;

	return !pass->listing.has_uids
		&& pass->account->keep.kind != KEEP_NEVER
		&& c->failed + c->later + c->waiting + pass->no_room != 0;
}

/* A QUIT whose answer is lost costs nothing if nothing was to be deleted. */
static bool forgiven(struct err *err)
{
	if (err->class != ERR_RETRY)
		return false;
	log_debug("QUIT: %s", err->text);
	err_clear(err);
	return true;
}

bool pass_leave(struct pass *pass, struct err *err)
{
	pass_tell(pass, PHASE_QUIT);
	return client_quit(pass->client, err) || forgiven(err);
}

bool pass_quit(struct pass *pass, struct err *err)
{
	if (would_forget(pass)) {
		log_info("leaving without QUIT, as not all messages could be fetched");
		return true;
	}
	return quit(pass, err) || (pass->work_count == 0 && !pass->no_quit
		&& forgiven(err));
}
