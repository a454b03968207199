/*
 * conn: one client's connection, plain or in TLS, and what can be done to
 * its bytes.
 *
 * Output gathers in a buffer and leaves when that is full, when input is
 * awaited, or on conn_flush; so the answers to pipelined commands share
 * segments.  A limit (see struct limit) may stand on the output for the time
 * of one reply.  All calls block, at most the idle time; a client that is
 * gone turns every later call into nothing, and conn_alive tells.
 */
#ifndef TESTS_SERVER_CONN_H
#define TESTS_SERVER_CONN_H

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;
struct eventlog;

enum conn_line {
	LINE_OK,
	LINE_BARE_LF,		/* a line, but ended by LF alone */
	LINE_EOF,
	LINE_ERROR,
	LINE_IDLE,
	LINE_TOO_LONG
};

enum conn_end {
	END_POLITE,		/* close_notify in TLS, then FIN */
	END_FIN,		/* FIN alone, as after a crash of the server */
	END_RESET		/* RST */
};

/*
 * What happens to the bytes put while it stands.  During a handshake it
 * counts the server's bytes below TLS.
 */
struct limit {
	bool counted;		/* after LEFT bytes nothing more leaves */
	bool stall;		/* and conn waits until the client leaves */
	int64_t left;		/* below 0: all but the last -LEFT bytes leave */
	size_t piece;		/* not 0: flush after every PIECE bytes */
	uint64_t pause_us;	/* and wait that long */
};

/* Own the socket FD.  IDLE is in seconds.  NULL without memory. */
struct conn *conn_new(int fd, uint64_t idle);

/*
 * Tell LOG, which must stay, when nothing more comes although the client waits:
 * `silent', once, after all that was put has left.
 */
void conn_witness(struct conn *c, const struct eventlog *log);

/* Say goodbye as HOW, close, free. */
void conn_close(struct conn *c, enum conn_end how);

/* The client can still be reached and no limit has ended the output. */
bool conn_alive(const struct conn *c);

/* Why the client could not be reached any more, or NULL. */
const char *conn_error(const struct conn *c);

/*
 * Do the TLS handshake and speak TLS from here on; owns TLS.  Input that came
 * before it is forgotten.  NULL when it went well, else the reason.
 */
const char *conn_handshake(struct conn *c, gnutls_session_t tls);

/* The TLS session, or NULL in clear. */
gnutls_session_t conn_tls(const struct conn *c);

/*
 * The next line, without its end but with a NUL after it, valid until the
 * next call.  Flushes before it waits.
 */
enum conn_line conn_read_line(struct conn *c, char **line_r, size_t *len_r);

/* A whole line is here already. */
bool conn_has_line(const struct conn *c);

/* The client has sent more than was read, or does so within MS. */
bool conn_ahead(struct conn *c, int ms);

/* Forget all input that is here. */
void conn_drop_input(struct conn *c);

/* Send bytes.  False: they will never leave. */
bool conn_put(struct conn *c, const char *data, size_t n);

bool conn_flush(struct conn *c);

/* While muted, bytes put are forgotten. */
void conn_mute(struct conn *c, bool on);

/*
 * Keep a copy of what is put, up to 4 MiB; conn_repeat sends it once more and
 * ends the copy.
 */
void conn_copy(struct conn *c);
void conn_repeat(struct conn *c);

/* Set a limit; conn_unlimit ends it and plays an end that is still due. */
void conn_limit(struct conn *c, const struct limit *limit);
void conn_unlimit(struct conn *c);

/* Flush and wait; shorter when the client leaves. */
void conn_sleep(struct conn *c, uint64_t us);

/* Flush, and wait until there is a file at PATH or the client leaves. */
void conn_hold(struct conn *c, const char *path);

/* Send nothing more, read nothing more, wait until the client leaves. */
void conn_stall(struct conn *c);

/* Flush, then N key updates (TLS 1.3). */
void conn_key_update(struct conn *c, int64_t n);

/*
 * Flush, then TLS close_notify, or bytes below TLS; both also after a limit
 * has ended the output.
 */
void conn_notify(struct conn *c);
void conn_raw(struct conn *c, const char *data, size_t n);

/* Octets of the protocol in each direction so far. */
void conn_counts(const struct conn *c, uint64_t *in_r, uint64_t *out_r);

#endif
