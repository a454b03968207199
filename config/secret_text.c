/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/secret_priv.h"

#include <stdlib.h>
#include <string.h>

/*
 * A secret that is there already: in the configuration or in the environment.
 */

void secret_put(const char *text, struct secret *secret)
{
	secret->len = strnlen(text, SECRET_NEED);
	memcpy(secret->text, text, secret->len);
}

bool secret_from_text(const struct secret_source *source,
	const struct secret_query *query, struct secret *secret,
	struct err *err)
{
	(void)query;
	(void)err;
	secret_put(source->text, secret);
	return true;
}

bool secret_from_env(const struct secret_source *source,
	const struct secret_query *query, struct secret *secret,
	struct err *err)
{
	const char *value = getenv(source->text);

	(void)query;
	if (value == NULL)
		return err_set(err, ERR_CONFIG,
			"the environment variable %s is not set",
			source->text);
	secret_put(value, secret);
	return true;
}
