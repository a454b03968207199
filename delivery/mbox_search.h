/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DELIVERY_MBOX_SEARCH_H
#define DELIVERY_MBOX_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/err.h"
#include "delivery/stage.h"

/*
 * Staged messages anywhere in an mbox that has been written anew, or that
 * others have written to while we did: the file is read once for all of them.
 * The From_ line tells which message it can be, the whole message decides
 * (mbox_canon.h; a compressed one byte by byte), and what is found in one
 * place serves one message.
 */

struct mbox_sought {
	struct item *item;	/* open; becomes ITEM_DELIVERED when found */
	/* Else, [at, end) is a message that is nothing but a beginning of this
	 * one, cut off and written anew since; or end is 0. */
	uint64_t at, end;
};

/* `fd` is the mbox, locked. Looks from `from` on, where a message begins or
 * another ends. */
bool mbox_search(int fd, const char *path, bool gzip, uint64_t from,
	struct mbox_sought *sought, size_t n, struct err *err) MUST_USE;

#endif
