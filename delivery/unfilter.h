/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DELIVERY_UNFILTER_H
#define DELIVERY_UNFILTER_H

#include "delivery/filter.h"
#include "delivery/stage.h"

/*
 * A staged message back as it came from the wire: what filter.h has done to it
 * is undone, so that it can be staged again for a destination of another kind.
 */

struct unfilter;

struct unfilter *unfilter_new(void);
void unfilter_free(struct unfilter *u);

/* The item is open and was staged in this form. The source ends after
 * item->size bytes of message, with LF line ends, which go out as CRLF.
 * ERR_RETRY, or ERR_MSG when it is not such a message. */
struct source *unfilter_start(struct unfilter *u, const struct item *item,
	struct filter_options form) MUST_USE;

#endif
