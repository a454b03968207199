/*
 * eventlog: what happened, one line an event, for the tests to read.
 *
 *	SECONDS.MICROS CONNECTION USER EVENT...
 *
 * CONNECTION counts from 1 over the server's life, USER is `-' before login.
 * Each line is one write(2) to a file opened with O_APPEND, so the sessions
 * may share the file.  Bytes outside printable ASCII appear as \xNN, and a
 * backslash as \\.  The events:
 *
 *	connect ADDR PORT		a client came
 *	tls VERSION full|resumed SNI	a handshake ended well (SNI may be `-')
 *	tls-failed TEXT			or did not
 *	command LINE			exactly as received, without CRLF
 *	data LINE			the answer to a SASL challenge
 *	bare-lf				that line had no CR
 *	fault RULE			a rule of the script plays now
 *	silent				and now the client waits in vain
 *	reply LINE			a status line went out
 *	lost LINE			it would have, but a fault held it back
 *	login NAME MESSAGES		a maildrop is open
 *	sent FILE OCTETS		a whole message left in answer to RETR
 *	deleted FILE			unlinked in the UPDATE state
 *	kept FILE			could not be unlinked
 *	violation TEXT			the client broke the protocol
 *	error TEXT			of the socket or of TLS
 *	disconnect WHY IN OUT		quit eof error fault idle violation; octets
 */
#ifndef TESTS_SERVER_EVENTLOG_H
#define TESTS_SERVER_EVENTLOG_H

#include <stdbool.h>
#include <stddef.h>

struct eventlog {
	int fd;			/* -1: no log is kept */
	unsigned long connection;
	const char *user;	/* NULL before login */
};

/*
 * Open PATH for appending; NULL makes a log that keeps nothing.  False after
 * a line on standard error.
 */
bool eventlog_open(struct eventlog *log_r, const char *path);

/* One event, formatted.  EVENT lines are cut at 1,000 characters. */
void eventlog_event(const struct eventlog *log, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* One event with LEN bytes of any kind after WORD, never cut. */
void eventlog_bytes(const struct eventlog *log, const char *word, const char *bytes, size_t len);

#endif
