/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdlib.h>

#include "agent/base/log.h"
#include "agent/pass/priv.h"

/* About single messages, in a pass: a person sees what it is from a few, and a
 * million would fill the disk of the log. */
#define MOST_WARNINGS 20

/*
 * When a session goes wrong: whose fault it was, and what to do about it.
 *
 * Are the server's answers in step with our commands? One answer too many, and
 * with pipelining each message would be taken for the next one, and deleted
 * for it. RFC 1939 makes listed sizes exact, so a message of another size is
 * the sign. Then the session is given up, before anything more is delivered,
 * and held again with one command at a time, where two NOOPs can prove for
 * each message that nothing is left over. A server that turns out to be in
 * step, and just counts badly, is remembered.
 */

/* So much is no matter of how bytes are counted. */
static bool is_cut(uint64_t bytes, uint64_t listed)
{
	return bytes < listed && listed - bytes > 16
		&& listed - bytes > listed / 20;
}

bool pass_in_step(struct pass *pass, struct plan_message *m,
	uint64_t bytes, struct err *err)
{
	m->cut = false;
	if (m->listed->size == 0 || ledger_sizes_inexact(pass->ledger))
		return true;
	/* A server adds the line end that a stored message lacks, and some
	 * (Dovecot) do not count it. */
	if (bytes - m->listed->size <= 2) {
		pass->exact_sizes++;
		return true;
	}
	if (pass->lockstep || !client_capa(pass->client)->pipelining) {
		pass->odd_sizes++;
		m->cut = is_cut(bytes, m->listed->size);
		return client_noop(pass->client, err)
			&& client_noop(pass->client, err);
	}
	pass->out_of_step = true;
	return err_set(err, ERR_PROTO, "a message has not the size that the server listed");
}

void pass_leave_there(struct pass *pass, struct plan_message *m)
{
	struct err err = ERR_INIT;

	/* At once: it must hold if this pass gets no further. */
	if (!ledger_left(pass->ledger, m->entry, &err))
		log_err(LOG_LEVEL_WARN, &err);
	m->action = PLAN_KEEP;
}

/* Delivered in this session, and not to be deleted. */
static bool is_left(const struct plan_message *m)
{
	return m->cut && m->entry != NULL
		&& m->entry->state == LEDGER_BASELINE;
}

static uint64_t count_left(const struct pass *pass)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < pass->plan.count; i++)
		n += is_left(&pass->plan.messages[i]);
	return n;
}

/* The server just counts so. */
static void let_go(struct pass *pass, struct plan_message *m)
{
	struct err err = ERR_INIT;

	if (!ledger_delivered(pass->ledger, m->entry, &err)) {
		log_err(LOG_LEVEL_WARN, &err);
		return;
	}
	if (plan_due(pass->account, pass->ledger, m->entry, pass->now))
		m->action = PLAN_DELETE;
}

static void judge_left(struct pass *pass, bool cut)
{
	struct plan_message *m;
	size_t i;

	for (i = 0; i < pass->plan.count; i++) {
		m = &pass->plan.messages[i];
		if (!is_left(m))
			continue;
		if (!cut)
			let_go(pass, m);
		else
			log_write(pass_loudness(pass),
				"message %" PRIu32 " came far shorter than the %"
				PRIu64 " bytes that the server lists; it is delivered as it came, and stays on the server",
				m->listed->number, m->listed->size);
		m->cut = false;
	}
}

/* Among sizes that are exact, or where nothing else is known, a few that are
 * far too small were cut short. */
void pass_learn_sizes(struct pass *pass)
{
	uint64_t left = count_left(pass), odd = pass->odd_sizes - left;
	bool first = pass->exact_sizes == 0 && pass->plan.past.settled <= 1;
	struct err err = ERR_INIT;
	bool cut = left != 0 && 4 * odd <= pass->exact_sizes
		&& (left <= pass->exact_sizes || left <= 2);

	judge_left(pass, cut);
	if (pass->odd_sizes == 0 || ledger_sizes_inexact(pass->ledger)
	    || (cut && odd == 0 && !first))
		return;
	log_info("this server's sizes are not exact");
	if (!ledger_note_inexact(pass->ledger, &err))
		log_err(LOG_LEVEL_WARN, &err);
}

enum log_level pass_loudness(struct pass *pass)
{
	if (pass->complaints < MOST_WARNINGS) {
		pass->complaints++;
		return LOG_LEVEL_WARN;
	}
	if (pass->complaints++ == MOST_WARNINGS)
		log_warn("more messages are refused by the server: they are told at level debug only");
	return LOG_LEVEL_DEBUG;
}

bool pass_note_failure(struct pass *pass, const struct plan_message *m,
	const char *reason, struct err *err)
{
	const struct ledger_what what = { .uid = m->listed->uid,
		.uid_len = m->listed->uid_len, .listed = m->listed->size };

	/* Without a UID it cannot be told from the next one. */
	return what.uid_len == 0 || (ledger_failed(pass->ledger, m->failed,
		&what, reason, err) && ledger_flush(pass->ledger, err));
}

void pass_forgive(struct pass *pass, struct plan_message *m)
{
	struct err err = ERR_INIT;

	if (m->failed != NULL && !ledger_void(pass->ledger, m->failed, &err))
		log_err(LOG_LEVEL_WARN, &err);
	m->failed = NULL;
}

/* The session broke while this one's answer was due: perhaps because of it. */
void pass_blame(struct pass *pass, const struct window *window,
	const struct err *broke)
{
	struct err err = ERR_INIT;

	if (broke->class == ERR_STOP || window->got >= window->count)
		return;
	if (!pass_note_failure(pass, pass->work[window->got], broke->text,
		&err))
		log_err(LOG_LEVEL_WARN, &err);
}

/* What is staged and not committed may be any message: away with it. */
void pass_drop_staged(struct pass *pass)
{
	struct err err = ERR_INIT;
	size_t i;

	for (i = 0; i < pass->batch.count; i++)
		if (!stage_remove(&pass->batch.dest->stage,
			&pass->batch.slots[i].item, &err))
			log_err(LOG_LEVEL_WARN, &err);
	pass->batch.count = 0;
	pass->batch.bytes = 0;
}

void pass_start_over(struct pass *pass)
{
	log_info("holding the session again, one command at a time");
	pass_begin_again(pass);
	pass->lockstep = true;
}

void pass_begin_again(struct pass *pass)
{
	size_t i;

	client_close(pass->client);
	pass->client = NULL;
	pass_drop_staged(pass);
	for (i = 0; i < ledger_count(pass->ledger); i++)
		ledger_at(pass->ledger, i)->claimed = false;
	free(pass->listing.messages);
	pass->listing.messages = NULL;
	pass->counts->fetched = pass->counts->delivered;
	pass->counts->failed = 0;
	pass->progress = (struct report_progress){ 0 };
	pass->promised = pass->no_room = pass->no_room_bytes = 0;
	pass->stat_size = pass->odd_sizes = pass->exact_sizes = 0;
	pass->spoiled = pass->out_of_step = false;
}
