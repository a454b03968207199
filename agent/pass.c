/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pass.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/account_dir.h"
#include "agent/base/arena.h"
#include "agent/base/log.h"
#include "agent/plan.h"
#include "agent/recover.h"

struct pass {
	const struct pass_env *env;
	const struct account *account;
	struct chan_counts *counts;
	struct chan_progress progress;
	struct arena *arena;
	struct account_dir dir;
	struct ledger *ledger;
	struct dest_env dest_env;
	struct batch batch;
	struct headers *headers;
	struct client *client;
	struct listing listing;
	struct plan plan;
	/* The messages the current window is about. */
	struct plan_message **work;
	size_t work_count;
	/* A message was retrieved that is not durable here: no QUIT, since
	 * some servers take a message for read then. */
	bool no_quit;
};

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

static void tell(struct pass *pass, enum chan_phase phase)
{
	pass->progress.phase = phase;
	pass->env->progress(pass->env->arg, &pass->progress);
}

/* struct dest_env */

static bool env_hint(void *arg, struct item *item, const char *text,
	struct err *err)
{
	struct pass *pass = arg;

	return batch_hint(&pass->batch, item, text, err);
}

static bool env_hint_sync(void *arg, struct err *err)
{
	struct pass *pass = arg;

	return ledger_sync(pass->ledger, err);
}

static bool env_spawn(void *arg, struct item *item, unsigned int attempt,
	int *status_r, char *output, size_t cap, struct err *err)
{
	struct pass *pass = arg;

	return pass->env->spawn(pass->env->arg, ledger_epoch(pass->ledger),
		item, attempt, status_r, output, cap, err);
}

/* A message that was delivered in this session is known by its number: what
 * the policy lets go may go without another look. */
static void message_done(void *arg, struct batch_slot *slot)
{
	struct pass *pass = arg;
	struct plan_message *m = slot->owner;

	if (m == NULL)
		return;		/* recovery: the listing is yet to come */
	if (slot->item.state == ITEM_VOID)
		pass->no_quit = true;
	m->entry = slot->entry;
	m->action = slot->item.state == ITEM_DELIVERED
		&& plan_due(pass->account, slot->entry, clock_wall())
		? PLAN_DELETE : PLAN_KEEP;
}

static bool open_local(struct pass *pass, struct err *err)
{
	const struct config *config = pass->env->session.config;
	char name[PATH_MAX + 16];

	if (!account_dir_open(&pass->dir, config->state, pass->account->name,
		err))
		return false;
	pass->ledger = ledger_open(pass->dir.dir, pass->dir.path,
		pass->account->name, err);
	if (pass->ledger == NULL)
		return false;
	pass->dest_env = (struct dest_env){ pass, env_hint, env_hint_sync,
		env_spawn, pass->dir.stage, pass->dir.stage_path,
		ledger_epoch(pass->ledger) };
	pass_dest_name(pass->account, name, sizeof(name));
	pass->batch.dest_name = arena_strdup(pass->arena, name);
	pass->batch.ledger = pass->ledger;
	pass->batch.counts = pass->counts;
	pass->batch.done = message_done;
	pass->batch.arg = pass;
	pass->batch.dest = dest_open(pass->batch.dest_name, &pass->dest_env,
		err);
	return pass->batch.dest != NULL;
}

/* Servers without UIDL: LAST tells what was read before, and without LAST
 * the only way not to fetch everything again is to delete it. */
static bool without_uids(struct pass *pass, uint64_t *last_r, struct err *err)
{
	if (pass->account->keep.kind == KEEP_NEVER)
		return true;
	if (client_last(pass->client, last_r, err))
		return true;
	if (err->class != ERR_MSG)
		return false;
	return err_set(err, ERR_CONFIG, "the server knows neither UIDL nor "
		"LAST, so messages that stay on it could not be told from new "
		"ones: set keep: false for this account");
}

static bool list(struct pass *pass, struct err *err)
{
	uint64_t last = 0;

	tell(pass, PHASE_LIST);
	if (!client_listing(pass->client, pass->arena, &pass->listing, err))
		return false;
	if (!pass->listing.has_uids && !without_uids(pass, &last, err))
		return false;
	pass->counts->listed = pass->listing.count;
	plan_make(&pass->plan, &pass->listing, pass->ledger, pass->account,
		last, clock_wall(), pass->arena);
	pass->work = arena_array(pass->arena, pass->plan.count,
		sizeof(*pass->work));
	return true;
}

/* Collects the messages with one action; returns how many. */
static size_t select_work(struct pass *pass, enum plan_action action)
{
	size_t i;

	pass->work_count = 0;
	for (i = 0; i < pass->plan.count; i++)
		if (pass->plan.messages[i].action == action)
			pass->work[pass->work_count++] =
				&pass->plan.messages[i];
	return pass->work_count;
}

static uint64_t number(const struct pass *pass, size_t i)
{
	return pass->work[i]->listed->number;
}

/* TOP: is this the message we know? */

static bool send_top(void *arg, size_t i, struct err *err)
{
	struct pass *pass = arg;

	return client_put(pass->client, "TOP", number(pass, i), err);
}

static bool recv_top(void *arg, size_t i, const struct reply *reply,
	struct err *err)
{
	struct pass *pass = arg;
	struct sink *sink = headers_start(pass->headers, NULL);
	uint64_t bytes;

	tell(pass, PHASE_CHECK);
	if (reply->kind != REPLY_OK) {
		plan_checked(&pass->plan, pass->work[i], NULL);
		return true;
	}
	if (pump(client_body(pass->client, 0), sink, 0, &bytes, err)
	    != PUMP_OK)
		return false;
	plan_checked(&pass->plan, pass->work[i],
		headers_identity(pass->headers));
	return true;
}

static bool check_known(struct pass *pass, struct err *err)
{
	const struct capa *capa = client_capa(pass->client);
	const struct window window = { select_work(pass, PLAN_CHECK),
		send_top, recv_top, pass };
	size_t i;

	if (!capa->known || capa->top)
		return client_window(pass->client, &window, err);
	for (i = 0; i < pass->work_count; i++)
		plan_checked(&pass->plan, pass->work[i], NULL);
	return true;
}

/* RETR */

static bool send_retr(void *arg, size_t i, struct err *err)
{
	struct pass *pass = arg;

	return client_put(pass->client, "RETR", number(pass, i), err);
}

/* Listed sizes are rough (some servers count LF as one byte, some compressed
 * ones), so only a gross excess is taken for an attack on the disk. */
static uint64_t body_limit(const struct pass *pass)
{
	uint64_t limit = pass->account->limits.message;

	return limit == 0 ? 0 : 2 * limit + 65536;
}

static bool retrieve(struct pass *pass, struct batch_slot *slot,
	const struct listed *listed, struct err *err)
{
	struct dest *dest = pass->batch.dest;
	struct sink *sink;
	uint64_t bytes;

	if (!dest->kind->stage(dest, &slot->item, &sink, err))
		return false;
	sink = headers_start(pass->headers, sink);
	if (pump(client_body(pass->client, listed->size), sink,
		body_limit(pass), &bytes, err) != PUMP_OK)
		return false;
	pass->counts->fetched_bytes += bytes;
	pass->progress.bytes += bytes;
	return dest->kind->seal(dest, &slot->item, err);
}

static bool take_message(struct pass *pass, struct plan_message *m,
	struct err *err)
{
	struct batch_slot *slot = batch_next(&pass->batch);
	struct dest *dest = pass->batch.dest;
	bool ok;

	ok = retrieve(pass, slot, m->listed, err);
	if (!ok || plan_recognise(&pass->plan, m,
		headers_identity(pass->headers))) {
		/* Half a message, or one that is here already. */
		struct err ignored = ERR_INIT;

		if (slot->item.fd >= 0 && !stage_remove(&dest->stage,
			&slot->item, &ignored))
			log_err(LOG_LEVEL_WARN, &ignored);
		return ok;
	}
	slot->owner = m;
	slot->what.uid = m->listed->uid;
	slot->what.uid_len = m->listed->uid_len;
	slot->what.listed = m->listed->size;
	slot->what.identity = *headers_identity(pass->headers);
	pass->counts->fetched++;
	batch_add(&pass->batch);
	return true;
}

static bool recv_retr(void *arg, size_t i, const struct reply *reply,
	struct err *err)
{
	struct pass *pass = arg;
	struct plan_message *m = pass->work[i];
	struct err refused = ERR_INIT;
	char what[40];

	if (reply->kind != REPLY_OK) {
		snprintf(what, sizeof(what), "RETR %" PRIu64,
			m->listed->number);
		reply_refused(reply, ERR_MSG, what, &refused);
		log_err(LOG_LEVEL_WARN, &refused);
		pass->counts->failed++;
	} else if (!take_message(pass, m, err)) {
		err_prefix(err, "message %" PRIu64, m->listed->number);
		return false;
	}
	pass->progress.messages++;
	tell(pass, PHASE_FETCH);
	return !batch_full(&pass->batch) || batch_commit(&pass->batch, err);
}

static void count_rest(struct pass *pass)
{
	pass->counts->skipped = select_work(pass, PLAN_SKIP);
	pass->counts->later = select_work(pass, PLAN_LATER);
}

static bool fetch(struct pass *pass, struct err *err)
{
	struct window window = { 0, send_retr, recv_retr, pass };
	size_t i;

	plan_limit(&pass->plan);
	count_rest(pass);
	window.count = select_work(pass, PLAN_FETCH);
	pass->progress.of_messages = window.count;
	for (i = 0; i < window.count; i++)
		pass->progress.of_bytes += pass->work[i]->listed->size;
	tell(pass, PHASE_FETCH);
	return client_window(pass->client, &window, err)
		&& batch_commit(&pass->batch, err);
}

/* DELE */

static bool send_dele(void *arg, size_t i, struct err *err)
{
	struct pass *pass = arg;

	return ledger_deleting(pass->ledger, pass->work[i]->entry, err)
		&& client_put(pass->client, "DELE", number(pass, i), err);
}

static bool recv_dele(void *arg, size_t i, const struct reply *reply,
	struct err *err)
{
	struct pass *pass = arg;

	if (reply->kind == REPLY_OK)
		return true;
	log_warn("the server would not delete message %" PRIu64,
		number(pass, i));
	return ledger_delivered(pass->ledger, pass->work[i]->entry, err);
}

static bool delete_due(struct pass *pass, struct err *err)
{
	struct window window = { 0, send_dele, recv_dele, pass };

	window.count = select_work(pass, PLAN_DELETE);
	if (window.count == 0)
		return true;
	tell(pass, PHASE_DELETE);
	/* From here on the server may lose them: what says that they are
	 * here must outlast a power cut. */
	return ledger_sync(pass->ledger, err)
		&& client_window(pass->client, &window, err)
		&& ledger_flush(pass->ledger, err);
}

/* Deleted in an earlier session whose QUIT went unanswered, and not listed
 * any more. */
static bool note_vanished(struct pass *pass, struct err *err)
{
	struct ledger_entry *e;
	size_t i;

	for (i = 0; i < ledger_count(pass->ledger); i++) {
		e = ledger_at(pass->ledger, i);
		if (e->state == LEDGER_DELETING && !e->claimed
		    && !ledger_gone(pass->ledger, e, err))
			return false;
	}
	return true;
}

static bool quit(struct pass *pass, struct err *err)
{
	struct ledger_entry *e;
	size_t i;

	tell(pass, PHASE_QUIT);
	if (pass->no_quit)
		return err_set(err, ERR_RETRY, "a message was retrieved but "
			"could not be stored; the server keeps everything");
	if (!client_quit(pass->client, err))
		return false;
	for (i = 0; i < pass->work_count; i++) {
		e = pass->work[i]->entry;
		if (e->state != LEDGER_DELETING)
			continue;
		if (!ledger_gone(pass->ledger, e, err))
			return false;
		pass->counts->deleted++;
	}
	return note_vanished(pass, err) && ledger_flush(pass->ledger, err);
}

/* A login whose result is lost costs nothing if nothing was to be deleted. */
static bool finish(struct pass *pass, struct err *err)
{
	if (quit(pass, err))
		return true;
	if (pass->work_count == 0 && !pass->no_quit
	    && err->class == ERR_RETRY) {
		log_debug("QUIT: %s", err->text);
		err_clear(err);
		return true;
	}
	return false;
}

static bool run(struct pass *pass, struct err *err)
{
	if (!open_local(pass, err))
		return false;
	tell(pass, PHASE_RECOVER);
	if (!recover(&pass->batch, &pass->dest_env, err))
		return false;
	tell(pass, PHASE_CONNECT);
	pass->client = session_open(&pass->env->session, err);
	if (pass->client == NULL)
		return false;
	return list(pass, err) && check_known(pass, err) && fetch(pass, err)
		&& delete_due(pass, err) && finish(pass, err);
}

/* The pass went through, but not for every message. */
static bool judge(const struct chan_counts *counts, struct err *err)
{
	uint64_t n = counts->failed + counts->deferred;

	return n == 0 || err_set(err, ERR_MSG, "%" PRIu64 " message%s could "
		"not be delivered and stay%s on the server", n,
		n == 1 ? "" : "s", n == 1 ? "s" : "");
}

bool pass_run(const struct pass_env *env, struct chan_counts *counts_r,
	struct err *err)
{
	struct pass *pass = mem_grow(NULL, 1, sizeof(*pass));
	bool ok;

	memset(pass, 0, sizeof(*pass));
	memset(counts_r, 0, sizeof(*counts_r));
	pass->env = env;
	pass->account = env->session.account;
	pass->counts = counts_r;
	pass->arena = arena_new();
	pass->headers = headers_new();
	ok = run(pass, err) && judge(counts_r, err);
	client_close(pass->client);
	dest_close(pass->batch.dest);
	ledger_close(pass->ledger);
	account_dir_close(&pass->dir);
	headers_free(pass->headers);
	free(pass->listing.messages);
	arena_free(pass->arena);
	free(pass);
	return ok;
}
