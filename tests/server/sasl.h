/*
 * sasl: logging in with AUTH (RFC 5034).  PLAIN, LOGIN, EXTERNAL, XOAUTH2 and
 * OAUTHBEARER are here; SCRAM and CRAM-MD5 are the server's side of GNU SASL,
 * where there is one.  An account's password is its token, too.
 */
#ifndef TESTS_SERVER_SASL_H
#define TESTS_SERVER_SASL_H

#include <stdbool.h>

#include "tests/server/session.h"

/* Is NAME one of the mechanisms of --sasl? */
bool sasl_offered(const struct session *s, const char *name);

/* AUTH NAME, with the client's first message in base64 or NULL. */
void sasl_begin(struct session *s, const char *name, const char *initial);

/* The client's answer to the challenge. */
void sasl_answer(struct session *s, const char *line);

/* Forget an exchange that has not ended. */
void sasl_end(struct session *s);

#endif
