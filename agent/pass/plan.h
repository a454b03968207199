/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_PASS_PLAN_H
#define AGENT_PASS_PLAN_H

#include "agent/base/arena.h"
#include "agent/pop3/listing.h"
#include "agent/state/ledger/ledger.h"
#include "config/config.h"

/*
 * What to do with each message on the server: the listing held against the
 * ledger. Pure decisions; nothing is sent or written here.
 *
 * A message is known when a ledger entry has its UID and its listed size. Some
 * servers let a sender choose the UID, so before a message of an earlier pass
 * is deleted, and whenever UID and size do not settle it, its header decides
 * (TOP); where that is not possible, its content does (RETR, then compared).
 * When no message is known by its UID although others should be there, or many
 * new ones have the sizes of known ones that are missing, the server has
 * given out new UIDs: then header or content decide across UIDs, whatever the
 * sizes. Without such a sign header and content must both agree. See
 * plan_lost.c.
 */

enum plan_action {
	PLAN_FETCH,	/* new, or cannot be told from new without reading it */
	PLAN_CHECK,	/* ask for the header, then plan_checked() */
	PLAN_KEEP,	/* delivered, stays on the server */
	PLAN_DELETE,	/* delivered, may go */
	PLAN_STAGED,	/* retrieved, its destination has not taken it yet */
	PLAN_SKIP,	/* larger than limits.message */
	PLAN_LATER,	/* beyond limits.messages or limits.bytes */
	PLAN_WAIT	/* it broke the session or was refused; not yet again */
};

struct plan_message {
	const struct listed *listed;
	enum plan_action action;
	struct ledger_entry *entry;	/* what it is known as, or NULL */
	struct ledger_entry *failed;	/* earlier failures to get it, or NULL */
	bool moved;			/* `entry` has another UID: note it */
	struct ledger_entry *doubted;	/* it may have taken its place */
	struct ledger_entry *own;	/* the one of its UID and size, or NULL */
	bool cut;			/* what came is far shorter than listed */
};

/* Entries that no listed message claims by its UID, in the order of a digest. */
struct plan_index {
	struct plan_lost {
		struct ledger_entry *entry;
		uint64_t key;		/* of the digest */
		/* Of the first of a key, and of the first of a key and size:
		 * so many of them are not free any more. */
		uint32_t taken, taken_sized;
	} *lost;
	size_t count;
};

/* A message that is known and stays, to be looked at all the same. */
#define PLAN_AUDIT 32
struct plan_audit {
	const struct listed *listed;
	struct ledger_entry *entry;
};

/* One that had another header than the entry: which it is. */
struct plan_suspect {
	uint64_t id;
	struct identity seen;
};

/* What is known besides listing and ledger. */
struct plan_past {
	/* Now, and the time of which ages are counted (clock.c). */
	int64_t now, judged;
	/* What LAST said if the server has no UIDL, else 0: with keep, messages
	 * up to it are known. */
	uint64_t last;
	/* Entries below this id were there before a pass that left nothing on
	 * the server that it had not dealt with. */
	uint64_t settled;
	/* At most so many (<= PLAN_AUDIT), best with ids above this one. */
	size_t audit;
	uint64_t audited;
	const struct plan_suspect *suspects;
	size_t suspect_count;
};

struct plan {
	/* In the order of the listing. The many that are known and just stay
	 * are left out: so many, the first of them delivered then. */
	struct plan_message *messages;
	size_t count;
	size_t staying;
	int64_t oldest;
	const struct account *account;
	struct ledger *ledger;
	struct plan_past past;
	uint64_t searched;		/* entries of one UID */
	size_t nameless;		/* entries without a UID */
	bool unnamed;			/* ...that no message without one is */
	bool renumbered;		/* the server has given out new UIDs */
	bool returned;			/* and shows what was deleted... */
	bool restored;			/* ...so much that headers suffice */
	struct plan_index by_header, by_content;
	/* To be looked at, and the id to go on behind. */
	struct plan_audit audit[PLAN_AUDIT], early[PLAN_AUDIT], last;
	size_t audit_count, early_count;
	uint64_t audited;
	bool unstable;			/* headers are others each time */
};

/* Is it time to delete this delivered message? */
bool plan_due(const struct account *account, const struct ledger *ledger,
	const struct ledger_entry *entry, int64_t now);

/* Claims entries of the ledger. */
void plan_make(struct plan *plan_r, const struct listing *listing,
	struct ledger *ledger, const struct account *account,
	const struct plan_past *past, struct arena *arena);

/* The header of a PLAN_CHECK message is here, or cannot be had (NULL):
 * settles its action. */
void plan_checked(struct plan *plan, struct plan_message *message,
	const struct identity *identity);

/* A message that was fetched turns out to be known: claims the entry, settles
 * the action and returns true. */
bool plan_recognise(struct plan *plan, struct plan_message *message,
	const struct identity *identity);

/* Applies the limits of a pass; after all checks. */
void plan_limit(struct plan *plan);

#endif
