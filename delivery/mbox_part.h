/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DELIVERY_MBOX_PART_H
#define DELIVERY_MBOX_PART_H

#include "delivery/mbox_excise.h"

/*
 * What is there of an append that was cut off: the notes of its items say where
 * it began and what it was to be, and every byte up to the part's end is the
 * one that was to be there, or NUL in a block that the disk never got. What
 * follows is not ours, even where it goes on in the same line.
 */

enum mbox_left {
	MBOX_NOTHING,		/* that could be told from others' mail */
	MBOX_LAST,		/* a part, and the mbox ends with it */
	MBOX_BEFORE_OTHERS	/* a part, with others' mail behind it */
};

/* `items` is the first that is not whole, noted, with its file open, and those
 * that come after it in their order, perhaps of other appends. */
bool mbox_part_find(struct dest *dest, struct item *const *items, size_t n,
	enum mbox_left *left_r, struct mbox_part *part_r, struct err *err)
	MUST_USE;

#endif
