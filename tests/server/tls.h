/*
 * tls: the server's side of GnuTLS that all sessions share.
 *
 * Made once before the first fork, so that a session costs one handshake and
 * nothing else.
 */
#ifndef TESTS_SERVER_TLS_H
#define TESTS_SERVER_TLS_H

#include <gnutls/gnutls.h>

#include "tests/server/options.h"

struct tls_server;

/*
 * Credentials, priorities and ticket key as OPT says; writes --ca-out and
 * --cert-out.  NULL after a line on standard error.
 */
struct tls_server *tls_server_new(const struct options *opt);

void tls_server_free(struct tls_server *tls);

/*
 * A session ready for its handshake, without a transport: the caller sets
 * that, and ends the session with gnutls_deinit.  NULL on failure.
 */
gnutls_session_t tls_server_session(struct tls_server *tls);

#endif
