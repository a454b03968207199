/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_POP3_TLS_H
#define AGENT_POP3_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/clock.h"
#include "agent/base/err.h"
#include "agent/pop3/net.h"

/*
 * TLS (1.2 or later) with GnuTLS, over one connection. The server's identity
 * is checked before a single byte of ours is sent; nothing turns that off
 * except a pin, which is stronger.
 */

struct tls;
struct tls_trust;

/* Where trust comes from and what is expected of the server. */
struct tls_options {
	const char *name;		/* in the certificate, and for SNI */
	const char *ca_file;		/* PEM; NULL: `system` */
	const char *const *pin;		/* "sha256:BASE64" of the public key,
					 * NULL-terminated; NULL: none. A match
					 * replaces the check of chain and name. */
	const char *priority;		/* GnuTLS priority string, or NULL */
};

/* The system's trust store, loaded once by the parent; every worker inherits
 * it. With `load` false it stays empty: every account brings its own trust.
 * Never NULL; an empty store shows when a certificate is checked. */
struct tls_trust *tls_trust_new(bool load);
void tls_trust_free(struct tls_trust *trust);

/* Handshake and check. ERR_PROTO when the server cannot be trusted: the text
 * says what is wrong with the certificate and what would mend it; ERR_CONFIG
 * for an unusable option; ERR_RETRY when the network fails. */
struct tls *tls_start(const struct net *net, const struct tls_trust *system,
	const struct tls_options *options, clock_ms deadline,
	struct err *err) MUST_USE;

/* *len_r is 0 at an orderly end. An end without close_notify is ERR_RETRY:
 * somebody may have cut the connection. */
bool tls_read(struct tls *tls, char *buf, size_t cap, size_t *len_r,
	clock_ms deadline, struct err *err) MUST_USE;
bool tls_write(struct tls *tls, const char *data, size_t len,
	clock_ms deadline, struct err *err) MUST_USE;

/* Protocol, cipher and certificate in words, for probe and --trace. */
void tls_describe(struct tls *tls, char *out, size_t cap);
/* What ties a login to this very TLS connection, in base64: tls-exporter
 * (RFC 9266) with TLS 1.3, tls-unique (RFC 5929) with TLS 1.2 and an extended
 * master secret (RFC 7627). False if there is none. */
bool tls_channel_binding(struct tls *tls, char *out, size_t cap,
	bool *exporter_r);
/* "sha256:..." of the server's public key. */
void tls_pin(struct tls *tls, char *out, size_t cap);

/* Says goodbye if that costs no waiting; NULL is allowed. */
void tls_free(struct tls *tls);

/* The GnuTLS that runs, for --version. */
const char *tls_version(void);

#endif
