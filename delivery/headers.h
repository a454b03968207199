/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DELIVERY_HEADERS_H
#define DELIVERY_HEADERS_H

#include "agent/base/digest.h"
#include "delivery/pump.h"

/*
 * What makes a message recognisable, computed while it streams past: a digest
 * of its bytes as the server sent them, and one of the header lines that
 * servers do not change between two answers (the first each of Message-ID,
 * Date, From, To, Subject and Received; unfolded, white space folded, case of
 * names ignored). The first Received line was written by the recipient's own
 * server, so a sender cannot choose the second digest; one without it is weak:
 * it tells messages apart, and tells of two that they are the same only where
 * the server has given out new UIDs.
 *
 * What servers themselves write into a header between two sessions (Status,
 * X-UID, X-UIDL and the like) is no part of either.
 */

struct identity {
	struct digest content;
	struct digest header;
	bool has_header;		/* there was a Received line */
	bool is_weak;			/* none, but Message-ID or Date */
};

struct headers;

/* `next` is where the bytes go on to, or NULL to drop them (TOP). */
struct headers *headers_new(void);
void headers_free(struct headers *h);

/* Starts a message; the returned sink feeds `next`. */
struct sink *headers_start(struct headers *h, struct sink *next);
/* After finish. */
const struct identity *headers_identity(const struct headers *h);

/* An identity that is never the same as another. */
struct identity identity_none(void);
/* The same message: equal content, or equal header where both have one. */
bool identity_same(const struct identity *a, const struct identity *b);
/* Both agree, and it is no accident: there is a Received line. */
bool identity_identical(const struct identity *a, const struct identity *b);
/* The same header; false if either has no Received line. */
bool identity_same_header(const struct identity *a, const struct identity *b);
/* The same header, be it weak. */
bool identity_like(const struct identity *a, const struct identity *b);
/* Equal content, and a header that is not void of all that differs between
 * messages. */
bool identity_equal(const struct identity *a, const struct identity *b);

#endif
