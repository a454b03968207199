/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_POP3_LISTING_H
#define AGENT_POP3_LISTING_H

#include "agent/base/digest.h"
#include "agent/pop3/client.h"

/*
 * What is in the maildrop, or whether that is worth asking.
 */

/* One message of the listing; there may be a million. */
struct listed {
	const char *uid;		/* uid_len bytes, any content */
	uint64_t size;			/* octets as the server counts; 0 unknown */
	uint32_t uid_len;
	uint32_t number;
};

/* Who has a lasting copy of a UID saves the listing its own; `find` returns
 * NULL if there is none. */
struct listing_store {
	const char *(*find)(void *arg, const char *uid, size_t len);
	void *arg;
};

struct listing {
	struct listed *messages;	/* in ascending order of number */
	size_t count;
	bool has_uids;			/* the server knows UIDL */
};

/* UIDL and LIST, in one burst if the server pipelines. UIDL is the master:
 * LIST adds sizes. Strings live in `arena`, or in `store` (NULL is allowed).
 * ERR_PROTO beyond LIMIT_LISTING messages, for a number listed twice, or a line
 * that makes no sense. */
bool client_listing(struct client *client, struct arena *arena,
	const struct listing_store *store, struct listing *listing_r,
	struct err *err) MUST_USE;

/* Has anything changed? Count and size of the maildrop, and the digest of the
 * UID of message `last`, the same as was given to client_ahead(). `uid_r` is
 * empty if there is no such message. */
struct look {
	uint64_t count, size;
	struct digest uid;
};
bool client_look(struct client *client, uint64_t last, struct look *look_r,
	struct err *err) MUST_USE;

#endif
