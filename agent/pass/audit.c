/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/pass/memory.h"

/*
 * Another message may stand under a known UID, and be as large: a look at the
 * header tells. A few of those that are known and stay are looked at in each
 * pass, in one burst with QUIT, so that it costs no round trip; whatever goes
 * wrong then has nothing to do with the mail. What looks like another message
 * is looked at once more in a session of its own, for headers that a server
 * makes up anew each time must not bring everything twice.
 */

#define HOUR 3600
#define DAY 86400
/* Where each command waits for the one before it, but then once an hour. */
#define A_FEW 4

static bool is_within(int64_t when, int64_t now, int64_t seconds)
{
	return when != 0 && when <= now && now - when < seconds;
}

static bool has_top(const struct pass *pass)
{
	const struct capa *capa = client_capa(pass->client);

	return capa->known && capa->top;
}

size_t pass_audit_size(const struct pass *pass)
{
	const struct memory *memory = &pass->memory;
	bool lately = is_within(memory->audit_last, pass->now, HOUR);

	if (pass->lockstep || pass->looked_again || !has_top(pass)
	    || is_within(memory->audit_off, pass->now, DAY))
		return 0;
	if (!client_capa(pass->client)->pipelining)
		return lately ? 0 : A_FEW;
	return lately ? A_FEW : PLAN_AUDIT;
}

static bool send_audit(void *arg, size_t i, struct err *err)
{
	struct pass *pass = arg;

	if (i == pass->plan.audit_count)
		return client_put(pass->client, "QUIT", 0, err);
	return client_put(pass->client, "TOP",
		pass->plan.audit[i].listed->number, err);
}

static bool recv_audit(void *arg, size_t i, const struct reply *reply,
	struct err *err)
{
	struct pass *pass = arg;
	const struct plan_audit *a = &pass->plan.audit[i];
	struct sink *sink = headers_start(pass->headers, NULL);
	struct identity own;
	uint64_t bytes;

	if (i == pass->plan.audit_count || reply->kind != REPLY_OK)
		return true;
	if (pump(client_body(pass->client, 0), sink, LIMIT_TOP_BYTES, &bytes,
		err) != PUMP_OK)
		return false;
	own = ledger_identity(a->entry);
	if (!identity_like(&own, headers_identity(pass->headers)))
		pass->suspects[pass->suspect_count++] = (struct plan_suspect){
			a->entry->id, *headers_identity(pass->headers) };
	return true;
}

void pass_audit_off(struct pass *pass, const char *why)
{
	log_debug("known messages are not looked at for a day: %s", why);
	pass->memory.audit_off = pass->now;
}

bool pass_audit(struct pass *pass, struct err *err)
{
	struct window window = { .count = pass->plan.audit_count + 1,
		.send = send_audit, .recv = recv_audit, .arg = pass };

	pass->memory.audited = pass->plan.audited;
	pass->memory.audit_last = pass->now;
	if (client_window(pass->client, &window, err))
		return true;
	/* All that was to be done is done. */
	pass->suspect_count = 0;
	if (err->class == ERR_STOP)
		return false;
	pass_audit_off(pass, err->text);
	err_clear(err);
	return true;
}
