/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DELIVERY_SENDER_H
#define DELIVERY_SENDER_H

#include <stdbool.h>

#include "agent/base/err.h"
#include "agent/base/limits.h"

/*
 * Whom a message is from, as the server that took it in wrote it down: the
 * first Return-Path of its header (RFC 5321 section 4.4). It goes into the
 * arguments and the environment of programs, and where a server writes none,
 * whoever sent the message may have chosen it. So it is one of
 *
 *	a plain address, user@host
 *	"" for the empty sender <> of a bounce
 *	"-" when nobody knows, which is also what all else becomes.
 */

#define SENDER_UNKNOWN "-"

struct item;

/* Is the text one of these? A plain address is at most LIMIT_SENDER letters,
 * digits and !#%*+-.=?^_~ with one @ between; it begins with a letter, a digit
 * or _, so that it is no option. No blank, quote, slash, $, & or other byte is
 * in it with which a careless script could be made to do something else. */
bool sender_valid(const char *text);

/* Reads the sender of a staged message, whose file is open. Errors as
 * stage_read(). */
bool sender_read(const struct item *item, char sender_r[LIMIT_SENDER + 1],
	struct err *err) MUST_USE;

#endif
