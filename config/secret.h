/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONFIG_SECRET_H
#define CONFIG_SECRET_H

#include "agent/base/err.h"
#include "config/config.h"

/*
 * Reads a password or token at the moment it is needed, in the process that
 * needs it. The value never appears in a log, an error text, an argv or a
 * child's environment; its memory is locked, in no core dump and in no child.
 */

struct secret {
	char *text;		/* NUL-terminated; NULL: there is none */
	size_t len;
};

/* Whose secret it is. */
struct secret_query {
	const char *what;		/* "password" or "token", for errors */
	const char *host, *user;	/* to find it in a netrc file */
	const char *account;		/* to ask a person for it */
	/* Names of environment variables that a command must not inherit,
	 * NULL-terminated, or NULL. */
	const char *const *hide;
	bool may_ask;			/* SECRET_PROMPT is possible here */
};

/* One newline at the end of a file or of a command's output is dropped; an
 * empty value, or one that holds CR, LF or NUL, is ERR_CONFIG. A command that
 * fails is ERR_RETRY (the key ring may be locked for now), with what it said.
 * ERR_STOP when the person who was asked does not answer. Errors name the key
 * and the source, never the value. */
bool secret_read(const struct secret_source *source,
	const struct secret_query *query, struct secret *secret_r,
	struct err *err) MUST_USE;

/* Is there a person at a terminal on standard input? */
bool secret_can_ask(void);

/* Makes *copy_r the same secret in memory of its own. */
bool secret_copy(const struct secret *secret, struct secret *copy_r,
	struct err *err) MUST_USE;
bool secret_equal(const struct secret *a, const struct secret *b);

/* Around the fork of the one child that needs it: with `lent` the child gets
 * the memory too. Called again, with false, by both. */
void secret_lend(const struct secret *secret, bool lent);

/* Wipes and frees; safe on a zeroed struct. */
void secret_wipe(struct secret *secret);

#endif
