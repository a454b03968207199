/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_BASE_LIMITS_LOCAL_H
#define AGENT_BASE_LIMITS_LOCAL_H

/*
 * The bounds of what is on this machine: state, programs, destinations. A part
 * of limits.h, which includes it.
 */

/* A million UIDs of another program, all of them escaped. */
#define LIMIT_IMPORTED		(256 << 20)

/* Ledger: one line, with a UID of LIMIT_UID bytes all of them escaped, and
 * a path of PATH_MAX. */
#define LIMIT_LEDGER_LINE	(16 * 1024)

/* What is remembered of an account: a TLS ticket and a few lines fit. */
#define LIMIT_MEMORY_FILE	(64 * 1024)

/* MDA: its last words for the log, and the time it has. */
#define LIMIT_MDA_OUTPUT	1024
/* Arguments that are filled in: words, and bytes; a sender among them (RFC 5321
 * allows a path of 256, its brackets counted). */
#define LIMIT_SENDER		254
#define LIMIT_MDA_WORDS		64
#define LIMIT_MDA_ARGUMENTS	8192
#define LIMIT_MDA_MS		300000
#define LIMIT_MDA_TERM_MS	5000
/* After so much output it waits to be read, so that no flood keeps us busy. */
#define LIMIT_MDA_FLOOD		(1 << 20)
#define LIMIT_MDA_REST_MS	5

/* Disk space that fetching leaves alone, so that other programs, and our own
 * ledger, can still write. */
#define LIMIT_DISK_RESERVE	(64ull << 20)

/* How long another program may hold an mbox before we try again later. */
#define LIMIT_MBOX_LOCK_MS	30000
/* A dotlock of another program that is this old is stale. */
#define LIMIT_DOTLOCK_STALE_S	300
/* A worker whose parent was killed needs a moment to notice and let go. */
#define LIMIT_ACCOUNT_LOCK_MS	700
/* Folders within folders of a Maildir, as deep as a message is looked for
 * there: nobody files deeper, and a circle of mounts ends. */
#define LIMIT_MAILDIR_DEPTH	16

#endif
