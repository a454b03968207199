/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/auth.h"

#include "config/config.h"
#include "config/fields.h"

const char *config_auth_name(enum auth_mech mech)
{
	return auth_names[mech];
}

enum auth_need config_auth_need(enum auth_mech mech)
{
	switch (mech) {
	case AUTH_GSSAPI:
		return NEEDS_TICKET;
	case AUTH_EXTERNAL:
		return NEEDS_CERTIFICATE;
	case AUTH_OAUTHBEARER:
	case AUTH_XOAUTH2:
		return NEEDS_TOKEN;
	default:
		return NEEDS_PASSWORD;
	}
}

static bool has(const struct account *account, enum auth_need need)
{
	bool automatic = account->auth_count == 0;
	bool secret = account->password.kind != SECRET_NONE
		|| account->token.kind != SECRET_NONE;

	switch (need) {
	case NEEDS_PASSWORD:
		return account->password.kind != SECRET_NONE;
	case NEEDS_TOKEN:
		return account->token.kind != SECRET_NONE;
	case NEEDS_CERTIFICATE:
		if (automatic)
			return account->client_cert != NULL && !secret;
		/* Behind these somebody else may know who we are. */
		return account->client_cert != NULL || account->tunnel != NULL
			|| account->socket != NULL;
	case NEEDS_TICKET:
		/* Whether there is a ticket, and whose, only the attempt
		 * shows: it must be wanted. */
		return !automatic;
	}
	return false;
}

bool config_auth_possible(const struct account *account, enum auth_mech mech)
{
	size_t i;

	if (!has(account, config_auth_need(mech)))
		return false;
	/* MD5 makes APOP a way to steal passwords (RFC 6151). */
	if (account->auth_count == 0)
		return mech != AUTH_APOP;
	for (i = 0; i < account->auth_count; i++)
		if (account->auth[i] == mech)
			return true;
	return false;
}
