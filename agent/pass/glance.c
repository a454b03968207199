/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/pass/priv.h"

/*
 * Not listing a large maildrop in which nothing has changed: count, size and
 * the last UID are as the last pass left them. A server could change the
 * middle without changing these, so a full listing comes at least every
 * LIMIT_GLANCE_S; and what the clock alone makes due needs one as well.
 */

static struct digest policy(const struct account *account)
{
	char text[200];
	int n = snprintf(text, sizeof(text), "%s %d %" PRIu64 " %" PRIu64
		" %" PRIu64 " %" PRIu64, recall_key(account).text,
		(int)account->keep.kind, account->keep.seconds,
		account->limits.message, account->limits.messages,
		account->limits.bytes);

	return digest_of(text, (size_t)n);
}

bool pass_may_glance(const struct pass *pass)
{
	const struct glance *glance = &pass->memory.glance;
	const struct pass_options *options = &pass->env->options;
	int64_t now = clock_wall();

	return pass->recalled && !pass->lockstep && !options->baseline
		&& !options->accept_new_state
		&& !recall_doubted(&pass->memory.recall, now)
		&& glance->listed <= now
		&& now - glance->listed < LIMIT_GLANCE_S && now < glance->due
		&& glance->count >= LIMIT_GLANCE_COUNT
		&& strcmp(glance->policy, policy(pass->account).text) == 0;
}

bool pass_glance(struct pass *pass, bool *same_r, struct err *err)
{
	struct glance *glance = &pass->memory.glance;
	struct look look;

	if (!client_look(pass->client, glance->count, &look, err))
		return false;
	*same_r = look.count == glance->count && look.size == glance->size
		&& strcmp(look.uid.text, glance->uid) == 0;
	pass->counts->listed = look.count;
	pass->counts->skipped = *same_r ? glance->skipped : 0;
	/* STAT need not agree with the sum of LIST: the next look compares it
	 * with itself, if the listing finds nothing to do. */
	pass->stat_size = look.size;
	return true;
}

/* When messages that were handled at a time may go. */
static int64_t kept_until(const struct account *account, int64_t time)
{
	return account->keep.kind != KEEP_FOR || time == INT64_MAX ? INT64_MAX
		: time + (int64_t)account->keep.seconds;
}

/* When something is to be done with a message of the plan, though nothing new
 * has come. */
static int64_t due(const struct pass *pass, const struct plan_message *m)
{
	switch (m->action) {
	case PLAN_KEEP:
		/* It was put off by its destination just now. */
		if (m->entry == NULL || m->entry->state == LEDGER_INTENT)
			return 0;
		return m->entry->state == LEDGER_BASELINE ? INT64_MAX
			: kept_until(pass->account, ledger_since(pass->ledger,
				m->entry, pass->now));
	case PLAN_SKIP:
	case PLAN_DELETE:
		return INT64_MAX;
	case PLAN_FETCH:
	case PLAN_CHECK:
	case PLAN_STAGED:
	case PLAN_LATER:
	case PLAN_WAIT:
		break;
	}
	return 0;
}

static int64_t first_due(const struct pass *pass)
{
	int64_t first = kept_until(pass->account, pass->plan.oldest), when;
	size_t i;

	for (i = 0; i < pass->plan.count; i++) {
		when = due(pass, &pass->plan.messages[i]);
		if (when < first)
			first = when;
	}
	return first;
}

void pass_note_glance(struct pass *pass)
{
	struct glance *glance = &pass->memory.glance;
	const struct plan_message *m = pass->plan.messages;
	const struct plan_message *end = m + pass->plan.count;
	const struct listed *listed, *last = NULL;
	size_t i;

	memset(glance, 0, sizeof(*glance));
	if (!pass->listing.has_uids)
		return;
	glance->due = first_due(pass);
	glance->skipped = pass->counts->skipped;
	for (i = 0; i < pass->listing.count; i++) {
		listed = &pass->listing.messages[i];
		if (m < end && m->listed == listed
		    && m++->action == PLAN_DELETE)
			continue;
		glance->count++;
		glance->size += listed->size;
		last = listed;
	}
	if (last == NULL || last->uid_len == 0)
		return;
	if (pass->stat_size != 0 && pass->counts->fetched == 0
	    && pass->counts->deleted == 0)
		glance->size = pass->stat_size;
	glance->listed = clock_wall();
	snprintf(glance->uid, sizeof(glance->uid), "%s",
		digest_of(last->uid, last->uid_len).text);
	snprintf(glance->policy, sizeof(glance->policy), "%s",
		policy(pass->account).text);
}
