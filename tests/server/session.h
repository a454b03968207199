/*
 * session: one POP3 session (RFC 1939, 2449, 2595, 5034), from the greeting
 * to the end of the connection.
 *
 * session.c reads commands and finds who carries them out: login.c those of
 * the AUTHORIZATION state, transaction.c the others.  fault.c puts the
 * script's doings around each.
 */
#ifndef TESTS_SERVER_SESSION_H
#define TESTS_SERVER_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/server/conn.h"
#include "tests/server/eventlog.h"
#include "tests/server/maildrop.h"
#include "tests/server/options.h"
#include "tests/server/script.h"
#include "tests/server/tls.h"

/* What all sessions share. */
struct service {
	const struct options *opt;
	struct tls_server *tls;		/* NULL without TLS */
	struct tally *tally;
	struct eventlog log;
};

struct session {
	const struct service *service;
	const struct options *opt;
	struct eventlog log;
	struct conn *conn;
	struct script *script;
	struct maildrop *drop;		/* NULL in the AUTHORIZATION state */
	char *claimed;			/* by USER, or NULL */
	bool secure;			/* TLS is up */
	bool start_tls;			/* handshake after this answer */
	bool sasl;			/* the next line answers a challenge */
	struct sasl *exchange;		/* of AUTH, or NULL */
	const char *why;		/* not NULL: the session ends, because */
	enum conn_end how;
};

typedef void session_verb(struct session *s, const char *arg);

/*
 * Serve the client of socket FD as number CONNECTION, whose address reads
 * PEER; returns when the connection is closed.
 */
void session_run(const struct service *service, int fd, unsigned long connection,
		 const char *peer);

/* Send and log a status line of LEN bytes, with its CRLF. */
void session_status(struct session *s, const char *line, size_t len);

/* Send "+OK TEXT". */
void session_ok(struct session *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Send "-ERR [CODE] TEXT"; CODE (RFC 2449, RFC 3206) may be NULL and is left
 * out when the server does not have RESP-CODES.
 */
void session_err(struct session *s, const char *code, const char *text);

/* Send a line that is not a status. */
void session_line(struct session *s, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Do the handshake; the session ends if it fails. */
void session_handshake(struct session *s);

/* The session ends after this answer. */
void session_end(struct session *s, const char *why, enum conn_end how);

#endif
