/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONFIG_AUTH_H
#define CONFIG_AUTH_H

#include <stdbool.h>

/*
 * The ways to log in, what each needs of an account, and where its secret
 * comes from.
 */

struct account;

/* In the order `auth: auto` prefers them, as far as it takes them. */
enum auth_mech {
	AUTH_SCRAM_SHA_256_PLUS,
	AUTH_SCRAM_SHA_256,
	AUTH_SCRAM_SHA_1_PLUS,
	AUTH_SCRAM_SHA_1,
	AUTH_CRAM_MD5,
	AUTH_GSSAPI,
	AUTH_EXTERNAL,
	AUTH_OAUTHBEARER,
	AUTH_XOAUTH2,
	AUTH_PLAIN,
	AUTH_LOGIN,
	AUTH_USER,		/* USER and PASS, RFC 1939 */
	AUTH_APOP,		/* RFC 1939 too */
	AUTH_MECHS
};

/* What a way to log in needs of the account. */
enum auth_need { NEEDS_PASSWORD, NEEDS_TOKEN, NEEDS_CERTIFICATE, NEEDS_TICKET };

enum secret_kind { SECRET_NONE, SECRET_TEXT, SECRET_FILE, SECRET_COMMAND,
	SECRET_ENV, SECRET_CREDENTIAL, SECRET_NETRC, SECRET_PROMPT };

/* Where a password or token comes from; config/secret.h reads it. */
struct secret_source {
	enum secret_kind kind;
	const char *text;		/* the text, path, variable or name */
	const char *const *argv;	/* SECRET_COMMAND, NULL-terminated */
	bool prompt;			/* SECRET_PROMPT */
};

/* "scram-sha-256", "user", ... */
const char *config_auth_name(enum auth_mech mech);
enum auth_need config_auth_need(enum auth_mech mech);
/* May the account use it: is it in `auth`, or among those that auto stands for,
 * and does the account have what it needs? */
bool config_auth_possible(const struct account *account, enum auth_mech mech);

#endif
