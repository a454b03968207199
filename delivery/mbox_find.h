/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DELIVERY_MBOX_FIND_H
#define DELIVERY_MBOX_FIND_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/err.h"
#include "delivery/stage.h"

/*
 * What is in an mbox where a staged message was to be appended? Every byte is
 * compared. Asked under the lock, when the file is as it was up to there
 * (MBOX_GROWN), so what follows came with the append or after it.
 */

enum mbox_found {
	MBOX_THERE,	/* the whole message */
	MBOX_END,	/* the file ends before it */
	MBOX_TORN,	/* to the end of the file there is nothing but a part
			 * of what we appended: cut it off */
	MBOX_HOLES,	/* what we appended, with blocks of NUL that the disk never
			 * got; cut it off if mbox_is_ours() says so of all that
			 * was to follow */
	MBOX_TORN_INSIDE,	/* a part of what we appended, and behind it mail of
			 * another program, from `foreign` on */
	MBOX_FOREIGN	/* something else */
};

/* `fd` is the mbox, the item's file is open, `at` the offset noted before
 * the append, `end` where the whole batch would have ended. */
bool mbox_find(int fd, const char *path, const struct item *item, uint64_t at,
	uint64_t end, enum mbox_found *found_r, uint64_t *foreign_r,
	struct err *err) MUST_USE;

/* Is everything that the file has of [at, at + item->stored) ours, or NUL? */
bool mbox_is_ours(int fd, const char *path, const struct item *item,
	uint64_t at, bool *yes_r, struct err *err) MUST_USE;

/* How many bytes at `at` in the mbox are those of the item. */
bool mbox_common(int fd, const char *path, const struct item *item,
	uint64_t at, uint64_t *common_r, struct err *err) MUST_USE;

#endif
