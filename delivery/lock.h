/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DELIVERY_LOCK_H
#define DELIVERY_LOCK_H

#include <stdbool.h>
#include <sys/stat.h>

#include "agent/base/err.h"

/*
 * Locks an mbox the way every other mail program does: first a dotlock
 * (PATH.lock), then the file itself with fcntl(2). After both are held the
 * file is compared with its name, since a reader may have replaced it while
 * we waited. Neither lock is held while we wait for the other.
 *
 * The dotlock is written as PATH.lock.TAG and linked into place, so it always
 * says whose it is: "PID:HOST", and, by the other name, which account's.
 */

struct dest_lock;

/* Opens (and, with `make`, makes, 0600) the mbox and locks it, waiting at most
 * LIMIT_MBOX_LOCK_MS. `tag` (struct dest_env) makes one that is left behind by
 * a pass that was killed known again. ERR_RETRY when
 * another program keeps it; ERR_CONFIG when it is no regular file, a symbolic
 * link, or has a second name. *created_r tells whether the file is new. */
struct dest_lock *lock_mbox(const char *path, const char *tag, bool make,
	bool *created_r, struct err *err) MUST_USE;

/* Removes a stale dotlock, above all one with our tag: the account's lock is
 * ours, so whoever made it is gone. Other programs would wait for it. */
void lock_clean(const char *path, const char *tag);

/* Has the locked file still the name of the mbox? Programs that do not lock
 * may have put another one in its place. */
bool lock_is_current(const struct dest_lock *lock, const char *path);

/* The locked file, open for reading and appending. */
int lock_fd(const struct dest_lock *lock);

/* Closes the file and removes the dotlock; NULL is allowed. */
void lock_release(struct dest_lock *lock);

#endif
