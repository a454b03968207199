/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_STATUS_STATUS_H
#define AGENT_STATUS_STATUS_H

#include <stdio.h>

#include "agent/state/ledger/ledger.h"
#include "agent/state/memory.h"
#include "config/config.h"

/*
 * How the accounts fare: from their files, which need no daemon, and from the
 * daemon if one runs. Nothing is changed and no network is touched.
 */

/* Below so many days of a certificate a person is warned. */
#define STATUS_CERT_DAYS 14

/* What a daemon says of an account; an empty state if it does not know it. */
struct status_task {
	char state[12];			/* waiting ready running held paused */
	int64_t next;			/* poll, seconds since 1970, or 0 */
};

struct status_daemon {
	uint64_t pid;			/* 0: none runs */
	int64_t since;
	struct status_task *tasks;	/* of the configuration's accounts */
};

/* What the ledger holds. */
struct status_tally {
	size_t kept, gone, open, failed;
	int64_t last;			/* delivery, or 0 */
};

struct status_account {
	const struct account *account;
	const struct status_task *task;	/* NULL: no daemon knows it */
	struct memory memory;
	const struct ledger *ledger;	/* NULL: nothing was fetched yet */
	struct status_tally tally;
};

/* Asks the daemon that listens at `control`, or with NULL at the usual place.
 * Without an answer there is none, whatever the reason. */
void status_ask(const struct config *config, const char *control,
	struct status_daemon *daemon_r);
/* Frees what is in it. */
void status_forget(struct status_daemon *daemon);

/* Reads what there is of an account; the ledger is the caller's to close. */
void status_gather(const struct config *config, const struct account *account,
	const struct status_daemon *daemon, const struct ledger *ledger,
	struct status_account *status_r);

/* Was it refused, or not handed over, so that a person may have to act? */
bool status_set_aside(const struct ledger_entry *entry);
/* Whole days until the certificate expires, negative after that. False if
 * nothing is known of one. */
bool status_cert_days(const struct outcome *outcome, int64_t now,
	int64_t *days_r);

/* For people, for programs (one JSON object), for OpenMetrics. The last needs
 * account and memory only; `n` accounts are one exposition. */
void status_print_text(FILE *out, const struct status_account *status);
void status_print_json(FILE *out, const struct status_account *status);
void status_print_metrics(FILE *out, const struct status_account *list,
	size_t n);

/* Puts the metrics of all enabled accounts into a file in one step, for the
 * textfile collector of the node exporter; everybody may read it. */
bool status_write_metrics(const struct config *config, const char *path,
	struct err *err) MUST_USE;

#endif
