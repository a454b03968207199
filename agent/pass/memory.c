/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/pass/memory.h"

/*
 * What a pass takes from the one before it, and leaves to the next.
 */

#define DAY 86400

void pass_recall(struct pass *pass)
{
	memory_read(pass->dir.dir, &pass->memory);
	pass->recalled = true;
}

/* Not more than once a day. */
static bool may_warn(int64_t *warned)
{
	int64_t now = clock_wall();

	if (*warned <= now && now - *warned < DAY)
		return false;
	*warned = now;
	return true;
}

/* Mail that the account wants kept on the server will not stay there. */
static void judge_expiry(struct pass *pass, const struct capa *capa)
{
	const struct keep *keep = &pass->account->keep;
	uint64_t days;

	if (keep->kind == KEEP_NEVER || !capa_expires(capa, &days)
	    || (keep->kind == KEEP_FOR && keep->seconds <= days * DAY)
	    || !may_warn(&pass->memory.expire_warned))
		return;
	if (days == 0)
		log_warn("the server deletes messages when they have been fetched (it announces EXPIRE 0), whatever keep says");
	else
		log_warn("the server keeps messages for %" PRIu64 " day%s only (it announces EXPIRE), which is shorter than keep says",
			days, days == 1 ? "" : "s");
}

static void judge_certificate(struct pass *pass, int64_t until)
{
	int64_t left = until - clock_wall(), days = left / DAY;

	pass->report->cert_expiry = until;
	if (until == 0 || left > LIMIT_CERT_WARN_S
	    || pass->account->trust == TRUST_PIN
	    || !may_warn(&pass->memory.cert_warned))
		return;
	log_warn("the server's certificate expires in %" PRId64 " day%s; after that nothing is fetched until the server's owner renews it",
		days, days == 1 ? "" : "s");
}

void pass_learn_server(struct pass *pass)
{
	const struct capa *capa = client_capa(pass->client);
	const struct tls *tls = client_tls(pass->client);

	if (tls != NULL)
		judge_certificate(pass, tls_expiry(tls));
	pass->report->login_delay = capa_login_delay(capa);
	judge_expiry(pass, capa);
}

/* Is there an entry now for all that was listed? What is too large to come is
 * no copy of what has come. */
void pass_note_settled(struct pass *pass)
{
	const struct plan_message *m = pass->plan.messages;
	size_t i;

	if (!pass->listing.has_uids)
		return;
	for (i = 0; i < pass->plan.count; i++)
		if (m[i].entry == NULL && m[i].action != PLAN_SKIP)
			return;
	pass->memory.settled = ledger_next_id(pass->ledger);
	snprintf(pass->memory.epoch, sizeof(pass->memory.epoch), "%s",
		ledger_epoch(pass->ledger));
}

void pass_forget_glance(struct pass *pass)
{
	memset(&pass->memory.glance, 0, sizeof(pass->memory.glance));
}

/* Whatever went wrong may have come of what was remembered. */
void pass_forget(struct pass *pass)
{
	recall_forget(&pass->memory.recall);
	memset(&pass->memory.found, 0, sizeof(pass->memory.found));
	pass_forget_glance(pass);
}

void pass_remember(struct pass *pass)
{
	struct outcome *outcome = &pass->memory.outcome;
	const struct report *report = pass->report;
	int64_t now = clock_wall(), since = outcome->failing_since;

	if (!pass->recalled)
		return;
	if (report->code == ERR_CODE_SYS_PERM
	    && may_warn(&pass->memory.fault_warned))
		log_warn("the server says that this will not pass by itself ([SYS/PERM]): whoever runs it must act");
	if (outcome_add(outcome, report, now))
		pass->report->turn = outcome_turn(outcome,
			pass->account->notice.after, now);
	if (report->turn != TURN_NONE && pass->account->notice.mail)
		pass_notice(pass, (enum report_turn)report->turn,
			report->turn == TURN_FAILING ? outcome->failing_since
			: since);
	if (pass->batch.dest != NULL
	    && ledger_outgrew(pass->ledger, &pass->memory.ledger))
		ledger_seal(pass->ledger, &pass->memory.ledger);
	memory_write(pass->dir.dir, &pass->memory);
}
