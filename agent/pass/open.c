/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/fsx.h"
#include "agent/base/log.h"
#include "agent/pass/priv.h"

/*
 * State and destination: opened, and judged before anything is written to
 * them. What is wrong here was moved, restored or not mounted by a person, and
 * whatever we did to it would make it worse.
 */

/* A person says that it is all right as it is. */
static bool accepts(const struct pass *pass)
{
	return pass->env->options.accept_new_state
		|| pass->env->options.baseline;
}

static struct digest digest_of_place(const struct pass *pass)
{
	struct digest place = digest_of(pass->batch.dest_name,
		strlen(pass->batch.dest_name));
	char both[sizeof(pass->marker.name) + DIGEST_LEN + 1];
	int n = snprintf(both, sizeof(both), "%s %s", pass->marker.name,
		place.text);

	return digest_of(both, (size_t)n);
}

/* The marker that was in the destination's folder when mail was delivered. */
static const char *noted_marker(const struct pass *pass)
{
	const char *noted = ledger_marker(pass->ledger, pass->batch.dest_name);
	struct digest place = digest_of_place(pass);

	if (noted == NULL && strcmp(pass->memory.marked, place.text) == 0)
		noted = pass->marker.name;
	return noted;
}

/* Where no marker can be, `memory` has the seal. */
static bool check_memory(const struct pass *pass, struct err *err)
{
	return ledger_compare(pass->ledger, &pass->memory.ledger) != LEDGER_OLD
		|| err_set(err, ERR_CONFIG,
			"%s holds an old copy of the ledger, or its end is missing: later deliveries are not in it. "
			MARKER_WAYS_ON, pass->dir.path);
}

static bool check_all(const struct pass *pass, struct err *err)
{
	if (!accepts(pass) && !(marker_check_age(&pass->marker, pass->dir.path,
			pass->ledger, err) && check_memory(pass, err)))
		return false;
	return pass->env->options.accept_new_state
		|| marker_check_place(&pass->marker, noted_marker(pass),
			pass->account, pass->ledger, err);
}

static bool place_marker(struct pass *pass, struct err *err)
{
	const char *dest = pass->batch.dest_name;
	bool placed;

	return marker_place(&pass->marker, pass->account, pass->ledger,
			accepts(pass), &placed, err)
		&& (!placed || ledger_note_marker(pass->ledger, dest,
			pass->marker.name, err));
}

/* What a person accepts holds even if this pass gets no further. */
static bool accept_all(struct pass *pass, struct err *err)
{
	const char *dest = pass->batch.dest_name;

	memset(&pass->memory.ledger, 0, sizeof(pass->memory.ledger));
	pass->memory.marked[0] = '\0';
	return (ledger_marker(pass->ledger, dest) == NULL
			|| ledger_note_marker(pass->ledger, dest, NULL, err))
		&& place_marker(pass, err);
}

/* A ledger of an older version is not written to before there is something to
 * write. What its marker proves is remembered until then. */
static bool remember_marker(struct pass *pass, struct err *err)
{
	struct digest place = digest_of_place(pass);
	bool placed;

	if (pass->marker.found != MARKER_THERE
	    || noted_marker(pass) != NULL)
		return true;
	if (!marker_place(&pass->marker, pass->account, pass->ledger, false,
		&placed, err))
		return false;
	if (placed)
		memcpy(pass->memory.marked, place.text, sizeof(place.text));
	return true;
}

/* Lost state must not look like a new account: see agent/state/marker.h. */
bool pass_open_ledger(struct pass *pass, struct err *err)
{
	bool exists = faccessat(pass->dir.dir, "ledger", F_OK, 0) == 0;

	marker_read(&pass->marker, pass->account);
	if (!accepts(pass) && !marker_check_missing(&pass->marker,
		pass->dir.path, exists, err))
		return false;
	pass->ledger = ledger_open(pass->dir.dir, pass->dir.path,
		pass->account->name, pass->env->options.accept_new_state, err);
	if (pass->ledger == NULL || !check_all(pass, err)
	    || !ledger_begin(pass->ledger, err))
		return false;
	if (!exists && fsx_is_volatile(pass->dir.dir))
		log_warn(
			"%s is kept in memory: after a restart everything on the server would be fetched again",
			pass->dir.path);
	return accepts(pass) ? accept_all(pass, err)
		: remember_marker(pass, err);
}

/* Is it on its way to the present destination? */
static bool is_for(const struct pass *pass, const struct ledger_entry *e)
{
	return e->state == LEDGER_INTENT && strcmp(ledger_pending(e)->dest,
		pass->batch.dest_name) == 0;
}

/* Was a delivery to the present Maildir cut off, for which no marker tells of
 * the disk? What was staged in it must be there; if it is not, its disk is not
 * mounted, and it must not be made anew. */
static bool must_be_there(const struct pass *pass)
{
	const struct ledger_entry *e;
	size_t i;

	if (strncmp(pass->batch.dest_name, "maildir", 7) != 0
	    || noted_marker(pass) != NULL)
		return false;
	for (i = 0; i < ledger_count(pass->ledger); i++) {
		e = ledger_at(pass->ledger, i);
		if (is_for(pass, e))
			return true;
	}
	return false;
}

/* Its staged file would say that it was not delivered, whoever says that it
 * was. */
static bool is_staged(const struct pass *pass, const struct ledger_entry *e)
{
	return faccessat(pass->batch.dest->stage.dir, ledger_pending(e)->name,
		F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The marker was written when the folder was durable, and a note of ours that
 * came before it may not be: lost in a power cut, or missing in a copy of the
 * state that was made a moment earlier. What the marker says was delivered was,
 * wherever a reader has put it since. */
static bool believe_marker(struct pass *pass, struct err *err)
{
	const struct ledger_seal *seal = &pass->marker.seal;
	struct ledger_entry *e;
	size_t i, n = 0;

	if (pass->marker.found != MARKER_THERE || accepts(pass))
		return true;
	for (i = ledger_count(pass->ledger); i-- > 0;) {
		e = ledger_at(pass->ledger, i);
		if (e->id < seal->first)
			break;
		if (e->id > seal->last || !is_for(pass, e)
		    || is_staged(pass, e))
			continue;
		if (!ledger_delivered(pass->ledger, e, err))
			return false;
		n++;
	}
	if (n != 0)
		log_info("%s/%s tells of %zu messages that were delivered and not noted",
			pass->marker.folder, pass->marker.name, n);
	return true;
}

bool pass_open_dest(struct pass *pass, struct err *err)
{
	bool may_make = pass->env->options.accept_new_state
		|| !must_be_there(pass);

	pass->batch.dest = dest_open(pass->batch.dest_name, &pass->dest_env,
		may_make, err);
	if (pass->batch.dest == NULL || !believe_marker(pass, err))
		return false;
	/* Now it is there. */
	return !pass->env->options.accept_new_state
		|| ledger_marker(pass->ledger, pass->batch.dest_name) != NULL
		|| place_marker(pass, err);
}

bool pass_has_lock(struct pass *pass, struct err *err)
{
	if (account_dir_check(&pass->dir, err))
		return true;
	ledger_abandon(pass->ledger);
	return false;
}

/* An mbox is opened by its name each time, and its disk may go meanwhile. */
static bool is_still_there(const struct pass *pass, const char *noted,
	struct err *err)
{
	struct marker now;

	if (noted == NULL)
		return true;
	marker_read(&now, pass->account);
	return marker_check_place(&now, noted, pass->account, pass->ledger,
		err);
}

bool pass_may_commit(void *arg, struct err *err)
{
	struct pass *pass = arg;
	const char *noted;

	if (!pass_has_lock(pass, err))
		return false;
	noted = ledger_marker(pass->ledger, pass->batch.dest_name);
	if (pass->placed)
		return is_still_there(pass, noted, err);
	pass->placed = true;
	return (noted != NULL && strcmp(noted, pass->marker.name) == 0)
		|| place_marker(pass, err);
}
