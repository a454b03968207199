/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_ACCOUNT_DIR_H
#define AGENT_ACCOUNT_DIR_H

#include "agent/base/err.h"

/*
 * The account's state directory and its lock: one pass an account at a time,
 * whoever started it. The lock is the kernel's (flock), so it ends with the
 * process that holds it, however that ends.
 */

struct account_dir {
	int dir, stage, lock;		/* descriptors, or -1 */
	char path[512], stage_path[600];
};

/* Makes state/ACCOUNT/ and state/ACCOUNT/stage/ if need be (0700) and takes
 * the lock. ERR_RETRY with the pid of the holder when it is taken; ERR_CONFIG
 * when the directory belongs to somebody else or others may write to it. */
bool account_dir_open(struct account_dir *d, const char *state,
	const char *account, struct err *err) MUST_USE;
void account_dir_close(struct account_dir *d);

/* Does another process have the lock right now? */
bool account_dir_busy(const char *state, const char *account);

#endif
