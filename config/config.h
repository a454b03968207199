/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/arena.h"
#include "agent/base/err.h"
#include "agent/base/log.h"
#include "config/account.h"

/*
 * The configuration as the rest of the program sees it: plain structs,
 * checked, with every default filled in. postrider.yaml(5) describes the
 * file; config/fields.c holds one row a key.
 */

struct config {
	const char *file;		/* the file that was read */
	const char *state;		/* absolute */
	uint64_t parallel;		/* passes at once */
	uint64_t per_host;		/* connections to one host at once */
	enum log_level log_level;
	enum log_format log_format;
	const char *log_to;		/* "stderr", "syslog" or a path */
	const char *metrics;		/* the daemon writes them here, or NULL */
	struct account *accounts;
	size_t count;
	/* Names of the environment variables that hold secrets, so that no
	 * child inherits them; NULL-terminated, never NULL. */
	const char *const *secret_env;
	/* What is no mistake but may lose mail, a line each as in
	 * config_report; NULL-terminated, never NULL. */
	const char *const *advice;
};

/* Called once for each mistake, with "file:line:column: accounts.work.port:
 * what is wrong and what would be right". The line is printable. */
typedef void config_report(void *arg, const char *line);

/* Reads the file at `path`, or with NULL the first that exists of
 * $XDG_CONFIG_HOME/postrider/config.yaml, ~/.config/postrider/config.yaml
 * and, for root, /etc/postrider/config.yaml. Every mistake is reported before
 * it returns. Nothing but files is touched. Strings live in `arena`.
 * ERR_CONFIG; its text counts the mistakes or says what could not be read. */
bool config_load(const char *path, struct arena *arena,
	config_report *report, void *arg, const struct config **config_r,
	struct err *err) MUST_USE;

/* The same from memory, for tests, fuzzing and files not yet written; `name`
 * stands for the file in marks. Nothing can be included, and no file's
 * permissions are judged. */
bool config_parse(const char *name, const char *data, size_t len,
	struct arena *arena, config_report *report, void *arg,
	const struct config **config_r, struct err *err) MUST_USE;

/* The account of that name, or NULL. */
const struct account *config_account(const struct config *config,
	const char *name);
/* The known account name nearest to a misspelt one, or NULL. */
const char *config_nearest_account(const struct config *config,
	const char *name);

const char *config_tls_name(enum tls_mode mode);

#endif
