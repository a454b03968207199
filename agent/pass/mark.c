/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pass/priv.h"
#include "agent/state/imported.h"

/*
 * Marking as seen what is listed and not known: all of it because a person says
 * so, or what another program has fetched before. The header is asked for too,
 * so that the message is recognised when its UID changes.
 */

/* What a person marks stays on the server for good; what was imported goes when
 * mail of our own would. */
static bool note(struct pass *pass, struct plan_message *m,
	const struct ledger_what *what, struct err *err)
{
	pass->counts->baselined++;
	if (pass->imported == NULL)
		return ledger_baseline(pass->ledger, what, err);
	m->action = PLAN_KEEP;
	return ledger_imported(pass->ledger, what, pass->imported->time,
		&m->entry, err);
}

static bool mark(struct pass *pass, struct plan_message *m,
	const struct identity *identity, struct err *err)
{
	struct ledger_what what = { .uid = m->listed->uid,
		.uid_len = m->listed->uid_len, .listed = m->listed->size,
		.identity = identity_none() };

	what.identity.has_header = identity->has_header;
	what.identity.is_weak = identity->is_weak;
	what.identity.header = identity->header;
	return note(pass, m, &what, err);
}

static bool recv_mark(void *arg, size_t i, const struct reply *reply,
	struct err *err)
{
	const struct identity none = identity_none();
	struct pass *pass = arg;
	struct sink *sink = headers_start(pass->headers, NULL);
	uint64_t bytes;

	pass_tell(pass, PHASE_CHECK);
	if (reply->kind != REPLY_OK)
		return mark(pass, pass->work[i], &none, err);
	return pump(client_body(pass->client, 0), sink, LIMIT_TOP_BYTES,
			&bytes, err) == PUMP_OK
		&& mark(pass, pass->work[i],
			headers_identity(pass->headers), err);
}

/* Those of `work` that the other program knows. */
static size_t keep_imported(struct pass *pass)
{
	const struct listed *listed;
	size_t i, n = 0;

	for (i = 0; i < pass->work_count; i++) {
		listed = pass->work[i]->listed;
		if (imported_has(pass->imported, listed->uid, listed->uid_len))
			pass->work[n++] = pass->work[i];
	}
	return pass->work_count = n;
}

static bool mark_action(struct pass *pass, enum plan_action action,
	struct err *err)
{
	const struct identity none = identity_none();
	struct window window = { .count = pass_select(pass, action),
		.send = pass_send_top, .recv = recv_mark, .arg = pass };
	size_t i;

	if (pass->imported != NULL)
		window.count = keep_imported(pass);
	if (pass_may_ask_top(pass))
		return client_window(pass->client, &window, err);
	for (i = 0; i < pass->work_count; i++)
		if (!mark(pass, pass->work[i], &none, err))
			return false;
	return true;
}

bool pass_baseline(struct pass *pass, struct err *err)
{
	pass_tell(pass, PHASE_CHECK);
	return mark_action(pass, PLAN_FETCH, err)
		&& mark_action(pass, PLAN_SKIP, err)
		&& mark_action(pass, PLAN_WAIT, err)
		&& ledger_sync(pass->ledger, err);
}

static size_t count_imported(const struct pass *pass)
{
	const struct listed *m = pass->listing.messages;
	size_t i, n = 0;

	for (i = 0; i < pass->listing.count; i++)
		n += imported_has(pass->imported, m[i].uid, m[i].uid_len);
	return n;
}

/* A list of another maildrop marks nothing, and all would come again. */
static bool fits(const struct pass *pass, size_t found, struct err *err)
{
	const struct imported *im = pass->imported;

	if (!pass->listing.has_uids)
		return err_set(err, ERR_CONFIG,
			"the server tells no UIDs, so what %s fetched cannot be told from new mail: remove %s/imported, and the server's old mail, or run fetch --baseline", im->from, pass->dir.path);
	return found != 0 || im->count == 0 || !im->must_match
		|| pass->listing.count == 0 || err_set(err, ERR_CONFIG,
		"none of the %zu messages that %s has fetched is on the server: compare host and user. If they are right, remove %s/imported: then all that is there is fetched", im->count, im->from, pass->dir.path);
}

bool pass_carry_over(struct pass *pass, struct err *err)
{
	size_t found;

	if (!imported_read(pass->dir.dir, pass->dir.path, pass->arena,
		&pass->imported, err))
		return false;
	if (pass->imported == NULL)
		return true;
	found = count_imported(pass);
	if (!fits(pass, found, err) || !pass_baseline(pass, err))
		return false;
	log_info("%zu of the %zu messages that %s had fetched are on the server",
		found, pass->imported->count, pass->imported->from);
	pass->imported = NULL;
	/* An empty maildrop may be one that is not there today. */
	return pass->listing.count == 0
		|| imported_remove(pass->dir.dir, pass->dir.path, err);
}
