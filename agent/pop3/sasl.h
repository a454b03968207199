/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_POP3_SASL_H
#define AGENT_POP3_SASL_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/err.h"

/*
 * Challenge-response mechanisms from GNU SASL, where it was found at build
 * time. Without it sasl_available() is false and the rest is never called.
 */

struct sasl;

/* `mechanism` as registered with IANA, "SCRAM-SHA-256". */
bool sasl_available(const char *mechanism);

/* Strings must outlive the exchange. */
struct sasl *sasl_new(const char *mechanism, const char *user,
	const char *password, const char *host, struct err *err) MUST_USE;

/* Answers a challenge (base64, NUL-terminated; "" for the first step) with
 * *answer_r (base64, freed by sasl_free() or the next step). ERR_PROTO when
 * the server cannot prove that it knows the password, or asks for too much. */
bool sasl_step(struct sasl *sasl, const char *challenge,
	const char **answer_r, struct err *err) MUST_USE;

/* Has the server proven itself, as far as the mechanism provides for it? */
bool sasl_done(const struct sasl *sasl);

/* NULL is allowed. */
void sasl_free(struct sasl *sasl);

/* The version of GNU SASL that runs, or NULL. */
const char *sasl_version(void);

#endif
