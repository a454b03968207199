/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_STATE_ACCOUNT_DIR_H
#define AGENT_STATE_ACCOUNT_DIR_H

#include "agent/base/err.h"

/*
 * The account's state directory and its lock: one pass an account at a time,
 * whoever started it. The locks are the kernel's (flock), so they end with the
 * process that holds them, however that ends.
 *
 * There are two. That of the directory itself cannot be lost: whoever removes
 * a lock file removes no lock. That of the file `lock` in it is what older
 * versions take, and the only one where a directory cannot be locked (NFS).
 */

struct account_dir {
	int dir, stage, lock;		/* descriptors, or -1 */
	bool by_file;			/* the file is the only lock */
	char path[512], stage_path[600];
};

/* Makes state/ACCOUNT/ and state/ACCOUNT/stage/ if need be (0700) and takes
 * the locks. ERR_RETRY with the pid of the holder when one is taken;
 * ERR_CONFIG when the directory belongs to somebody else or others may write
 * to it. */
bool account_dir_open(struct account_dir *d, const char *state,
	const char *account, struct err *err) MUST_USE;
void account_dir_close(struct account_dir *d);

/* Is the lock file still the one that is locked, or can it be again? Ask
 * before whatever two passes must not both do: a person may have removed it.
 * ERR_RETRY if another process may be at work now. */
bool account_dir_check(struct account_dir *d, struct err *err) MUST_USE;

/* Does another process have the lock right now? */
bool account_dir_busy(const char *state, const char *account);

#endif
