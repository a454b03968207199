/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_PASS_PASS_H
#define AGENT_PASS_PASS_H

#include "agent/pass/session.h"
#include "agent/state/report.h"
#include "delivery/dest.h"

/*
 * One pass of one account, from the lock to QUIT: the only file that knows
 * POP3, the ledger and the destination together.
 */

/* What a person asked for on the command line. */
struct pass_options {
	bool baseline;			/* mark what is listed as seen */
	bool accept_new_state;		/* go on with a missing or old ledger */
	/* Nobody is there to be asked, and an account that another process
	 * works on is left to it, which is no error. */
	bool unattended;
	bool watched;			/* somebody is shown how far it is */
};

struct pass_env {
	struct session_options session;
	struct pass_options options;
	void *arg;
	/* Told how far the pass is; may be called often. */
	void (*progress)(void *arg, const struct report_progress *progress);
	/* See struct dest_env. */
	bool (*may_go_on)(void *arg, struct err *err);
	bool (*spawn)(void *arg, const char *epoch, struct item *item,
		const struct dest_run *run, int *status_r, char *output,
		size_t cap, struct err *err);
};

/* Runs it. The report says what was done and how it ended: classes as in
 * struct err; ERR_RETRY with ERR_CODE_BUSY when another process has the
 * account's lock, whose pid the text names. */
void pass_run(const struct pass_env *env, struct report *report_r);

/* "maildir:/home/jane/Mail", the ledger's name for an account's destination. */
void pass_dest_name(const struct account *account, char *out, size_t cap);

#endif
