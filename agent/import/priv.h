/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_IMPORT_PRIV_H
#define AGENT_IMPORT_PRIV_H

#include <stdbool.h>

#include "agent/import/import.h"
#include "agent/import/import_text.h"

/* What the files of this room share. */

struct importer {
	const char *name;
	/* Where its configuration is, below the home directory; NULL ends. */
	const char *const places[3];
	bool (*read)(struct import *im, const char *path, struct err *err);
};

extern const struct importer import_fetchmail, import_mpop, import_getmail,
	import_fdm;

/* A new account with a legal name like `name`. */
struct import_account *import_add(struct import *im, const char *name,
	const char *host, const char *user);
/* Sets or replaces a key; `value` is YAML. */
void import_set(struct import *im, struct import_account *a, const char *key,
	const char *value);
/* The same for text of any kind. */
void import_set_text(struct import *im, struct import_account *a,
	const char *key, const char *text);
void import_set_number(struct import *im, struct import_account *a,
	const char *key, uint64_t number, const char *unit);
/* A program: `argv` ends with NULL. */
void import_set_pipe(struct import *im, struct import_account *a,
	const char *const *argv);
/* {KIND: PATH}; for maildir and mbox. */
void import_set_folder(struct import *im, struct import_account *a,
	const char *kind, const char *path);
/* A password program, run by a shell as the other program does. */
void import_set_password_command(struct import *im, struct import_account *a,
	const char *command);
/* How the connection is protected; port 0 is the usual one. */
enum import_tls { IMPORT_TLS, IMPORT_STARTTLS, IMPORT_PLAIN };
void import_set_server(struct import *im, struct import_account *a,
	enum import_tls tls, uint64_t port);

/* Was this message fetched? `uid` must last. */
void import_saw(struct import *im, struct import_account *a, const char *uid,
	size_t len);
/* Something has no counterpart: what is done instead. */
void import_remark(struct import *im, unsigned int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Is a program of that name running for this user? */
bool import_running(const char *program, long *pid_r);

#endif
