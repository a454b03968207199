/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_STATE_IMPORTED_H
#define AGENT_STATE_IMPORTED_H

#include <stdint.h>

#include "agent/base/arena.h"
#include "agent/base/err.h"

/*
 * What another program has fetched of an account before: the UIDs in the file
 * state/ACCOUNT/imported. "postrider import" writes it, and the next pass that
 * lists the maildrop marks those messages as seen and removes it. One UID a
 * line, whatever is not printable as %XX, between a line that says what it is
 * and one that counts them, so that no half of it passes for the whole.
 */

struct imported_uid {
	const char *uid;
	size_t len;
};

struct imported {
	const char *from;	/* the program, for messages to a person */
	int64_t time;		/* of the import; ages count from here */
	/* The program's notes, where they are not the whole UID: getmail puts
	 * '-' in the place of '/', fetchmail cuts after 128 bytes. */
	bool folds, cuts;
	/* All of them should still be on the server: if none is, it is another
	 * server, or another user. */
	bool must_match;
	struct imported_uid *uids;
	size_t count;
};

/* Writes the file into an account's state directory, durably. */
bool imported_write(int dir, const struct imported *imported,
	struct err *err) MUST_USE;

/* *imported_r is NULL without an error if there is no such file; otherwise it
 * lives in `arena`, its UIDs sorted for imported_has(). `path` names the
 * directory in errors. ERR_CONFIG if the file is damaged. */
bool imported_read(int dir, const char *path, struct arena *arena,
	struct imported **imported_r, struct err *err) MUST_USE;

/* Has the program seen the message of this UID? */
bool imported_has(const struct imported *imported, const char *uid,
	size_t len);

/* The ledger has it all. */
bool imported_remove(int dir, const char *path, struct err *err) MUST_USE;

#endif
