/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_STATE_LEDGER_RECORD_H
#define AGENT_STATE_LEDGER_RECORD_H

#include "agent/base/arena.h"
#include "agent/state/ledger/ledger.h"

/*
 * One line of the ledger and its struct: pure functions. A line is
 *
 *	CRC TYPE FIELD... LF
 *
 * CRC is eight hexadecimal digits over the CRC of the line before and
 * everything behind the first blank, so a line that is missing, doubled or
 * out of place does not fit. Text is percent-escaped; an empty text is "-".
 *
 * The first line has the same fields in every version of the file, so that
 * any version can tell a file of another one from a damaged one.
 */

enum record_type {
	RECORD_LEDGER,		/* the first line */
	RECORD_FILE,		/* the second, since version 2 */
	RECORD_INTENT,
	RECORD_HINT,
	RECORD_DELIVERED,
	RECORD_DEFERRED,
	RECORD_VOID,
	RECORD_DELETING,
	RECORD_GONE,
	RECORD_SEEN,		/* baseline; any settled entry, compacted */
	RECORD_FAILED,		/* the server did not hand it over */
	RECORD_MOVED,		/* another UID */
	RECORD_INEXACT,		/* the server's sizes are not exact */
	RECORD_MARKED,		/* a destination's folder has our marker */
	RECORD_UNMARKED,	/* and it need not have it any more */
	RECORD_LEFT,		/* delivered, and never to be deleted */
	RECORD_CLOCK,		/* ages are counted from here */
	RECORD_MARK,		/* everything before it is durable */
	RECORD_TYPES
};

struct record {
	enum record_type type;
	uint64_t id;
	int64_t time;
	const char *uid;
	size_t uid_len;
	uint64_t listed, size, stored, place, at;
	struct identity identity;
	const char *name, *dest, *text;
	uint64_t tries;
	int64_t next_try;
	uint64_t state;		/* RECORD_SEEN: enum ledger_state */
	uint64_t version;	/* RECORD_LEDGER */
	uint64_t before;	/* RECORD_MARK: the CRC of the line before */
	uint64_t serial;	/* RECORD_FILE: records written before it */
	uint64_t lines;		/* RECORD_FILE: lines it was begun with */
};

/* Puts the line into out (cap bytes) and returns its length; *crc is the CRC
 * of the line before, then of this one. 0 if it does not fit. */
size_t record_encode(const struct record *record, uint32_t *crc, char *out,
	size_t cap);

/* Reads a line of len bytes without its LF. Strings are put into `arena`.
 * False if it does not fit behind `*crc`, or is not a record. `*crc` becomes
 * what the line says its CRC is, if it says anything, in either case. */
bool record_decode(struct record *record_r, uint32_t *crc, const char *line,
	size_t len, struct arena *arena);

/* Does the line's CRC fit behind `crc`? A line that does and yet is no record
 * was written on purpose, by a version that knows more. */
bool record_fits(uint32_t crc, const char *line, size_t len);

/* Is this line a mark, or does it end in one, whatever has become of the lines
 * before it? */
bool record_is_mark(const char *line, size_t len, struct arena *arena);

#endif
