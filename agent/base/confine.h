/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_BASE_CONFINE_H
#define AGENT_BASE_CONFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/err.h"

/*
 * A process gives up what it will not need, for good, before it reads what a
 * stranger sends. Who may what is the caller's to say; here is how: limits,
 * no_new_privs, a list of system calls (seccomp) and one of files, ports and
 * signals (Landlock) on Linux, pledge and unveil on OpenBSD.
 *
 * A call that is not allowed fails and does nothing else: should a list be
 * wrong, a pass ends with an error that says so, and no half of it is lost as
 * with a process that is killed.
 */

enum confine_part {
	CONFINE_PRIVS = 1,	/* no program gives it more rights */
	CONFINE_CALLS = 2,	/* system calls */
	CONFINE_FILES = 4,	/* files; rename between folders works */
	CONFINE_PORTS = 8,	/* TCP ports */
	CONFINE_SIGNALS = 16,	/* signals and abstract sockets of others */
};
/* Without these it would be confined in name only. */
#define CONFINE_NEEDED (CONFINE_PRIVS | CONFINE_CALLS | CONFINE_FILES)

/* What it needs of the network and of libraries. */
enum confine_kind {
	CONFINE_TCP,		/* connections to `ports` */
	CONFINE_LOCAL,		/* connections to local sockets */
	/* Libraries that load others and ask services of the system: name
	 * lookup, Kerberos, PKCS #11. Still no program, no signal. */
	CONFINE_LIBRARY,
	CONFINE_KINDS
};

enum confine_use {
	CONFINE_READ,		/* a file, or all below a folder */
	CONFINE_CHANGE,		/* a file: read and write it */
	/* What is in a folder can be made, written and removed, not read:
	 * what else is there stays private, if `CONFINE_READ` is not said. */
	CONFINE_BESIDE,
	CONFINE_OWN,		/* all below a folder, and all of it */
};

#define CONFINE_PATHS 40
#define CONFINE_TCP_PORTS 4

struct confine_rules {
	enum confine_kind kind;
	/* Missing ones are none: they cannot be made. */
	struct {
		const char *path;
		enum confine_use use;
	} paths[CONFINE_PATHS];
	size_t path_count;
	uint16_t ports[CONFINE_TCP_PORTS];
	size_t port_count;		/* 0: any port */
	uint64_t cpu_s;			/* 0: no limit; from now on */
};

/* Adds a path; NULL adds nothing. */
void confine_path(struct confine_rules *rules, const char *path,
	enum confine_use use);
void confine_port(struct confine_rules *rules, uint64_t port);

/* What this program and this system can do: of enum confine_part. */
unsigned int confine_can(void);
/* In words: "no_new_privs, system calls, files". */
const char *confine_text(char *out, size_t cap, unsigned int parts);

/* The lists of system calls are made here once, for all processes that are
 * forked after it; else each makes its own. */
void confine_prepare(void);

/* Confines this process, to be called once in it. ERR_RETRY if something that
 * the system can do has failed: then it must not go on. */
bool confine_now(const struct confine_rules *rules, struct err *err) MUST_USE;
/* Has confine_now() succeeded here? */
bool confine_is_on(void);

#endif
