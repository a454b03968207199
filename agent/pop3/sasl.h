/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_POP3_SASL_H
#define AGENT_POP3_SASL_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/err.h"

/*
 * Mechanisms from GNU SASL, where it was found at build time: SCRAM, CRAM-MD5
 * and, if the library has it, GSSAPI. Without the library sasl_available() is
 * false and the rest is never called.
 */

struct sasl;

struct sasl_login {
	const char *mechanism;		/* as registered with IANA */
	const char *user, *host;
	const char *password;		/* NULL for GSSAPI */
	/* The channel binding in base64, or NULL. A mechanism with -PLUS needs
	 * it; one without it tells the server that we could (the "y" of
	 * RFC 5802), so that somebody who hid -PLUS from us is found out. */
	const char *binding;
	bool exporter;			/* it is tls-exporter, not tls-unique */
};

bool sasl_available(const char *mechanism);
/* Can SCRAM and CRAM-MD5 use this password? They take what SASLprep (RFC 4013)
 * makes of it, which is nothing where it is not UTF-8, or has a character that
 * Unicode 3.2 did not have. */
bool sasl_prepares(const char *password);
/* Can this kind of channel binding be used? */
bool sasl_binds(bool exporter);

/* ERR_CONFIG when the library will not. */
struct sasl *sasl_new(const struct sasl_login *login, struct err *err)
	MUST_USE;

/* Answers a challenge (base64, NUL-terminated; "" for the first step) with
 * *answer_r (base64, freed by sasl_free() or the next step). ERR_PROTO when
 * the server cannot prove that it knows the password, or asks for too much;
 * ERR_CONFIG when GSSAPI has no ticket for us. */
bool sasl_step(struct sasl *sasl, const char *challenge,
	const char **answer_r, struct err *err) MUST_USE;

/* Has the server proven itself, as far as the mechanism provides for it? */
bool sasl_done(const struct sasl *sasl);

/* NULL is allowed. */
void sasl_free(struct sasl *sasl);

/* The version of GNU SASL that runs, or NULL. */
const char *sasl_version(void);

#endif
