/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_STATE_MARKER_H
#define AGENT_STATE_MARKER_H

#include <limits.h>

#include "agent/state/ledger/seal.h"
#include "config/config.h"

/*
 * A small file beside the mail, .postrider-HASH, that says which ledger
 * delivers here and how far it was. It answers two questions.
 *
 * Is this the right ledger? One that is missing, or an old copy, would have
 * everything fetched again: the commonest source of doubled mail. Lost state
 * is therefore an error with ways on, not an empty ledger.
 *
 * Is this the right folder? The marker is durable before the first delivery,
 * and the ledger then notes so. Where it is missing later, the disk with the
 * mail is not mounted, and what was delivered would be hidden when it is.
 *
 * One file for each user, host, port and mbox, in the Maildir or in the folder
 * of the mbox. A pipe has no place for one; a folder we may not write to has
 * none either, and is not noted.
 */

/* For errors about a ledger that is not the right one. */
#define MARKER_WAYS_ON "Ways on: put the right ledger back; postrider fetch " \
	"--baseline marks what is on the server as seen; postrider fetch " \
	"--accept-new-state goes on and may fetch messages a second time"

enum marker_found {
	MARKER_UNKNOWN,			/* it cannot be looked at: see `error` */
	MARKER_MISSING,			/* or its folder is */
	MARKER_SILENT,			/* it is there, and says nothing */
	MARKER_THERE
};

struct marker {
	char folder[PATH_MAX];		/* "" if there is no place */
	char name[64];
	enum marker_found found;
	int error;			/* MARKER_UNKNOWN */
	struct ledger_seal seal;	/* what it says */
};

/* Works out the place and reads what is there: looks at the folder itself and
 * at nothing above it, so one that is mounted when it is looked up will be. */
void marker_read(struct marker *marker, const struct account *account);

/* Before the ledger is opened: `exists` tells if there is one. ERR_CONFIG
 * when the marker says there must be. */
bool marker_check_missing(const struct marker *marker, const char *path,
	bool exists, struct err *err) MUST_USE;
/* After it: ERR_CONFIG when it is another ledger or an older copy. */
bool marker_check_age(const struct marker *marker, const char *path,
	const struct ledger *ledger, struct err *err) MUST_USE;
/* Before the destination is opened: ERR_CONFIG when `noted`, the name of the
 * marker that its folder had, is there no more; ERR_RETRY when one cannot
 * see. NULL: none was noted. */
bool marker_check_place(const struct marker *marker, const char *noted,
	const struct account *account, const struct ledger *ledger,
	struct err *err) MUST_USE;

/* Makes a marker of this ledger durable in the folder; `anew` if what is there
 * may not stay. *placed_r is false where none can be written. An error is a
 * flush that failed, after which nothing may be delivered. */
bool marker_place(struct marker *marker, const struct account *account,
	const struct ledger *ledger, bool anew, bool *placed_r,
	struct err *err) MUST_USE;

/* Writes it if anything has changed; what it speaks of is made durable before.
 * It may lag behind the ledger, never the other way, so it needs no flush, and
 * failing is no error. */
void marker_write(struct marker *marker, const struct account *account,
	struct ledger *ledger);

#endif
