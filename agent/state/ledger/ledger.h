/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_STATE_LEDGER_LEDGER_H
#define AGENT_STATE_LEDGER_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/err.h"
#include "agent/state/ledger/entry.h"

/*
 * The seen-UID ledger of one account: an append-only text file, one record a
 * line, each with a CRC that also covers the CRC before it. A message goes
 *
 *	intent -> delivered -> deleting -> gone
 *	   \-> deferred (refused; tried again)     \-> delivered (DELE failed)
 *	    \-> void (nothing is left; fetch it again)
 *	failed (the server would not hand it over) -> void, when it did
 *	baseline (marked as seen by a person, never fetched or deleted; or left
 *		on the server because it was cut short)
 *
 * Records collect in memory until ledger_flush() hands them to the kernel
 * (they survive our death) or ledger_sync() makes them durable (they survive
 * a power cut). A torn end is cut off: what was never synced was never acted
 * on. Damage before a point known to be durable is ERR_CONFIG, and so is a
 * record of a newer version; then nothing is touched.
 */

struct ledger;

/* Loads DIR/ledger, or starts a new one. `path` names the directory in
 * errors, `account` is written into a new file and must match an old one,
 * unless `adopt` says that the account was renamed. The account's lock is
 * held. An old file is not touched, and no record may be written, before
 * ledger_begin(). */
struct ledger *ledger_open(int dir, const char *path, const char *account,
	bool adopt, struct err *err) MUST_USE;
/* It is the right one: cuts off a torn end and takes over an adopted file, by
 * writing it anew. A file of an older version is written anew with the first
 * record. */
bool ledger_begin(struct ledger *ledger, struct err *err) MUST_USE;
/* Loads DIR/ledger to look at, without the lock and without writing: a torn
 * end is left as it is. NULL without an error when there is none. */
struct ledger *ledger_read(int dir, const char *path, const char *account,
	struct err *err) MUST_USE;
/* Another process may be writing to it: nothing more is written by this one. */
void ledger_abandon(struct ledger *ledger);
/* Writes what is left, and a mark if all was durable; compacts a file that is
 * mostly history. Frees. NULL is allowed. */
void ledger_close(struct ledger *ledger);

/* Random text made with the ledger (hexadecimal): marks our files. */
const char *ledger_epoch(const struct ledger *ledger);

size_t ledger_count(const struct ledger *ledger);
struct ledger_entry *ledger_at(const struct ledger *ledger, size_t i);

/* Entries with this UID, one after another: pass NULL first, then the last
 * answer; NULL is the end. Void entries are left out. A UID longer than
 * LIMIT_UID is looked up by its hash. */
struct ledger_entry *ledger_find(const struct ledger *ledger, const char *uid,
	size_t len, const struct ledger_entry *after);

/* It will be looked for soon: lets memory begin to come nearer. */
void ledger_find_soon(const struct ledger *ledger, const char *uid,
	size_t len);
/* A copy of this UID that lasts as long as the ledger, if it has one; or
 * NULL. *next says where to look first, 0 in the beginning: a server lists
 * messages in the order in which they came. */
const char *ledger_uid(const struct ledger *ledger, const char *uid,
	size_t len, size_t *next);

/* Is there an entry with a server's UID that is not gone? */
bool ledger_has_uids(const struct ledger *ledger);
/* Was a new UID ever recorded, since the file was last written anew? */
bool ledger_has_moved(const struct ledger *ledger);

/* Records. Each may write to the file (ERR_RETRY); after an error every
 * further one fails too, and the pass must end. */
bool ledger_intent(struct ledger *ledger, const struct ledger_what *what,
	struct ledger_entry **entry_r, struct err *err) MUST_USE;
/* An open intent goes to another destination: name, dest, size, stored,
 * place and at of `what` take the place of its own, in one record. */
bool ledger_redirect(struct ledger *ledger, struct ledger_entry *entry,
	const struct ledger_what *what, struct err *err) MUST_USE;
/* The id the next intent gets. */
uint64_t ledger_next_id(const struct ledger *ledger);
/* The last id that is durable in the file; 0 if there is none. */
uint64_t ledger_durable_id(const struct ledger *ledger);
bool ledger_hint(struct ledger *ledger, struct ledger_entry *entry,
	const char *text, struct err *err) MUST_USE;
bool ledger_delivered(struct ledger *ledger, struct ledger_entry *entry,
	struct err *err) MUST_USE;
/* The destination refused it. The next try comes at once a few times, then
 * after 5 minutes, doubling up to 6 hours. */
bool ledger_deferred(struct ledger *ledger, struct ledger_entry *entry,
	const char *reason, struct err *err) MUST_USE;
/* The server did not hand it over: `entry` is of an earlier failure, or NULL
 * and UID and size come from `what`. Tried again as above. */
bool ledger_failed(struct ledger *ledger, struct ledger_entry *entry,
	const struct ledger_what *what, const char *reason,
	struct err *err) MUST_USE;
/* Marked as seen; the identity may be empty (see identity_none()). The message
 * is in the file and not among the entries before that is loaded again. */
bool ledger_baseline(struct ledger *ledger, const struct ledger_what *what,
	struct err *err) MUST_USE;
/* Delivered by another program, which was left at `time`. */
bool ledger_imported(struct ledger *ledger, const struct ledger_what *what,
	int64_t time, struct ledger_entry **entry_r, struct err *err) MUST_USE;
/* The server's listed sizes are not exact; see agent/pass/step.c. */
bool ledger_note_inexact(struct ledger *ledger, struct err *err) MUST_USE;
bool ledger_sizes_inexact(const struct ledger *ledger);
/* A delivered message stays on the server for good: LEDGER_BASELINE. Being
 * delivered once more takes that back. */
bool ledger_left(struct ledger *ledger, struct ledger_entry *entry,
	struct err *err) MUST_USE;
/* The clock has jumped, and says `now`: what is older is of this age, and so
 * is what is not yet to be. */
bool ledger_note_clock(struct ledger *ledger, int64_t now, struct err *err)
	MUST_USE;
/* When that was noted last, and when anything was; 0 is never. */
int64_t ledger_clock(const struct ledger *ledger);
int64_t ledger_noted(const struct ledger *ledger);
/* Since when the entry has been what it is, as far as the clock can be
 * believed. */
int64_t ledger_since(const struct ledger *ledger,
	const struct ledger_entry *entry, int64_t now);
/* The server has given a known message another UID, or counts its size
 * otherwise. */
bool ledger_moved(struct ledger *ledger, struct ledger_entry *entry,
	const char *uid, size_t len, uint64_t listed, struct err *err)
	MUST_USE;
bool ledger_void(struct ledger *ledger, struct ledger_entry *entry,
	struct err *err) MUST_USE;
bool ledger_deleting(struct ledger *ledger, struct ledger_entry *entry,
	struct err *err) MUST_USE;
bool ledger_gone(struct ledger *ledger, struct ledger_entry *entry,
	struct err *err) MUST_USE;

bool ledger_flush(struct ledger *ledger, struct err *err) MUST_USE;
bool ledger_sync(struct ledger *ledger, struct err *err) MUST_USE;

/* Writes the whole ledger anew, without history, durably; but not after
 * ledger_baseline(). */
bool ledger_compact(struct ledger *ledger, struct err *err) MUST_USE;

#endif
