/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_IMPORT_IMPORT_H
#define AGENT_IMPORT_IMPORT_H

#include <stdio.h>

#include "agent/base/arena.h"
#include "agent/base/err.h"
#include "agent/state/imported.h"

/*
 * Moving in from another program: its configuration and its list of fetched
 * messages, read and turned into ours. Whatever it set that we have no like of
 * is told, with what is done instead; certificates are always checked.
 *
 * Everything lives in `arena`. Nothing is written, and no program is run.
 */

/* A key and its value, in YAML. */
struct import_setting {
	const char *key, *value;
	struct import_setting *next;
};

struct import_account {
	const char *name;		/* a legal and single one */
	const char *host, *user;	/* as the program knows them */
	uint64_t port;			/* 0: it did not say */
	struct import_setting *settings, **last;
	struct imported seen;		/* count 0: nothing is known */
	struct import_account *next;
};

struct import {
	struct arena *arena;
	const char *program;
	const char *file;		/* that is being read */
	struct import_account *accounts, **last;
	size_t count;
	size_t remarks;
	/* Told at once: "FILE:LINE: text", or without a line where it is 0. */
	void (*tell)(const char *text);
};

/* Reads the program's configuration at `path`, or where it is usually, and the
 * lists of fetched messages that it names. ERR_CONFIG for an unknown program,
 * for one that is running, or for a file that cannot be read or understood. */
bool import_read(struct import *im, const char *program, const char *path,
	struct err *err) MUST_USE;

/* The accounts, as a configuration file; the caller frees it. */
char *import_config(const struct import *im);

/* The names of the programs, as "fetchmail, mpop". */
const char *import_programs(void);

#endif
