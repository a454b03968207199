/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DELIVERY_DEST_H
#define DELIVERY_DEST_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/err.h"
#include "delivery/filter.h"
#include "delivery/pump.h"
#include "delivery/sender.h"
#include "delivery/stage.h"

/*
 * A destination: Maildir, mbox or an MDA, one file a kind. It knows nothing
 * of POP3, UIDs or the ledger. Each message goes through
 *
 *	stage	bytes stream into a file nobody else looks at
 *	seal	the file is complete; write-back has begun (the same for all)
 *	(the pass makes the files durable and writes down what is intended)
 *	commit	the messages appear in the destination
 *	sync	and stay there through a power cut
 *	(the pass writes down that they are delivered)
 *	release	locks are let go, staged files of delivered items removed
 *		(of an earlier pass's pack by the sweep)
 *
 * and after a crash, before commit,
 *
 *	look	finds out how far each intent got; what is still STAGED then is
 *		committed, here or in another destination.
 *
 * Errors: ERR_RETRY (disk, lock, permission) or ERR_CONFIG (it cannot work);
 * then nothing was lost, and look will find the staged files.
 */

struct dest;

/* One run of a program with a message. */
struct dest_run {
	unsigned int attempt;
	char sender[LIMIT_SENDER + 1];
};

/* What a destination needs from its owner. */
struct dest_env {
	void *arg;
	/* Notes `text` for an item before something is done that cannot be
	 * looked up afterwards; also copies it to item->hint. */
	bool (*hint)(void *arg, struct item *item, const char *text,
		struct err *err);
	/* All hints survive our death. */
	bool (*hint_flush)(void *arg, struct err *err);
	/* All hints are durable, and so is all that was written down before
	 * them. */
	bool (*hint_sync)(void *arg, struct err *err);
	/* ERR_STOP if we were asked to end: before something begins that
	 * cannot be left half done. */
	bool (*may_go_on)(void *arg, struct err *err);
	/* Has the parent run the account's MDA with item->fd as its standard
	 * input; *status_r is its wait status, `output` its last words. */
	bool (*spawn)(void *arg, struct item *item, const struct dest_run *run,
		int *status_r, char *output, size_t cap, struct err *err);
	int stage_dir;			/* state/ACCOUNT/stage */
	const char *stage_path;
	const char *tag;		/* see stage_init() */
};

struct dest_kind {
	const char *name;
	/* After a crash the destination itself shows what was delivered. If
	 * not, the pass makes its record durable before release: an mbox may
	 * not change, and a program's success may not be forgotten, first. */
	bool shows_delivery;
	/* commit calls hint_sync before anything can be seen of a
	 * message: what is intended becomes durable with the first hints. */
	bool hints_first;
	bool (*open)(struct dest *dest, struct err *err);
	bool (*stage)(struct dest *dest, struct item *item,
		struct sink **sink_r, struct err *err);
	bool (*commit)(struct dest *dest, struct item *const *items, size_t n,
		struct err *err);
	bool (*sync)(struct dest *dest, struct err *err);
	void (*release)(struct dest *dest, struct item *const *items,
		size_t n);
	/* At most LIMIT_BATCH_MESSAGES items, in the order of their intents.
	 * An item becomes DELIVERED on proof alone (agent/pass/recover.h says which), VOID
	 * when nothing usable is left of it, or else STAGED, open. Locks are
	 * kept until release; nothing is made but what dest_open() may make. */
	bool (*look)(struct dest *dest, struct item *const *items, size_t n,
		struct err *err);
	void (*close)(struct dest *dest);
};

/* Kinds put their own members behind this one. */
struct dest {
	const struct dest_kind *kind;
	const struct dest_env *env;
	const char *path;		/* Maildir, mbox; the program for pipe */
	bool gzip;
	bool may_make;			/* see dest_open() */
	struct stage stage;
	struct filter_chain *chain;
	int fd;				/* kind's own */
	int dir;			/* kind's own */
	struct dest_lock *lock;		/* mbox */
	uint64_t mark;			/* mbox: of the next From_ line */
};

/* A name for the ledger and the log: "maildir:PATH", "mbox:PATH",
 * "pipe:PROGRAM", with "+gzip" behind the kind when compressed. */
void dest_describe(char *out, size_t cap, const char *kind, const char *path,
	bool gzip);

/* How a destination of this name stages its messages. */
struct filter_options dest_form(const char *name);

/* Opens the destination that `name` (from dest_describe) stands for. `env`
 * and `name` must outlive it. With `may_make` a missing Maildir is made if its
 * parent is there; a missing mbox is made at the first delivery. Without, what
 * is missing is an error with its errno, ENOENT or ENOTDIR. */
struct dest *dest_open(const char *name, const struct dest_env *env,
	bool may_make, struct err *err) MUST_USE;
/* The item's file is complete: notes its sizes. */
void dest_seal(struct dest *dest, struct item *item);
/* Lets go of everything; NULL is allowed. Staged files stay. */
void dest_close(struct dest *dest);

extern const struct dest_kind dest_maildir;
extern const struct dest_kind dest_mbox;
extern const struct dest_kind dest_pipe;

#endif
