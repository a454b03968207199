/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONFIG_ACCOUNT_H
#define CONFIG_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/auth.h"

/*
 * One account as the rest of the program sees it; see config.h.
 */

enum tls_mode { TLS_IMPLICIT, TLS_STARTTLS, TLS_NONE };

/* What tells that it is the right server: certificates up to a trusted one,
 * the pinned key, or both. After loading never TRUST_AUTO. */
enum trust_kind { TRUST_AUTO, TRUST_CHAIN, TRUST_PIN, TRUST_BOTH };

enum keep_kind { KEEP_ALWAYS, KEEP_NEVER, KEEP_FOR };

struct keep {
	enum keep_kind kind;
	uint64_t seconds;		/* KEEP_FOR: counted from delivery */
};

enum deliver_kind { DELIVER_NONE, DELIVER_MAILDIR, DELIVER_MBOX,
	DELIVER_PIPE };

struct deliver {
	enum deliver_kind kind;
	const char *path;		/* Maildir, mbox */
	const char *const *argv;	/* pipe, NULL-terminated */
	bool gzip;			/* compress: gzip */
};

/* 0 means no limit. */
struct account_limits {
	uint64_t message;		/* bytes; larger ones stay on the server */
	uint64_t messages;		/* fetched in one pass */
	uint64_t bytes;			/* fetched in one pass */
};

/* Seconds. Each is the longest silence or the longest state. */
struct account_timeouts {
	uint64_t connect, tls, greeting, command, login, body, quit, session;
};

/* A SOCKS 5 proxy. */
struct proxy {
	const char *host;		/* NULL: none */
	uint64_t port;
	const char *user, *password;	/* NULL: none */
};

/* What the owner of an account that cannot be polled is told. */
struct notice {
	uint64_t after;			/* seconds that it has failed */
	bool mail;			/* by a message to its destination */
};

/* Programs run at an event; NULL-terminated argvs, or NULL. */
struct account_hooks {
	const char *const *mail;	/* after a pass that delivered */
	const char *const *failing;	/* when it has failed for a while */
	const char *const *recovered;	/* when it works again after that */
};

struct account {
	const char *name;		/* [A-Za-z0-9_@+-][A-Za-z0-9._@+-]*, a safe file name */
	bool enabled;
	const char *host;
	uint64_t port;			/* filled in from tls when not given */
	enum tls_mode tls;
	const char *tls_name;		/* name in the certificate; default host */
	const char *ca_file;		/* NULL: the system's trust store */
	const char *const *pin;		/* "sha256:BASE64" of the public key, or NULL */
	enum trust_kind trust;
	/* Files or pkcs11: URIs, both or none. */
	const char *client_cert, *client_key;
	const char *priority;		/* GnuTLS priority string, or NULL */
	bool accept_plaintext;		/* required with tls: none */
	/* The way to the server, where it is not a direct connection. */
	const char *const *tunnel;	/* a program, NULL-terminated, or NULL */
	struct proxy proxy;
	const char *socket;		/* a local socket, or NULL */
	const char *source_address;	/* numeric, or NULL */
	const char *user;
	struct secret_source password;	/* at most one of these two */
	struct secret_source token;	/* OAuth 2.0 access token */
	enum auth_mech auth[AUTH_MECHS];	/* in order of preference */
	size_t auth_count;		/* 0 means auto */
	struct keep keep;
	uint64_t interval, jitter;	/* seconds; for the daemon */
	struct deliver deliver;
	struct account_limits limits;
	struct account_timeouts timeouts;
	struct notice notice;
	struct account_hooks hooks;
};

#endif
