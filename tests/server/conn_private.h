/*
 * conn_private: what conn.c (socket, input, end), conn_output.c (output and
 * its limits) and conn_tls.c share.  For nobody else.
 */
#ifndef TESTS_SERVER_CONN_PRIVATE_H
#define TESTS_SERVER_CONN_PRIVATE_H

#include "tests/server/conn.h"

enum {
	IN_SIZE = 24576,	/* the longest command line; tokens reach 12 KiB */
	OUT_SIZE = 65536,
	RAW_SIZE = OUT_SIZE + 4096	/* the same with TLS records around it */
};

struct conn {
	int fd;
	gnutls_session_t tls;
	bool shaking;		/* the handshake is under way */
	bool gone;		/* the client is, or a limit ended the output */
	bool owing;		/* commands were dropped that get no answer */
	const struct eventlog *log;	/* hears when it falls silent; NULL: told */
	const char *error;	/* the first that the socket or TLS had, or NULL */
	bool muted;
	bool limited;
	struct limit limit;
	char *held;		/* the last bytes, for a limit below 0 */
	size_t held_len;
	size_t in_piece;	/* bytes since the last flush of a limit */
	char *copy;
	size_t copy_len;
	bool copying;
	uint64_t in_count, out_count;
	size_t in_start, in_end, out_len, raw_len;
	char in[IN_SIZE + 1];
	char out[OUT_SIZE];
	char raw[RAW_SIZE];
};

/* The client cannot be reached any more, because of ERROR. */
void conn_lose(struct conn *c, const char *error);

/*
 * Below TLS: to the buffer, from the buffer to the socket, straight to the
 * socket.  False when the client is gone.
 */
bool conn_raw_append(struct conn *c, const char *data, size_t n);
bool conn_raw_flush(struct conn *c);
bool conn_send(struct conn *c, const char *data, size_t n);

/* Wait for US microseconds, or less when the client leaves. */
void conn_nap(const struct conn *c, uint64_t us);
void conn_wait_until_left(const struct conn *c);

/* From here on the client waits in vain. */
void conn_tell_silence(struct conn *c);

/* Put bytes under the limit that stands. */
bool conn_put_limited(struct conn *c, const char *data, size_t n);

#endif
