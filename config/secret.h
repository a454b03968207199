/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONFIG_SECRET_H
#define CONFIG_SECRET_H

#include "agent/base/err.h"
#include "config/config.h"

/*
 * Reads a password at the moment it is needed, in the process that needs it.
 * The value never appears in a log, an error text, an argv or a child's
 * environment.
 */

struct secret {
	char *text;		/* NUL-terminated, locked memory where possible */
	size_t len;
};

/* `hide` names the environment variables a password command must not
 * inherit (NULL-terminated). One newline at the end of a file or of a
 * command's output is dropped; an empty value, or one that holds CR, LF or
 * NUL, is ERR_CONFIG. A command that fails is ERR_RETRY (the key ring may be
 * locked for now). Errors name the key and the source, never the value. */
bool secret_read(const struct secret_source *source, const char *const *hide,
	struct secret *secret_r, struct err *err) MUST_USE;

/* Wipes and frees; safe on a zeroed struct. */
void secret_wipe(struct secret *secret);

#endif
