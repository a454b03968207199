/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DELIVERY_MBOX_FIND_H
#define DELIVERY_MBOX_FIND_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/err.h"
#include "delivery/stage.h"

/*
 * Is a staged message in an mbox? Asked after a crash, under the lock.
 */

enum mbox_found {
	MBOX_THERE,	/* whole, where it was appended */
	MBOX_MOVED,	/* whole, where a reader that rewrote the file put it */
	MBOX_TORN,	/* from `at` to the end of the file there is nothing
			 * but a part of what we appended: cut it off */
	MBOX_HOLES,	/* what we appended, with blocks of NUL that the disk never
			 * got; cut it off if mbox_is_ours() says so of all that
			 * was to follow */
	MBOX_TORN_INSIDE,	/* a part of what we appended, and behind it mail of
			 * another program, from `foreign` on */
	MBOX_ABSENT	/* append it */
};

/* No offset: only search. */
#define MBOX_ANYWHERE UINT64_MAX

/* `fd` is the mbox, the item's file is open, `at` the offset noted before
 * the append, `end` where the whole batch would have ended. */
bool mbox_find(int fd, const char *path, const struct item *item, uint64_t at,
	uint64_t end, enum mbox_found *found_r, uint64_t *foreign_r,
	struct err *err) MUST_USE;

/* Is everything that the file has of [at, at + item->stored) ours, or NUL? */
bool mbox_is_ours(int fd, const char *path, const struct item *item,
	uint64_t at, bool *yes_r, struct err *err) MUST_USE;

#endif
