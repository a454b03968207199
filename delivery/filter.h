/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DELIVERY_FILTER_H
#define DELIVERY_FILTER_H

#include "delivery/pump.h"

/*
 * The sinks between the wire and a staged file. A chain is made once for a
 * destination and used for one message after another:
 *
 *	eol -> [mboxrd] -> [gzip] -> file
 *
 * eol turns the wire's CRLF into LF and touches no other byte: bare CR, bare
 * LF, NUL and 8-bit pass. At the end it may add an LF that is missing: some
 * programs do it themselves and then misstate the size, or store nothing of an
 * empty message. mboxrd puts '>' before every line that matches
 * ^>*From and space, which a reader can undo exactly. gzip makes one complete
 * member a message (RFC 1952), so members can follow one another in a file.
 */

struct filter_chain;

struct filter_options {
	bool mboxrd;
	bool gzip;
	bool final_lf;		/* the last line ends, also that of no line */
};

struct filter_chain *filter_new(const struct filter_options *options);
void filter_free(struct filter_chain *chain);

/* Starts a message that is written to fd (kept open; `what` names it in
 * errors and must stay valid). `lead` is put before the message without
 * filtering and, with mboxrd, `trail` after it; both may be "". Returns the
 * first sink. */
struct sink *filter_start(struct filter_chain *chain, int fd, const char *what,
	const char *lead, const char *trail, struct err *err) MUST_USE;

/* After finish: bytes of the message with LF line ends (without lead, trail
 * and quoting, nor an LF that was added), and bytes in the file. */
uint64_t filter_size(const struct filter_chain *chain);
uint64_t filter_stored(const struct filter_chain *chain);

#endif
