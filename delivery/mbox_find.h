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

struct mbox_match {
	uint64_t same;		/* so many bytes are those of the item */
	uint64_t ours;		/* or are NUL: blocks that the disk never got */
};

/* `fd` is the mbox, the item's file is open, `at` the offset noted before the
 * append. */
bool mbox_match(int fd, const char *path, const struct item *item,
	uint64_t at, struct mbox_match *match_r, struct err *err) MUST_USE;

/* The bytes in [from, until) may be ours, the one at `until` is not: where does
 * that other program's mail begin? Perhaps a little before, for its first bytes
 * may be as ours would have been there, or behind line ends that it put in
 * front. Only a From_ line counts, or in a compressed mbox the beginning of a
 * member; *there_r tells if there is one. */
bool mbox_begins(int fd, const char *path, bool gzip, uint64_t from,
	uint64_t until, uint64_t *begin_r, bool *there_r, struct err *err)
	MUST_USE;

#endif
