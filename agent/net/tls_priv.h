/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_NET_TLS_PRIV_H
#define AGENT_NET_TLS_PRIV_H

#include <gnutls/gnutls.h>
#include <sys/stat.h>

#include "agent/base/digest.h"
#include "agent/base/limits.h"
#include "agent/net/tls.h"

/*
 * What the files of TLS share: tls.c (the connection), tls_trust.c (what the
 * parent prepares), tls_cert.c (certificates and whether to trust them),
 * tls_ticket.c.
 */

/* "sha256:" and 32 bytes in base64. */
#define TLS_PIN 64

/* Trusted certificates, of the system or in a file. */
struct tls_store {
	char *path;
	struct stat stat;	/* of the file when it was read */
	struct digest digest;	/* differs if the certificates do */
	gnutls_certificate_credentials_t cred;
	int count;		/* certificates, or a negative GnuTLS error */
};

struct tls_trust {
	struct tls_store system;
	struct tls_store files[LIMIT_TRUST_FILES];
	size_t count;
	/* X25519 first, as a rule, and P-256. */
	gnutls_priority_t priority, p256;
};

/* The file, if it was loaded and has not changed since; or NULL. */
const struct tls_store *tls_trust_find(const struct tls_trust *trust,
	const char *ca_file);

/* What a ticket says beside what GnuTLS keeps in it. */
struct tls_note {
	int64_t full_at;	/* when the last full handshake was */
	int64_t expiry;		/* of the server's certificate; 0 unknown */
	/* The session was judged by `judge`, and that judgement holds until the
	 * first certificate expires; "" and 0 if it has to be judged again. */
	int64_t good_until;
	struct digest judge;
	int32_t group;		/* of the last key exchange */
};

struct tls {
	gnutls_session_t session;
	const struct net *net;
	const struct tls_options *options;	/* as long as tls_start() */
	gnutls_certificate_credentials_t own;	/* ca_file or client_cert */
	int trusted;		/* certificates in the store that is used */
	struct digest judge;	/* that store and GnuTLS; "" unknown */
	bool vouched;		/* by the ticket: not judged again */
	bool spoken;		/* the server's first bytes were TLS... */
	size_t clear_len;	/* ...or these */
	char clear[200];
	int failed;		/* what ended it, if that is not told yet */
	size_t ahead_at, ahead_end;	/* what is read ahead for GnuTLS */
	struct digest bond;	/* what its tickets are good for */
	struct tls_note note;	/* of the ticket that was used */
	char ahead[LIMIT_WIRE_BUFFER];
};

/* Is this the server that is meant? ERR_PROTO with what is wrong. */
bool tls_judge(const struct tls *tls, struct err *err) MUST_USE;
/* Must the server prove anew at each connection that its certificate has not
 * been revoked (RFC 7633)? */
bool tls_must_staple(const struct tls *tls);
/* How long tls_judge() would say the same of it; 0 if that cannot be told. */
int64_t tls_good_until(const struct tls *tls);

/* A ticket with its bond, the note and a checksum. */
bool tls_ticket_seal(const struct digest *bond, const struct tls_note *note,
	const void *data, size_t len, void *out, size_t cap, size_t *len_r);
/* Opens it at the time `now`; *data_r points into it. False when it is not to
 * be used. */
bool tls_ticket_open(const struct digest *bond, int64_t now,
	const void *ticket, size_t ticket_len, struct tls_note *note_r,
	const void **data_r, size_t *len_r);
/* Two connections may share tickets only if these are equal. */
struct digest tls_ticket_bond(const struct tls_options *options);
/* The ticket in the options, if it is good, and its note; or NULL. */
const void *tls_ticket_find(struct tls *tls, size_t *len_r);
/* Has the session been judged, by what it would be judged by now? */
bool tls_ticket_vouches(const struct tls *tls);

#endif
