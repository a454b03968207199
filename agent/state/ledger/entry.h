/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_STATE_LEDGER_ENTRY_H
#define AGENT_STATE_LEDGER_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "delivery/headers.h"

/*
 * One message in the ledger's memory. A maildrop may keep a million of them, so
 * an entry is small, and what only a message on its way needs stands apart.
 */

/* The numbers stand in files. */
enum ledger_state {
	LEDGER_INTENT = 0,
	LEDGER_DELIVERED = 1,
	LEDGER_DELETING = 2,
	LEDGER_GONE = 3,
	LEDGER_BASELINE = 4,
	LEDGER_FAILED = 5,
	LEDGER_VOID = 6
};

struct __attribute__((packed, aligned(8))) ledger_entry {
	const char *uid;		/* uid_len bytes; longer ones hashed */
	uint32_t next;			/* private: of the same hash */
	uint64_t id : 48;
	int64_t time : 40;		/* when it came to this: intent,
					 * delivered, gone */
	uint64_t listed : 49;		/* size as the server lists it */
	uint32_t uid_len : 11;
	uint32_t mark : 4;		/* private: of the hash */
	enum ledger_state state : 3;
	bool claimed : 1;		/* by a message of this pass's listing */
	bool pending : 1;		/* private, as the next two */
	bool has_content : 1, has_header : 1, is_weak : 1;
};

/* The largest values that fit. No listing has a larger size; no clock and no
 * ledger of this world comes near the others. */
#define LEDGER_MAX_ID ((UINT64_C(1) << 48) - 1)
#define LEDGER_MAX_TIME ((INT64_C(1) << 39) - 1)
#define LEDGER_MAX_LISTED ((UINT64_C(1) << 49) - 1)

/* More about an entry that is LEDGER_INTENT or LEDGER_FAILED; it ends with
 * that state. */
struct ledger_pending {
	/* LEDGER_INTENT: */
	const char *name;		/* staged file */
	const char *dest;		/* dest_describe(); as long as the
					 * ledger */
	const char *hint;		/* the destination's last note, or "" */
	uint64_t size, stored, place, at;	/* struct item */
	/* LEDGER_INTENT that was refused, LEDGER_FAILED: */
	unsigned int tries;		/* so often */
	int64_t next_try;		/* wall time */
	const char *reason;		/* of the last time */
};

/* What is told of a message when it enters the ledger. */
struct ledger_what {
	const char *uid;		/* uid_len bytes */
	size_t uid_len;
	uint64_t listed;
	struct identity identity;
	const char *name, *dest;	/* as above */
	uint64_t size, stored, place, at;
};

/* Empty texts and zeros if there is no more about it. */
const struct ledger_pending *ledger_pending(const struct ledger_entry *entry);

/* identity_none() if it has none. */
struct identity ledger_identity(const struct ledger_entry *entry);

/* A message of our own has a UID that begins so: none of a server's can. */
#define LEDGER_NOTICE "\nnotice "
bool ledger_is_notice(const struct ledger_entry *entry);

/* Is it too early for the next try? A time that is further off than any pause
 * was noted by a wrong clock and means nothing. */
bool ledger_waits(const struct ledger_entry *entry, int64_t now);

#endif
