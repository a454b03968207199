/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>

#include "agent/base/log.h"
#include "agent/pass_priv.h"

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

bool pass_in_step(struct pass *pass, const struct plan_message *m,
	uint64_t bytes, struct err *err)
{
	/* A server adds the line end that a stored message lacks, and some
	 * (Dovecot) do not count it. */
	if (bytes - m->listed->size <= 2 || m->listed->size == 0
	    || ledger_sizes_inexact(pass->ledger))
		return true;
	if (pass->lockstep || !client_capa(pass->client)->pipelining) {
		pass->odd_sizes++;
		return client_noop(pass->client, err)
			&& client_noop(pass->client, err);
	}
	pass->out_of_step = true;
	return err_set(err, ERR_PROTO, "a message has not the size that the server listed");
}

void pass_learn_sizes(struct pass *pass)
{
	struct err err = ERR_INIT;

	if (pass->odd_sizes == 0 || ledger_sizes_inexact(pass->ledger))
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
	size_t i;

	log_info("holding the session again, one command at a time");
	client_close(pass->client);
	pass->client = NULL;
	pass_drop_staged(pass);
	for (i = 0; i < ledger_count(pass->ledger); i++)
		ledger_at(pass->ledger, i)->claimed = false;
	free(pass->listing.messages);
	pass->listing.messages = NULL;
	pass->counts->fetched = pass->counts->delivered;
	pass->counts->failed = 0;
	pass->progress = (struct chan_progress){ 0 };
	pass->promised = pass->no_room = pass->no_room_bytes = 0;
	pass->stat_size = 0;
	pass->spoiled = pass->out_of_step = false;
	pass->lockstep = true;
}
