/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_POP3_RECALL_H
#define AGENT_POP3_RECALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/digest.h"
#include "agent/base/limits.h"
#include "agent/pop3/reply.h"
#include "config/config.h"

/*
 * What one session learned that the next one of the same account need not ask
 * for again. It holds for one server reached in one safe way, for a day at
 * most. Whoever meets a surprise gives it up: for good if the server turns out
 * to be another one than it was, for a day if it is not, for then it cannot
 * take what it announces.
 */

struct recall {
	char key[DIGEST_LEN + 1];	/* what it holds for; recall_key() */
	int64_t learned;		/* seconds since 1970; 0: nothing */
	int64_t doubted;		/* when it led to a surprise; 0: never */
	/* The lines of CAPA, before and after the login: "TOP; SASL PLAIN". */
	char before[LIMIT_RECALL_CAPA], after[LIMIT_RECALL_CAPA];
	char mechanism[32];		/* that the login was done with */
	unsigned char ticket[LIMIT_TICKET + 1];	/* see tls_ticket(); a NUL */
	size_t ticket_len;
};

/* Names the server, the way there and the login of an account. */
struct digest recall_key(const struct account *account);
/* Is it of this account as it is configured now? Only then may the ticket be
 * used, which has more marks of its own (agent/net/tls.h). */
bool recall_fits(const struct recall *recall, const struct account *account);
/* Can nobody show another server to us? In the clear somebody may, to get a
 * password that the real one would not have been sent. */
bool recall_allowed(const struct account *account);
/* Does it fit, is that so, is it whole, neither too old nor in doubt? */
bool recall_holds(const struct recall *recall, const struct account *account,
	int64_t now);

/* It has led to a surprise: the ticket is given up with it. */
void recall_doubt(struct recall *recall, int64_t now);
bool recall_doubted(const struct recall *recall, int64_t now);

/* Everything but the doubt: who refuses what was not asked for, and the login
 * besides, would see two logins in each pass. */
void recall_forget(struct recall *recall);
/* Takes over what was learnt now; a doubt stays if it is nothing else. Keys
 * are those of `news`; its ticket is left out. */
void recall_renew(struct recall *recall, const struct recall *news,
	int64_t now);

/* Adds a line of CAPA to a text; one that does not fit or cannot be kept makes
 * the text useless, which an empty one says. */
void recall_add(char *text, size_t cap, const char *line, size_t len);
/* The capabilities of a text. */
void recall_capa(const char *text, struct capa *capa_r);

#endif
