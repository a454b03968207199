/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_POP3_RECALL_H
#define AGENT_POP3_RECALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/limits.h"
#include "agent/pop3/reply.h"
#include "config/config.h"

/*
 * What one session learned that the next one of the same account need not ask
 * for again. It holds for one server reached in one way, for a day at most, and
 * whoever meets a surprise forgets it.
 */

struct recall {
	char key[72];			/* what it holds for; recall_key() */
	int64_t learned;		/* seconds since 1970; 0: nothing */
	/* The lines of CAPA, before and after the login: "TOP; SASL PLAIN". */
	char before[LIMIT_RECALL_CAPA], after[LIMIT_RECALL_CAPA];
	char mechanism[32];		/* that the login was done with */
	unsigned char ticket[LIMIT_TICKET];	/* see tls_ticket() */
	size_t ticket_len;
};

/* Names the server, the way there and the login of an account. */
void recall_key(const struct account *account, char *out, size_t cap);
/* Is it of this account as it is configured now, not too old, and whole? The
 * ticket has its own marks (tls.h). */
bool recall_holds(const struct recall *recall, const struct account *account,
	int64_t now);

/* Adds a line of CAPA to a text; one that does not fit or cannot be kept makes
 * the text useless, which an empty one says. */
void recall_add(char *text, size_t cap, const char *line, size_t len);
/* The capabilities of a text. */
void recall_capa(const char *text, struct capa *capa_r);

#endif
