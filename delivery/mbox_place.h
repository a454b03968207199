/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DELIVERY_MBOX_PLACE_H
#define DELIVERY_MBOX_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/digest.h"
#include "agent/base/err.h"

/*
 * Where a message is to be in an mbox, and what the mbox was before: the note
 * that is durable before the first byte is appended. After a crash the witness
 * tells whether anything has happened to the file since.
 */

/* A file as it is at one moment. Its last bytes stand for all of it: an mbox
 * grows at its end, and who changes it elsewhere moves them. */
struct mbox_witness {
	uint64_t size;
	uint64_t inode;
	struct digest tail;		/* of the last MBOX_TAIL bytes */
};

#define MBOX_TAIL 4096

/* At most so many line ends come before a message, see mbox_append.c. */
#define MBOX_ENDS 2

enum mbox_since {
	MBOX_SAME,	/* it is as it was: nothing was written */
	MBOX_GROWN,	/* something follows; up to there it is as it was */
	MBOX_COPY,	/* the same, or as long, in another file: put back from a
			 * copy, or a disk that numbers anew */
	MBOX_OTHER	/* rewritten, replaced, shorter: no offset means anything */
};

/* `fd` is the mbox, locked; `path` names it in errors. */
bool mbox_witness_take(int fd, const char *path, struct mbox_witness *w_r,
	struct err *err) MUST_USE;
bool mbox_witness_equal(const struct mbox_witness *a,
	const struct mbox_witness *b);
/* What has become of it. */
bool mbox_witness_compare(int fd, const char *path,
	const struct mbox_witness *w, enum mbox_since *since_r,
	struct err *err) MUST_USE;

struct mbox_place {
	uint64_t at;			/* where the message begins */
	uint64_t start;			/* the same, or the line ends that we
					 * put in front of it */
	bool witnessed;			/* not by versions before 2 */
	struct mbox_witness before;	/* the whole append */
};

/* The note: "at OFFSET of SIZE INODE TAIL". */
void mbox_place_note(const struct mbox_place *place, char *text, size_t cap);
/* False if the note speaks of no place. */
bool mbox_place_parse(const char *text, struct mbox_place *place_r);

#endif
