/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DELIVERY_LOCK_H
#define DELIVERY_LOCK_H

#include <stdbool.h>
#include <sys/stat.h>

#include "agent/base/err.h"

/*
 * Locks an mbox the way every other mail program does: first a dotlock
 * (PATH.lock, made with O_EXCL), then the file itself with fcntl(2). After
 * both are held the file is compared with its name, since a reader may have
 * replaced it while we waited.
 */

struct dest_lock;

/* Opens (and makes, 0600) the mbox and locks it, waiting at most
 * LIMIT_MBOX_LOCK_MS. ERR_RETRY when another program keeps it; ERR_CONFIG
 * when it is no regular file, a symbolic link, or has a second name.
 * *created_r tells whether the file is new. */
struct dest_lock *lock_mbox(const char *path, bool *created_r,
	struct err *err) MUST_USE;

/* The locked file, open for reading and appending. */
int lock_fd(const struct dest_lock *lock);

/* Closes the file and removes the dotlock; NULL is allowed. */
void lock_release(struct dest_lock *lock);

#endif
