/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_POP3_REPLY_H
#define AGENT_POP3_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/err.h"

/*
 * The lines a POP3 server sends, taken apart. Pure functions: bytes in,
 * structs out; what they return points into the line.
 */

enum reply_kind { REPLY_OK, REPLY_ERR, REPLY_CONTINUE, REPLY_BAD };

struct reply {
	enum reply_kind kind;
	const char *text;		/* behind the status word */
	size_t len;
	const char *code;		/* RFC 2449 response code, or NULL */
	size_t code_len;
};

/* "+OK", "-ERR" in any case; "+" alone or before a blank is REPLY_CONTINUE
 * (RFC 5034). */
void reply_parse(const char *line, size_t len, struct reply *reply_r);

/* Does the reply carry this response code, or one below it ("SYS" matches
 * "SYS/TEMP")? */
bool reply_has_code(const struct reply *reply, const char *code);

/* Turns a refusal into an error: response codes (RFC 2449, 3206) and the
 * words of servers that know none choose the class, else it is `class`. The
 * server's words are kept. Returns false. */
bool reply_refused(const struct reply *reply, enum err_class class,
	const char *what, struct err *err);

/* The timestamp of a greeting (RFC 1939, APOP), angle brackets included: the
 * only "<" and ">" in it, one "@" between them, and nothing but printable
 * ASCII without blanks. Anything else may have been made to find out the
 * password (RFC 6151, CVE-2007-1558): false. */
bool reply_timestamp(const char *text, size_t len, const char **stamp_r,
	size_t *len_r);

/* "1 1205" of LIST and STAT; anything behind a blank is ignored. A missing or
 * unreadable size is 0: it is only a hint (RFC 1939 lets it be inexact). */
bool reply_list(const char *line, size_t len, uint64_t *number_r,
	uint64_t *size_r);
/* "1 UID" of UIDL, blanks around the UID dropped; it may be empty. */
bool reply_uidl(const char *line, size_t len, uint64_t *number_r,
	const char **uid_r, size_t *uid_len_r);

/* What CAPA announced (RFC 2449). */
struct capa {
	bool known;			/* the server answered CAPA */
	bool top, uidl, user, pipelining, stls, resp_codes, auth_resp_code;
	bool sasl;
	char sasl_list[512];		/* mechanisms, upper case, printable,
					 * blanks around */
	char implementation[128];	/* escaped */
	char expire[32], login_delay[32];	/* escaped; "" if absent */
};

void reply_capa(const char *line, size_t len, struct capa *capa);
bool capa_has_sasl(const struct capa *capa, const char *mechanism);
/* Seconds between two logins that the server demands (LOGIN-DELAY); 0 if it
 * says nothing that makes sense. */
uint32_t capa_login_delay(const struct capa *capa);
/* Does it delete messages by itself (EXPIRE), and after how many days at the
 * earliest? */
bool capa_expires(const struct capa *capa, uint64_t *days_r);

#endif
