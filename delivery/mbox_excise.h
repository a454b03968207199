/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DELIVERY_MBOX_EXCISE_H
#define DELIVERY_MBOX_EXCISE_H

#include "delivery/dest.h"

/*
 * Takes what is torn out of an mbox when another program has appended mail
 * behind it before we came back. The foreign mail is copied to the stage
 * first, and a note says so, so that no crash can lose it:
 *
 *	excise AT LENGTH FROM NEW
 *
 * from AT on, the mbox is to be the LENGTH bytes that are saved; but for the
 * first NEW of them they stand at FROM until they are moved. The mbox is locked.
 */

struct mbox_part {
	uint64_t from, to;
	size_t ends;		/* line ends to be there instead of it */
};

/* Removes the part; what is behind it moves up. */
bool mbox_excise(struct dest *dest, struct item *item,
	const struct mbox_part *part, struct err *err) MUST_USE;

/* Finishes an excision that was cut off, whoever has appended since; does
 * nothing if the item's note speaks of none, which *was_r tells. */
bool mbox_excise_again(struct dest *dest, struct item *item, bool *was_r,
	struct err *err) MUST_USE;

#endif
