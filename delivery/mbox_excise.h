/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DELIVERY_MBOX_EXCISE_H
#define DELIVERY_MBOX_EXCISE_H

#include "delivery/dest.h"

/*
 * Takes a torn message out of an mbox when another program has appended mail
 * behind it before we came back. The foreign mail is copied to the stage
 * first, and a note "excise AT LENGTH FROM" says so, so that no crash can lose it.
 * The mbox is locked.
 */

/* Removes [at, foreign); what begins at `foreign` moves to `at`. */
bool mbox_excise(struct dest *dest, struct item *item, uint64_t at,
	uint64_t foreign, struct err *err) MUST_USE;

/* Finishes an excision that a crash has cut off; does nothing if the item's
 * note speaks of none. */
bool mbox_excise_again(struct dest *dest, struct item *item, struct err *err)
	MUST_USE;

#endif
