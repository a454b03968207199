/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pass/priv.h"

/* TOP: is this the message we know? */

static bool send_top(void *arg, size_t i, struct err *err)
{
	struct pass *pass = arg;

	return client_put(pass->client, "TOP", pass_number(pass, i), err);
}

/* A message turned out to be known: under another UID, of another size, or
 * after it had been deleted. */
bool pass_note_known(struct pass *pass, struct plan_message *m,
	struct err *err)
{
	if (m->entry == NULL)
		return true;
	/* What is to be deleted may yet break the session once more. */
	if (m->action != PLAN_DELETE)
		pass_forgive(pass, m);
	if ((m->moved || m->entry->listed != m->listed->size)
	    && !ledger_moved(pass->ledger, m->entry, m->listed->uid,
		    m->listed->uid_len, m->listed->size, err))
		return false;
	m->moved = false;
	/* It stays on the server, so it must stay in the ledger. */
	return m->action != PLAN_KEEP || (m->entry->state != LEDGER_GONE
			&& m->entry->state != LEDGER_DELETING)
		|| ledger_delivered(pass->ledger, m->entry, err);
}

static bool recv_top(void *arg, size_t i, const struct reply *reply,
	struct err *err)
{
	struct pass *pass = arg;
	struct sink *sink = headers_start(pass->headers, NULL);
	uint64_t bytes;

	pass_tell(pass, PHASE_CHECK);
	if (reply->kind != REPLY_OK) {
		plan_checked(&pass->plan, pass->work[i], NULL);
		return true;
	}
	if (pump(client_body(pass->client, 0), sink, LIMIT_TOP_BYTES, &bytes,
		err) != PUMP_OK)
		return false;
	plan_checked(&pass->plan, pass->work[i],
		headers_identity(pass->headers));
	return pass_note_known(pass, pass->work[i], err);
}

static bool may_ask_top(const struct pass *pass)
{
	const struct capa *capa = client_capa(pass->client);

	return !capa->known || capa->top;
}

/* Those of `work` that have made trouble before, or those that have not. */
static size_t keep_only(struct pass *pass, bool trouble)
{
	size_t i, n = 0;

	for (i = 0; i < pass->work_count; i++)
		if ((pass->work[i]->failed != NULL) == trouble)
			pass->work[n++] = pass->work[i];
	return pass->work_count = n;
}

bool pass_check_known(struct pass *pass, bool trouble, struct err *err)
{
	struct window window = { .send = send_top,
		.recv = recv_top, .arg = pass };
	size_t i;

	pass_select(pass, PLAN_CHECK);
	window.count = keep_only(pass, trouble);
	if (may_ask_top(pass)) {
		if (client_window(pass->client, &window, err))
			return true;
		pass_blame(pass, &window, err);
		return false;
	}
	for (i = 0; i < pass->work_count; i++)
		plan_checked(&pass->plan, pass->work[i], NULL);
	return true;
}

/* Marking as seen what is listed and not known. The header is asked for too,
 * so that the message is recognised when its UID changes. */

static bool mark(struct pass *pass, const struct listed *listed,
	const struct identity *identity, struct err *err)
{
	struct ledger_what what = { .uid = listed->uid,
		.uid_len = listed->uid_len, .listed = listed->size,
		.identity = identity_none() };

	what.identity.has_header = identity->has_header;
	what.identity.is_weak = identity->is_weak;
	what.identity.header = identity->header;
	pass->counts->baselined++;
	return ledger_baseline(pass->ledger, &what, err);
}

static bool recv_mark(void *arg, size_t i, const struct reply *reply,
	struct err *err)
{
	const struct identity none = identity_none();
	struct pass *pass = arg;
	struct sink *sink = headers_start(pass->headers, NULL);
	uint64_t bytes;

	if (reply->kind != REPLY_OK)
		return mark(pass, pass->work[i]->listed, &none, err);
	return pump(client_body(pass->client, 0), sink, LIMIT_TOP_BYTES,
			&bytes, err) == PUMP_OK
		&& mark(pass, pass->work[i]->listed,
			headers_identity(pass->headers), err);
}

static bool mark_action(struct pass *pass, enum plan_action action,
	struct err *err)
{
	const struct identity none = identity_none();
	struct window window = { .count = pass_select(pass, action),
		.send = send_top, .recv = recv_mark, .arg = pass };
	size_t i;

	if (may_ask_top(pass))
		return client_window(pass->client, &window, err);
	for (i = 0; i < pass->work_count; i++)
		if (!mark(pass, pass->work[i]->listed, &none, err))
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
