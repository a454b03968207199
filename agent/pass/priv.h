/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_PASS_PRIV_H
#define AGENT_PASS_PRIV_H

#include "agent/base/arena.h"
#include "agent/base/log.h"
#include "agent/pass/batch.h"
#include "agent/pass/pass.h"
#include "agent/pass/plan.h"
#include "agent/pop3/window.h"
#include "agent/state/account_dir.h"
#include "agent/state/marker.h"
#include "agent/state/memory.h"

/* What the files of a pass share; the README says what each is for. */

struct pass {
	const struct pass_env *env;
	const struct account *account;
	struct report *report;
	struct report_counts *counts;	/* those of the report */
	struct report_progress progress;
	struct arena *arena;
	struct account_dir dir;
	struct marker marker;
	bool placed;			/* the marker is there, if it can be */
	struct memory memory;
	bool recalled;			/* `memory` was read, under the lock */
	int64_t now;			/* ages are counted to here */
	/* Recovery is done and no commit has failed since: the destination
	 * can take more. */
	bool settled;
	struct ledger *ledger;
	struct dest_env dest_env;
	struct headers *headers;
	struct sink meter, *metered;	/* fetch.c: counts, passes on */
	struct client *client;
	struct listing listing;
	struct plan plan;
	struct imported *imported;	/* what is carried over, or NULL */
	/* The messages the current window is about. */
	struct plan_message **work;
	size_t work_count;
	uint64_t promised;		/* listed, asked for, not come yet */
	uint64_t granted;		/* room for so many bytes was found */
	uint64_t unchecked;		/* bytes written since we looked for room */
	/* Messages that found no room on the disk, and what they need. */
	uint64_t no_room, no_room_bytes;
	const char *no_room_path;
	bool no_quit;			/* by it, some take for read what is not here */
	/* The destination failed, or the server's answers may be out of step:
	 * what is staged and not committed stays so. */
	bool spoiled;
	/* audit.c: known messages that look like others, and whether this
	 * is the session that looks again. */
	struct plan_suspect suspects[PLAN_AUDIT];
	size_t suspect_count;
	bool looked_again;
	bool lockstep;			/* one command at a time */
	bool out_of_step;		/* hold the session again, in lockstep */
	unsigned int complaints;	/* see pass_loudness() */
	uint64_t odd_sizes, exact_sizes;	/* other than listed, as listed */
	uint64_t stat_size;		/* glance.c: what STAT said, or 0 */
	struct batch batch;		/* last: its slots are not zeroed */
};

/* work.c, below the steps. Tells the parent how far we are. */
void pass_tell(struct pass *pass, enum report_phase phase);

/* Puts the messages with one action into `work`; returns how many. */
size_t pass_select(struct pass *pass, enum plan_action action);
/* The number of message i of `work` in this session. */
uint64_t pass_number(const struct pass *pass, size_t i);

/* A message of `bytes` bytes came for m: ERR_PROTO if it may be another one's.
 * With out_of_step set, pass_start_over() and another session are due. */
bool pass_in_step(struct pass *pass, struct plan_message *m,
	uint64_t bytes, struct err *err) MUST_USE;
void pass_start_over(struct pass *pass);
/* The same without a word, and not for a fault: commands in a row again. */
void pass_begin_again(struct pass *pass);
/* Takes away what is staged and not committed. */
void pass_drop_staged(struct pass *pass);
/* After what was fetched is committed: remembers a server whose sizes are not
 * exact. Where they are, what was cut short stays on the server. */
void pass_learn_sizes(struct pass *pass);
/* A message that was cut short was delivered: it is not to be deleted. */
void pass_leave_there(struct pass *pass, struct plan_message *m);

/* How to tell what the server refuses for one more message. */
enum log_level pass_loudness(struct pass *pass);
/* Remembers that a message made trouble: it comes last in the next passes, and
 * later only now and then. */
bool pass_note_failure(struct pass *pass, const struct plan_message *m,
	const char *reason, struct err *err) MUST_USE;
/* It has made none this time. */
void pass_forgive(struct pass *pass, struct plan_message *m);
/* After a window over `work` has failed: notes it for the message whose turn
 * it was. */
void pass_blame(struct pass *pass, const struct window *window,
	const struct err *broke);

/* dest_name is set. ERR_CONFIG, and nothing is touched, if the ledger or the
 * destination's folder is not the one that it should be. */
bool pass_open_ledger(struct pass *pass, struct err *err) MUST_USE;
bool pass_open_dest(struct pass *pass, struct err *err) MUST_USE;
/* For struct batch: the account is still ours, and the destination's folder has
 * our marker if it can have one. */
bool pass_may_commit(void *arg, struct err *err) MUST_USE;
/* Is it still ours? If not, nothing more is written to the ledger. */
bool pass_has_lock(struct pass *pass, struct err *err) MUST_USE;

/* Settles every PLAN_CHECK that has made no trouble before, or the others. */
bool pass_check_known(struct pass *pass, bool trouble, struct err *err) MUST_USE;
/* Notes what is new about a message that was recognised. */
bool pass_note_known(struct pass *pass, struct plan_message *m,
	struct err *err) MUST_USE;
/* Delivers a message that tells of the turn to the account's own destination;
 * if that cannot be done, the log has to do. */
void pass_notice(struct pass *pass, enum report_turn turn, int64_t since);
/* For struct batch: the fate of such a message is written down. */
void pass_notice_done(struct pass *pass, const struct batch_slot *slot);

/* Marks as seen every message that is listed and not known. */
bool pass_baseline(struct pass *pass, struct err *err) MUST_USE;
/* The same for those that another program has fetched: see imported.h. */
bool pass_carry_over(struct pass *pass, struct err *err) MUST_USE;
/* known.c: for a window over `work`; and whether the server has TOP. */
bool pass_send_top(void *arg, size_t i, struct err *err) MUST_USE;
bool pass_may_ask_top(const struct pass *pass);
/* Retrieves and delivers every PLAN_FETCH that the limits allow. */
bool pass_fetch(struct pass *pass, struct err *err) MUST_USE;
/* Deletes every PLAN_DELETE, and ends the session with QUIT. */
bool pass_delete(struct pass *pass, struct err *err) MUST_USE;
bool pass_quit(struct pass *pass, struct err *err) MUST_USE;
/* QUIT alone, where nothing was to be deleted. */
bool pass_leave(struct pass *pass, struct err *err) MUST_USE;

/* May a look be enough? Then pass_glance() takes it: *same_r when there is
 * nothing to list. */
bool pass_may_glance(const struct pass *pass);
bool pass_glance(struct pass *pass, bool *same_r, struct err *err) MUST_USE;
/* After a pass that went through and has listed all: for the next look. */
void pass_note_glance(struct pass *pass);

#endif
