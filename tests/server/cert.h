/*
 * cert: throw-away keys and certificates, made in a millisecond or two.
 *
 * A certificate authority (ECDSA P-256) signs one server certificate for a
 * name and for 127.0.0.1 and ::1; what the client should trust comes along.
 * The defective kinds are defective in exactly one way.
 */
#ifndef TESTS_SERVER_CERT_H
#define TESTS_SERVER_CERT_H

#include <stdbool.h>

#include "tests/server/options.h"

struct cert_bundle {
	char *key;		/* the server's private key, PEM */
	char *cert;		/* its certificate, PEM */
	char *ca;		/* what a client should trust, PEM */
};

/*
 * Make a bundle, or take it from CACHE (a directory, or NULL) if one of the
 * same FAULT and NAME and of the last 180 days is there.  CERT_SELF_SIGNED
 * and CERT_UNKNOWN_CA hand out a CA that signed nothing.  False after a line
 * on standard error.
 */
bool cert_get(const char *cache, enum cert_fault fault, const char *name,
	      struct cert_bundle *b_r);

void cert_free(struct cert_bundle *b);

#endif
