/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_PROC_H
#define AGENT_PROC_H

#include <sys/types.h>

#include "agent/chan.h"
#include "agent/pass.h"

/*
 * The processes of one account: its worker, and the MDA it has asked for. All
 * of it lives in a fixed slot; nothing is allocated while it runs. What comes
 * from a worker is checked: it has talked to a server.
 */

enum proc_state { PROC_IDLE, PROC_RUNNING, PROC_DONE };

struct proc {
	const struct account *account;
	enum proc_state state;
	pid_t pid;			/* worker, or 0 */
	int chan;			/* our end, or -1 */
	bool reported;			/* `report` has come */
	struct chan_report report;
	struct chan_progress progress;
	clock_ms started;
	clock_ms deadline;		/* it must be heard of before this */
	size_t host;			/* number of its host, for the scheduler */
	/* The MDA. */
	pid_t mda;			/* or 0 */
	int mda_output;			/* or -1 */
	clock_ms mda_deadline;
	bool mda_terminated;		/* TERM was sent, KILL comes next */
	size_t mda_len;
	char mda_text[LIMIT_MDA_OUTPUT];	/* the last of its output */
};

/* Puts a slot in order for an account. */
void proc_init(struct proc *proc, const struct account *account);

/* Starts a worker. `foreign` is for struct worker_start. */
bool proc_start(struct proc *proc, const struct session_options *session,
	const struct pass_options *options, const int *foreign, struct err *err) MUST_USE;

/* The channel is readable. */
void proc_read_channel(struct proc *proc);
/* The MDA's output is readable. */
void proc_read_output(struct proc *proc);
/* A child has ended; true if it was one of this slot's. The slot is PROC_DONE
 * when neither a worker nor an MDA is left. */
bool proc_reaped(struct proc *proc, pid_t pid, int status);
/* Time has passed: an MDA that is too slow gets TERM, then KILL; a worker
 * that is not heard of any more, KILL. */
void proc_tick(struct proc *proc);
/* When proc_tick() is next needed, or `otherwise`. */
clock_ms proc_next(const struct proc *proc, clock_ms otherwise);
/* Asks the worker to end. */
void proc_stop(struct proc *proc);

#endif
