/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DELIVERY_MAILDIR_FIND_H
#define DELIVERY_MAILDIR_FIND_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/err.h"
#include "delivery/stage.h"

/*
 * Delivered messages by their unique names, wherever readers have filed them in
 * a Maildir: in new/ and cur/, and in those of its folders (.Folder of
 * Maildir++, Folder of the layout that is called fs), with whatever flags
 * and fields readers append to a name. A folder in which one was found is
 * flushed: it is there after a power cut, too.
 */

/* `root` is the Maildir, `path` its name in errors. found[i] becomes true for
 * items that are there, and is left alone for others. ERR_RETRY when new/ or
 * cur/ of the Maildir itself cannot be read; folders that cannot are warned
 * of. n is at most LIMIT_BATCH_MESSAGES. */
bool maildir_find(int root, const char *path, struct item *const *items,
	size_t n, bool *found, struct err *err) MUST_USE;

#endif
