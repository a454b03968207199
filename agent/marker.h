/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_MARKER_H
#define AGENT_MARKER_H

#include <limits.h>

#include "agent/ledger.h"
#include "config/config.h"

/*
 * A small file beside the mail, .postrider-HASH, that says which ledger has
 * delivered here and how far it was. A ledger that is missing, or an old copy
 * of it, would have everything fetched again: the commonest source of doubled
 * mail. Lost state is therefore an error with ways on, not an empty ledger.
 *
 * One file for each user, host, port and mbox, in the Maildir or in the folder of the
 * mbox. A pipe has no place for one; a folder we may not write to has none
 * either.
 */

struct marker {
	char folder[PATH_MAX];		/* "" if there is no place */
	char name[64];
	bool there;
	char epoch[24];			/* of the ledger it speaks of */
	uint64_t last;			/* that ledger's last delivery id */
};

/* Works out the place and reads what is there. */
void marker_read(struct marker *marker, const struct account *account);

/* Before the ledger is opened: `exists` tells if there is one. ERR_CONFIG
 * when the marker says there must be. */
bool marker_check_missing(const struct marker *marker, const char *path,
	bool exists, struct err *err) MUST_USE;
/* After it: ERR_CONFIG when it is another ledger or an older copy. */
bool marker_check_age(const struct marker *marker, const char *path,
	const struct ledger *ledger, struct err *err) MUST_USE;

/* Writes it if anything has changed; what it speaks of is made durable before. It
 * may lag behind the ledger, never the other way, so it needs no flush, and
 * failing is no error. */
void marker_write(const struct marker *marker, const struct account *account,
	struct ledger *ledger);

#endif
