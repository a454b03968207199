/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_IMPORT_FETCHMAIL_DRAFT_H
#define AGENT_IMPORT_FETCHMAIL_DRAFT_H

#include "agent/import/priv.h"

/*
 * What a .fetchmailrc says of one account, and what becomes of it.
 */

/* NULL and 0 are what was not said. */
struct draft {
	const char *poll, *via, *proto, *user, *password, *password_file;
	const char *local, *auth, *sslproto, *ca_file, *tls_name;
	const char *cert, *key, *mda;
	uint64_t port, limit, fetchlimit;
	uint64_t seconds, interval;	/* so many times `seconds` */
	bool enabled, ssl, unchecked, keep;
};

/* Adds the account; `line` is where it ends in the file. */
void fetchmail_add(struct import *im, const struct draft *draft,
	unsigned int line);

/* Reads the list of fetched messages for all accounts. */
bool fetchmail_read_ids(struct import *im, const char *path,
	struct err *err) MUST_USE;

#endif
