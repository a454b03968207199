/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_POP3_TLS_PRIV_H
#define AGENT_POP3_TLS_PRIV_H

#include <gnutls/gnutls.h>

#include "agent/base/limits.h"
#include "agent/pop3/tls.h"

/*
 * What the files of TLS share: tls.c (the connection), tls_cert.c
 * (certificates and whether to trust them), tls_ticket.c.
 */

/* "sha256:" and 32 bytes in base64. */
#define TLS_PIN 64

struct tls_trust {
	gnutls_certificate_credentials_t cred;
	int count;		/* certificates, or a negative GnuTLS error */
};

struct tls {
	gnutls_session_t session;
	const struct net *net;
	const struct tls_options *options;	/* as long as tls_start() */
	gnutls_certificate_credentials_t own;	/* ca_file or client_cert */
	int trusted;		/* certificates in the store that is used */
	bool spoken;		/* the server's first bytes were TLS... */
	size_t clear_len;	/* ...or these */
	char clear[200];
	size_t ahead_at, ahead_end;	/* what is read ahead for GnuTLS */
	char ahead[LIMIT_WIRE_BUFFER];
	struct digest bond;	/* what its tickets are good for */
	int64_t full_at;	/* when the last full handshake was */
};

/* Is this the server that is meant? ERR_PROTO with what is wrong. */
bool tls_judge(const struct tls *tls, struct err *err) MUST_USE;
/* Must the server prove anew at each connection that its certificate has not
 * been revoked (RFC 7633)? */
bool tls_must_staple(const struct tls *tls);

/* A ticket with its bond, the time of the full handshake and a checksum. */
bool tls_ticket_seal(const struct digest *bond, int64_t full_at,
	const void *data, size_t len, void *out, size_t cap, size_t *len_r);
/* Opens it at the time `now`; *data_r points into it. False when it is not to
 * be used. */
bool tls_ticket_open(const struct digest *bond, int64_t now,
	const void *ticket, size_t ticket_len, int64_t *full_at_r,
	const void **data_r, size_t *len_r);
/* Two connections may share tickets only if these are equal. */
struct digest tls_ticket_bond(const struct tls_options *options);
/* Hands the ticket in the options, if it is good, to the session. */
void tls_ticket_use(struct tls *tls);

#endif
