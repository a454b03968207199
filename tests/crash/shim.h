/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_CRASH_SHIM_H
#define TESTS_CRASH_SHIM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * A library to preload that makes one chosen call of a run go wrong. All
 * processes of the run share one control block: a mapped file, named in
 * $CRASH_CONTROL, whose first page is struct control and whose rest is the
 * log. shimctl.py writes the orders into it and reads the log; the layouts
 * here and there must agree (SHIM_VERSION).
 *
 * shim.c and shim_calls.c have the wrappers, shim_core.c the counter, the
 * victims and the log, shim_plant.c the planted faults that the tests of the
 * tests need.
 */

#define SHIM_MAGIC 0x50524348u
#define SHIM_VERSION 5
#define SHIM_PAGE 4096
#define SHIM_PIDS 256

/* What a call does. Those before KIND_LAST_LASTING outlive the process. */
enum kind {
	KIND_OPEN, KIND_WRITE, KIND_PWRITE, KIND_WRITEV, KIND_TRUNCATE,
	KIND_RENAME, KIND_LINK, KIND_UNLINK, KIND_MKDIR,
	KIND_FSYNC, KIND_FDATASYNC, KIND_SYNCFS, KIND_SYNC_RANGE,
	KIND_TIMES, KIND_CLOSE, KIND_LOCK, KIND_SEND, KIND_CHANNEL,
	KIND_FORK, KIND_EXEC,
	KIND_OPEN_READ, KIND_READ, KIND_STAT, KIND_RECV, KIND_POLL,
	KIND_SOCKET, KIND_MALLOC,
	KINDS
};

enum action {
	ACTION_NONE,
	ACTION_KILL_BEFORE, ACTION_KILL_AFTER,
	ACTION_KILL_HALF,	/* after half of the bytes were written */
	ACTION_KILL_LAST,	/* after all but one byte */
	ACTION_FAIL,		/* -1 with control.error, nothing done */
	ACTION_SHORT_HALF, ACTION_SHORT_LAST,
	ACTION_TERM,		/* the parent gets SIGTERM before the call */
	ACTION_STOP		/* the caller stands still before it */
};

enum victim { VICTIM_CALLER, VICTIM_PARENT, VICTIM_WORKER, VICTIM_ALL };

enum how_long { HIT_ONCE, HIT_FOREVER, HIT_EVERY_OTHER };

enum role { ROLE_PARENT, ROLE_WORKER, ROLE_MDA };

enum flag {
	FLAG_LOG = 1,		/* write the log */
	FLAG_MDA = 2,		/* reach programs that are started, too */
	FLAG_FAST_SLEEP = 4,	/* sleeping takes no time, only the clock's */
	/* Planted faults: */
	FLAG_NO_SYNC = 16,	/* no flush is carried out */
	FLAG_LINK = 32,		/* a rename becomes a link and an unlink */
	FLAG_EARLY_DELE = 64,	/* DELE before the first flush of a message */
	FLAG_EARLY_QUIT = 128	/* and QUIT */
};

struct control {
	/* Orders. */
	uint32_t magic, version;
	uint32_t action, victim, how_long, roles, flags;
	int32_t error;
	uint64_t at;		/* the call that is hit, from 1; 0 is none */
	uint64_t kinds;		/* a bit for each kind that is counted */
	uint64_t clock_step;	/* ms that each look at the clock costs */
	uint64_t skip_sync;	/* this flush, from 1, is not carried out */
	uint64_t log_size;	/* bytes behind the first page */
	int64_t later;		/* seconds that the wall clock is ahead */
	/* What happened. */
	atomic_ullong count, hits, syncs, log_used, log_lost, clock;
	atomic_uint files, pids;
	struct { int32_t pid; uint32_t role; } pid[SHIM_PIDS];
};

/* A record of the log; path, other path and data follow, then padding to a
 * multiple of eight bytes. */
struct record {
	atomic_uint size;	/* with all that follows; 0 is the log's end */
	atomic_ushort done;	/* the kind + 1, written last */
	uint8_t role, hit;
	int32_t pid;
	uint32_t file;		/* which open file, over all processes; or 0 */
	uint64_t number;	/* of the call, if it was counted; or 0 */
	int64_t result;
	int64_t a;		/* open: flags; pwrite, ftruncate: offset */
	int32_t error;
	uint16_t path_len, other_len;
	uint32_t data_len, skipped;
};

/* One call on its way through its wrapper. */
struct call {
	enum kind kind;
	enum action action;
	uint64_t number;
	uint32_t file;
	int64_t a;
	const char *path, *other;
	const void *data;
	bool skipped;
};

/* What the program calls in place of the C library. */
#define EXPORT __attribute__((visibility("default")))
/* Fail, or do it; then the end. */
#define DO(call, real) shim_end(&(call), shim_fails(&(call)) ? -1 : (real))

extern struct control *shim_control;
extern enum role shim_role;

/* Counts the call, and may not return. */
struct call shim_begin(enum kind kind);
/* Is it to fail? Then errno is set. */
bool shim_fails(const struct call *call);
/* How many of len bytes are to be written. */
size_t shim_part(const struct call *call, size_t len);
/* Logs it, and may not return. Gives `result`, with errno as it was. */
long shim_end(struct call *call, long result);
/* A process of the run, for those that kill. */
void shim_enlist(pid_t pid, enum role role);

/* The open files of this process. */
struct shim_file {
	uint32_t id;		/* 0: not a file of the file system */
	bool writable;
	char *path;
};
struct shim_file *shim_file(int fd);
void shim_opened(int fd, uint32_t id, const char *path, bool writable);
void shim_closed(int fd);
/* The absolute path of `path` as seen from `dir`; into out[PATH_MAX]. */
const char *shim_path(int dir, const char *path, char *out);

/* shim_plant.c */
bool plant_skips_sync(void);
/* Before a flush: deletes on the server what was retrieved. */
void plant_early_dele(void);
/* Looks for RETR in what is sent. */
void plant_watch_send(int fd, const void *data, size_t len);
long plant_link_unlink(int from_dir, const char *from, int to_dir,
	const char *to);

#endif
