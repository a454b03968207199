/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_STATE_LEDGER_SEAL_H
#define AGENT_STATE_LEDGER_SEAL_H

#include "agent/state/ledger/ledger.h"

/*
 * What tells a ledger from an earlier copy of itself, and from one whose end is
 * missing: by itself it cannot know. Something outside of it, a marker beside
 * the mail, has a seal that says how far it was; and it notes which folders
 * have such a marker.
 */

/* How far a ledger was once. All of that was durable then, so a seal may lag
 * behind its ledger, never the other way. */
struct ledger_seal {
	char epoch[24];		/* "": nothing is remembered */
	uint64_t last;		/* delivery id */
	uint64_t serial;	/* records written since the ledger was made */
	/* The messages from this one to the last were delivered, durably; the
	 * ledger's note of that may have come later. Beyond the last: none. */
	uint64_t first;
};

void ledger_seal(const struct ledger *ledger, struct ledger_seal *seal_r);

/* Was anything delivered of which `seal` does not tell? */
bool ledger_outgrew(const struct ledger *ledger,
	const struct ledger_seal *seal);

enum ledger_age {
	LEDGER_CURRENT,
	LEDGER_OLD,		/* an earlier copy, or the end is missing */
	LEDGER_FOREIGN		/* the seal is another ledger's */
};
enum ledger_age ledger_compare(const struct ledger *ledger,
	const struct ledger_seal *seal);

/* The name of the marker in the folder of a destination (dest_describe()), if
 * that was noted; or NULL. As long as the ledger. */
const char *ledger_marker(const struct ledger *ledger, const char *dest);
/* Notes it; NULL: the folder need not have one any more. Errors as for every
 * record. */
bool ledger_note_marker(struct ledger *ledger, const char *dest,
	const char *marker, struct err *err) MUST_USE;

#endif
