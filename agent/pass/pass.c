/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pass/pass.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/arena.h"
#include "agent/base/log.h"
#include "agent/pass/memory.h"
#include "agent/pass/recover.h"

void pass_dest_name(const struct account *account, char *out, size_t cap)
{
	static const char *const kinds[] = {
		[DELIVER_MAILDIR] = "maildir", [DELIVER_MBOX] = "mbox",
		[DELIVER_PIPE] = "pipe",
	};
	const struct deliver *d = &account->deliver;

	dest_describe(out, cap, kinds[d->kind], d->kind == DELIVER_PIPE
		? d->argv[0] : d->path, d->gzip);
}

/* struct dest_env */

static bool env_hint(void *arg, struct item *item, const char *text,
	struct err *err)
{
	struct pass *pass = arg;

	return batch_hint(&pass->batch, item, text, err);
}

static bool env_hint_flush(void *arg, struct err *err)
{
	struct pass *pass = arg;

	return ledger_flush(pass->ledger, err);
}

static bool env_hint_sync(void *arg, struct err *err)
{
	struct pass *pass = arg;

	return ledger_sync(pass->ledger, err);
}

static bool env_may_go_on(void *arg, struct err *err)
{
	struct pass *pass = arg;

	return pass->env->may_go_on(pass->env->arg, err);
}

static bool env_spawn(void *arg, struct item *item,
	const struct dest_run *run, int *status_r, char *output, size_t cap,
	struct err *err)
{
	struct pass *pass = arg;

	return pass->env->spawn(pass->env->arg, ledger_epoch(pass->ledger),
		item, run, status_r, output, cap, err);
}

/* A message that was delivered in this session is known by its number: what
 * the policy lets go may go without another look. */
static void message_done(void *arg, struct batch_slot *slot)
{
	struct pass *pass = arg;
	struct plan_message *m = slot->owner;

	if (ledger_is_notice(slot->entry)) {
		pass_notice_done(pass, slot);
		return;
	}
	if (m == NULL)
		return;		/* recovery: the listing is yet to come */
	if (slot->item.state == ITEM_VOID)
		pass->no_quit = true;
	else
		pass_forgive(pass, m);
	m->entry = slot->entry;
	if (m->cut && slot->item.state == ITEM_DELIVERED) {
		pass_leave_there(pass, m);
		return;
	}
	m->action = slot->item.state == ITEM_DELIVERED
		&& plan_due(pass->account, pass->ledger, slot->entry,
			clock_wall())
		? PLAN_DELETE : PLAN_KEEP;
}

static bool open_local(struct pass *pass, struct err *err)
{
	const struct config *config = pass->env->session.config;
	char name[PATH_MAX + 16];

	if (!account_dir_open(&pass->dir, config->state, pass->account->name,
		err))
		return false;
	pass_recall(pass);
	pass_dest_name(pass->account, name, sizeof(name));
	pass->batch.dest_name = arena_strdup(pass->arena, name);
	if (!pass_open_ledger(pass, err) || !pass_judge_clock(pass, err))
		return false;
	pass->dest_env = (struct dest_env){ pass, env_hint, env_hint_flush,
		env_hint_sync, env_may_go_on, env_spawn, pass->dir.stage,
		pass->dir.stage_path, ledger_epoch(pass->ledger) };
	pass->batch.ledger = pass->ledger;
	pass->batch.counts = pass->counts;
	pass->batch.may_commit = pass_may_commit;
	pass->batch.done = message_done;
	pass->batch.arg = pass;
	return pass_open_dest(pass, err);
}

/* Servers without UIDL: LAST tells what was read before, and without LAST
 * the only way not to fetch everything again is to delete it. */
static bool without_uids(struct pass *pass, uint64_t *last_r, struct err *err)
{
	if (pass->env->options.baseline)
		return err_set(err, ERR_CONFIG,
			"the server does not know UIDL, so its messages cannot be marked as seen");
	if (ledger_has_uids(pass->ledger)
	    && !pass->env->options.accept_new_state)
		return err_set(err, ERR_RETRY,
			"the server refused UIDL, which it knew before, so old messages cannot be told from new ones now. If it has given up UIDL for good, run postrider fetch --accept-new-state once");
	if (pass->account->keep.kind == KEEP_NEVER)
		return true;
	if (client_last(pass->client, last_r, err))
		return true;
	if (err->class != ERR_MSG)
		return false;
	return err_set(err, ERR_CONFIG,
		"the server knows neither UIDL nor LAST, so messages that stay on it could not be told from new ones: set keep: false for this account");
}

struct known {
	const struct ledger *ledger;
	size_t next;
};

static const char *known_uid(void *arg, const char *uid, size_t len)
{
	struct known *known = arg;

	return ledger_uid(known->ledger, uid, len, &known->next);
}

/* Another ledger's ids are others. */
static uint64_t settled(const struct pass *pass)
{
	return strcmp(pass->memory.epoch, ledger_epoch(pass->ledger)) == 0
		? pass->memory.settled : 0;
}

static bool list(struct pass *pass, struct err *err)
{
	struct plan_past past = { .now = clock_wall(), .judged = pass->now,
		.settled = settled(pass), .audit = pass_audit_size(pass),
		.audited = pass->memory.audited, .suspects = pass->suspects,
		.suspect_count = pass->suspect_count };
	struct known known = { pass->ledger, 0 };
	const struct listing_store store = { known_uid, &known };

	pass_tell(pass, PHASE_LIST);
	if (!client_listing(pass->client, pass->arena, &store, &pass->listing,
		err))
		return false;
	if (!pass->listing.has_uids && !without_uids(pass, &past.last, err))
		return false;
	pass->counts->listed = pass->listing.count;
	plan_make(&pass->plan, &pass->listing, pass->ledger, pass->account,
		&past, pass->arena);
	pass->work = arena_array(pass->arena, pass->plan.count,
		sizeof(*pass->work));
	return true;
}

static bool open_session(struct pass *pass, bool glance, struct err *err)
{
	struct session_options session = pass->env->session;

	pass_tell(pass, PHASE_CONNECT);
	if (!pass->lockstep) {
		session.recall = &pass->memory.recall;
		session.found = &pass->memory.found;
		session.ahead = glance ? AHEAD_LOOK : AHEAD_LISTING;
		session.last = pass->memory.glance.count;
	}
	pass->client = session_open(&session, err);
	if (pass->client == NULL)
		return false;
	pass_learn_server(pass);
	if (pass->lockstep)
		client_lockstep(pass->client);
	return true;
}

/* What has broken a session before comes after all that has not; and what
 * turns out not to be known must be fetched. */
static bool deal_with_all(struct pass *pass, struct err *err)
{
	return pass_fetch(pass, err) && pass_check_known(pass, true, err)
		&& (pass->work_count == 0 || pass_fetch(pass, err))
		&& pass_delete(pass, err) && pass_quit(pass, err);
}

/* What is there, or that it is what was there. */
static bool survey(struct pass *pass, bool glance, bool *same_r,
	struct err *err)
{
	*same_r = false;
	if ((!glance || pass_glance(pass, same_r, err))
	    && (*same_r || list(pass, err)))
		return true;
	if (session_surprised(pass->client, err)) {
		recall_doubt(&pass->memory.recall, clock_wall());
		pass->out_of_step = true;
	}
	return false;
}

/* From the connection to QUIT. */
static bool hold_session(struct pass *pass, struct err *err)
{
	bool glance = !pass->looked_again && pass_may_glance(pass), same;

	if (!open_session(pass, glance, err))
		return false;
	/* The login was a surprise already: a look that is another one would
	 * cost a third. */
	if (recall_doubted(&pass->memory.recall, clock_wall()))
		glance = false;
	if (!survey(pass, glance, &same, err))
		return false;
	if (same)
		return pass_leave(pass, err);
	if (!pass_check_known(pass, false, err))
		return false;
	if (pass->env->options.baseline)
		return pass_baseline(pass, err) && client_quit(pass->client,
			err);
	if (!pass_carry_over(pass, err) || !deal_with_all(pass, err))
		return false;
	pass_note_glance(pass);
	pass_note_settled(pass);
	return true;
}

/* The fault may be that we sent commands in a row; not so if what came before
 * the silence could not be committed: nothing is deleted in such a pass. */
static bool may_start_over(const struct pass *pass)
{
	return pass->out_of_step || (!pass->lockstep && pass->settled
		&& pass->client != NULL && client_stalled(pass->client));
}

/* Known messages looked like others: by the next second a header that is made
 * up at each retrieval is another one again. */
static bool look_again(struct pass *pass, struct err *err)
{
	bool ok;

	log_info("%zu known message%s to have been replaced: looking again",
		pass->suspect_count, pass->suspect_count == 1 ? " seems"
		: "s seem");
	clock_sleep(1100);
	pass->looked_again = true;
	pass_begin_again(pass);
	ok = hold_session(pass, err);
	if (pass->plan.unstable)
		pass_audit_off(pass, "the server's headers are others each time");
	/* What could not be looked at is so next time. */
	if (!ok)
		pass->memory.audited = pass->memory.audit_last = 0;
	return ok;
}

/* Sessions until all is done. */
static bool hold_sessions(struct pass *pass, struct err *err)
{
	return hold_session(pass, err)
		&& (pass->suspect_count == 0 || look_again(pass, err));
}

static bool run(struct pass *pass, struct err *err)
{
	if (!open_local(pass, err))
		return false;
	pass_tell(pass, PHASE_RECOVER);
	if (!recover(&pass->batch, &pass->dest_env, err))
		return false;
	pass->settled = true;
	if (hold_sessions(pass, err))
		return true;
	if (!may_start_over(pass))
		return false;
	log_err(LOG_LEVEL_INFO, err);
	pass_start_over(pass);
	err_clear(err);
	return hold_session(pass, err);
}

/* The pass went through, but not for every message. */
static bool judge(const struct pass *pass, struct err *err)
{
	uint64_t n = pass->counts->failed + pass->counts->deferred;

	if (pass->no_room != 0)
		return err_set(err, ERR_RETRY, "the disk of %s is full: %"
			PRIu64 " more bytes are needed for %" PRIu64
			" messages, which stay on the server",
			pass->no_room_path, pass->no_room_bytes,
			pass->no_room);
	return n == 0 || err_set(err, ERR_MSG,
		"%" PRIu64 " message%s could not be delivered and stay%s on the server", n,
		n == 1 ? "" : "s", n == 1 ? "s" : "");
}

void pass_run(const struct pass_env *env, struct report *report_r)
{
	struct pass *pass = mem_head(sizeof(*pass),
		offsetof(struct pass, batch.slots));
	struct err err = ERR_INIT;

	memset(report_r, 0, sizeof(*report_r));
	pass->env = env;
	pass->account = env->session.account;
	pass->report = report_r;
	pass->counts = &report_r->counts;
	pass->arena = arena_new();
	pass->headers = headers_new();
	if (run(pass, &err)) {
		err_clear(&err);
		client_learn(pass->client, &pass->memory.recall);
		if (!judge(pass, &err))
			pass_forget_glance(pass);
	} else {
		pass_forget(pass);
	}
	if (env->options.unattended && err.code == ERR_CODE_BUSY)
		err_clear(&err);
	report_err(report_r, &err);
	client_close(pass->client);
	pass_remember(pass);
	if (pass->batch.dest != NULL)
		marker_write(&pass->marker, pass->account, pass->ledger);
	dest_close(pass->batch.dest);
	ledger_close(pass->ledger);
	account_dir_close(&pass->dir);
	headers_free(pass->headers);
	free(pass->listing.messages);
	arena_free(pass->arena);
	free(pass);
}
