/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_PARENT_PROC_H
#define AGENT_PARENT_PROC_H

#include "agent/parent/chan.h"
#include "agent/parent/hook.h"
#include "agent/parent/mda.h"
#include "agent/pass/pass.h"

/*
 * The processes of one account: its worker, the MDA that it asks for, and at
 * the end a hook. All of it lives in a fixed slot; nothing is allocated while
 * it runs. What comes from a worker is checked: it has talked to a server.
 */

enum proc_state { PROC_IDLE, PROC_RUNNING, PROC_DONE };

struct proc {
	const struct account *account;
	enum proc_state state;
	pid_t pid;			/* worker, or 0 */
	int chan;			/* our end, or -1 */
	bool reported;			/* `report` has come */
	bool stopped;			/* it was asked to end */
	struct report report;
	struct report_progress progress;
	clock_ms started;
	clock_ms deadline;		/* it must be heard of before this */
	struct mda mda;			/* while the worker lives; then hooks */
	enum hook hook;			/* the next one */
};

/* Puts a slot in order for an account. */
void proc_init(struct proc *proc, const struct account *account);

/* Starts a worker. `foreign` is for struct worker_start. */
bool proc_start(struct proc *proc, const struct session_options *session,
	const struct pass_options *options, const int *foreign, struct err *err)
	MUST_USE;

/* The channel is readable. */
void proc_read_channel(struct proc *proc);
/* A child has ended; true if it was one of this slot's. The slot is PROC_DONE
 * when neither a worker nor a program is left. */
bool proc_reaped(struct proc *proc, pid_t pid, int status);
/* Time has passed: a program that is too slow gets TERM, then KILL; a worker
 * that is not heard of any more, KILL. */
void proc_tick(struct proc *proc);
/* When proc_tick() is next needed, or `otherwise`. */
clock_ms proc_next(const struct proc *proc, clock_ms otherwise);
/* Asks the worker to end. */
void proc_stop(struct proc *proc);
/* It has had its time: ends the program first, so that the worker can note
 * that its message was refused, else the worker. */
void proc_kill(struct proc *proc);

#endif
