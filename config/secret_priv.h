/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONFIG_SECRET_PRIV_H
#define CONFIG_SECRET_PRIV_H

#include "agent/base/limits.h"
#include "config/secret.h"

/*
 * The sources of secrets: each puts at most SECRET_NEED bytes into
 * secret->text and sets secret->len; what is too long is left to the caller
 * to find.
 */

/* The longest secret, its newline and a NUL. */
#define SECRET_NEED (LIMIT_SECRET + 2)

typedef bool secret_reader(const struct secret_source *source,
	const struct secret_query *query, struct secret *secret,
	struct err *err);

/* secret_text.c */
secret_reader secret_from_text, secret_from_env;
/* secret_file.c */
secret_reader secret_from_file, secret_from_credential;
/* secret_netrc.c, secret_prompt.c */
secret_reader secret_from_netrc, secret_from_prompt;

/* Text that ends with a NUL (secret_text.c). */
void secret_put(const char *text, struct secret *secret);

/* Opens a file with secrets in it, of which everybody but us and root must be
 * kept out; -1 with ERR_CONFIG and the command that mends it. */
int secret_open(const char *path, struct err *err) MUST_USE;
/* Reads to the end, or until `cap` bytes are there. */
bool secret_drain(int fd, const char *path, char *out, size_t cap,
	size_t *len_r, struct err *err) MUST_USE;

#endif
