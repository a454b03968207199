/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pass/priv.h"

/* TOP: is this the message we know? */

bool pass_send_top(void *arg, size_t i, struct err *err)
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

bool pass_may_ask_top(const struct pass *pass)
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
	struct window window = { .send = pass_send_top,
		.recv = recv_top, .arg = pass };
	size_t i;

	pass_select(pass, PLAN_CHECK);
	window.count = keep_only(pass, trouble);
	if (pass_may_ask_top(pass)) {
		if (client_window(pass->client, &window, err))
			return true;
		pass_blame(pass, &window, err);
		return false;
	}
	for (i = 0; i < pass->work_count; i++)
		plan_checked(&pass->plan, pass->work[i], NULL);
	return true;
}
