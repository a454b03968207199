/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_NET_WIRE_H
#define AGENT_NET_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/clock.h"
#include "agent/base/err.h"
#include "agent/net/net.h"
#include "agent/net/tls.h"

/*
 * Lines and bytes over a connection, clear or TLS. Commands collect in a
 * buffer that leaves in one piece just before we wait for the server, so a
 * burst of commands is one packet and reading never waits for unsent ones.
 */

struct wire;

/* Called for every line of the dialogue, secrets masked; dir is 'C' or 'S'.
 * `text` is raw: escape before printing. */
typedef void wire_trace(void *arg, char dir, const char *text, size_t len);

/* `net` is taken over and closed by wire_free(). trace may be NULL. */
struct wire *wire_new(const struct net *net, wire_trace *trace, void *arg);
/* NULL is allowed. */
void wire_free(struct wire *wire);

/* From now on everything goes through TLS. ERR_PROTO if the server has sent
 * anything already: bytes read in the clear would be taken for trusted ones
 * (RFC 2595 section 2.1, CVE-2021-22947). */
bool wire_start_tls(struct wire *wire, const struct tls_trust *system,
	const struct tls_options *options, clock_ms deadline,
	struct err *err) MUST_USE;
/* NULL in the clear. */
struct tls *wire_tls(struct wire *wire);

/* All waits end here at the latest. */
void wire_deadline(struct wire *wire, clock_ms deadline);

/* Appends a command and CRLF. *len_r is its length on the wire. */
bool wire_put(struct wire *wire, const char *command, size_t *len_r,
	struct err *err) MUST_USE;
/* The same for a line that is or holds a secret; the trace shows `mask`. */
bool wire_put_secret(struct wire *wire, const char *line, const char *mask,
	struct err *err) MUST_USE;

/* These texts (NULL for none) become '*' in every line that comes in, before
 * anybody sees it. They must outlive their use; NULL ends it. */
void wire_hide(struct wire *wire, const char *first, const char *second);
/* The trace does not show what a challenge ("+ ...") says. */
void wire_veil(struct wire *wire, bool on);

/* The next line without its line end, valid until the next call. ERR_PROTO
 * beyond LIMIT_REPLY_LINE; ERR_RETRY when the connection ends. */
bool wire_line(struct wire *wire, const char **line_r, size_t *len_r,
	struct err *err) MUST_USE;

/* At least one byte, as many as are there; taken with wire_take(). */
bool wire_peek(struct wire *wire, const char **data_r, size_t *len_r,
	struct err *err) MUST_USE;
void wire_take(struct wire *wire, size_t len);

/* Is there input that nobody asked for? */
bool wire_has_input(struct wire *wire);

#endif
