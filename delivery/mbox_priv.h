/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DELIVERY_MBOX_PRIV_H
#define DELIVERY_MBOX_PRIV_H

#include "delivery/dest.h"

/*
 * What the three files of an mbox share: mbox.c (staging, locks, the order of
 * things), mbox_append.c and mbox_look.c (what has become of an append). The
 * mbox is locked.
 */

/* Notes the place of all n items, appends them and flushes the file. On an
 * error the file is as it was, or the notes let recovery look. *arrived_r is
 * false when others wrote meanwhile: then mbox_look_for() finds out. */
bool mbox_append(struct dest *dest, struct item *const *items, size_t n,
	bool *arrived_r, struct err *err) MUST_USE;

/* Finds out which of the items are in the mbox, and takes out what is torn of
 * them, by their notes: DELIVERED, VOID, or STAGED and to be appended. */
bool mbox_look_for(struct dest *dest, struct item *const *items, size_t n,
	struct err *err) MUST_USE;

#endif
