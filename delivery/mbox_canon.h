/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DELIVERY_MBOX_CANON_H
#define DELIVERY_MBOX_CANON_H

#include <stddef.h>
#include <stdint.h>

#include "agent/base/digest.h"

/*
 * A digest of a whole message in an mbox that stays the same whatever honest
 * readers do to the message when they write the file anew: they put their own
 * header lines in, change or drop them (Status, X-Status, X-UID, X-Keywords,
 * X-IMAP, X-IMAPbase, Content-Length, Lines), quote From_ lines in their own
 * way, and end a message with more or fewer empty lines. Every other byte
 * counts, and so does the From_ line.
 */

struct mbox_canon;

struct mbox_canon *mbox_canon_new(void);
void mbox_canon_free(struct mbox_canon *c);
/* The next bytes, in pieces of any size, from the From_ line on. */
void mbox_canon_add(struct mbox_canon *c, const char *data, size_t len);
/* The digest of all that was added, how many bytes of it counted, and the line
 * ends behind them, which do not; starts over. */
struct digest mbox_canon_take(struct mbox_canon *c, uint64_t *len_r,
	uint64_t *ends_r);
/* From now on no more than the first `len` bytes that count do; UINT64_MAX is
 * all. What another message is a part of can so be compared with it. */
void mbox_canon_limit(struct mbox_canon *c, uint64_t len);

#endif
