/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_NET_TLS_H
#define AGENT_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/clock.h"
#include "agent/base/err.h"
#include "agent/net/net.h"
#include "config/config.h"

/*
 * TLS (1.2 or later) with GnuTLS, over one connection. The server's identity
 * is known before a single byte of ours is sent, in a resumed session too;
 * nothing turns that off.
 */

struct tls;
struct tls_trust;

/* Where trust comes from and what is expected of the server. */
struct tls_options {
	const char *owner;		/* the account: tickets are its own */
	const char *name;		/* in the certificate, and for SNI */
	enum trust_kind trust;		/* not TRUST_AUTO */
	const char *ca_file;		/* PEM; NULL: the system's */
	const char *const *pin;		/* "sha256:BASE64" of the public key,
					 * NULL-terminated; NULL: none */
	const char *priority;		/* GnuTLS priority string, or NULL */
	const char *client_cert;	/* a file or pkcs11: URI, or NULL */
	const char *client_key;
	bool first;			/* TLS from the first byte, not after
					 * STLS; for the words of errors */
	const void *ticket;		/* of tls_ticket(), or NULL */
	size_t ticket_len;
};

/* The system's trust store and what else is the same for many sessions, loaded
 * once by the parent; every worker inherits it. With `load` false the store
 * stays empty: every account brings its own trust. Never NULL; an empty store
 * shows when a certificate is checked. */
struct tls_trust *tls_trust_new(bool load);
/* Loads a file of trusted certificates too, if there is room; one that cannot
 * be read, or is not what it was when it is needed, the session reads. */
void tls_trust_file(struct tls_trust *trust, const char *ca_file);
void tls_trust_free(struct tls_trust *trust);

/* Handshake and check. A resumed session is not checked again if it was by the
 * same certificates of authorities and the same GnuTLS, and none that was
 * looked at has expired since. ERR_PROTO when the server cannot be trusted: the text
 * says what is wrong with the certificate and what would mend it; ERR_CONFIG
 * for an unusable option; ERR_RETRY when the network fails. A ticket that is
 * damaged, too old, or of another account or other settings is not used. */
struct tls *tls_start(const struct net *net, const struct tls_trust *trust,
	const struct tls_options *options, clock_ms deadline,
	struct err *err) MUST_USE;

/* *len_r is 0 at an orderly end. An end without close_notify is ERR_RETRY:
 * somebody may have cut the connection. */
bool tls_read(struct tls *tls, char *buf, size_t cap, size_t *len_r,
	clock_ms deadline, struct err *err) MUST_USE;
bool tls_write(struct tls *tls, const char *data, size_t len,
	clock_ms deadline, struct err *err) MUST_USE;
/* Bytes that are here but not read. */
bool tls_pending(const struct tls *tls);

/* What ties a login to this very TLS connection, in base64: tls-exporter
 * (RFC 9266) with TLS 1.3, tls-unique (RFC 5929) with TLS 1.2 and an extended
 * master secret (RFC 7627). False if there is none. */
bool tls_channel_binding(struct tls *tls, char *out, size_t cap,
	bool *exporter_r);

/* Was a ticket used? */
bool tls_resumed(const struct tls *tls);
/* What makes the next handshake of this account a short one, at the end of a
 * session; it is as secret as a password. False when there is none, or it does
 * not fit; LIMIT_TICKET bytes are enough for any. A ticket of TLS 1.3 is used
 * once, and none lives longer than a day after a full handshake, so that a
 * server's new certificate is seen. */
bool tls_ticket(struct tls *tls, void *buf, size_t cap, size_t *len_r);

/* When the server's certificate expires, in seconds since 1970; 0 unknown. */
int64_t tls_expiry(const struct tls *tls);

/* Version, ciphers and application protocol in words. */
void tls_describe(const struct tls *tls, char *out, size_t cap);
/* "sha256:..." of the server's public key. */
void tls_pin(const struct tls *tls, char *out, size_t cap);

/* A certificate of the server's chain, in printable words. */
struct tls_cert {
	char names[320];		/* host names and addresses */
	char subject[160], issuer[160];
	char key[64];			/* "RSA 2048 bits, signed with ..." */
	char pin[64];			/* "sha256:..." */
	int64_t from, until;
};
/* Number `i`, the server's own is 0. False when there is no such one. */
bool tls_cert(const struct tls *tls, unsigned int i, struct tls_cert *cert_r);

/* Says goodbye if that costs no waiting; NULL is allowed. */
void tls_free(struct tls *tls);

/* The GnuTLS that runs, for --version. */
const char *tls_version(void);

#endif
