/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DELIVERY_STAGE_H
#define DELIVERY_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/err.h"

/*
 * The place where a message waits between the wire and its destination, and
 * the item that follows it there. A Maildir's tmp/ is its own stage; the other
 * destinations stage under state/ACCOUNT/stage/.
 *
 * Where the staged bytes are copied anyway, all messages of a batch stand one
 * behind another in one file, a pack: one name and one flush for all. It is
 * emptied for the next batch.
 */

#define ITEM_NAME 128
#define ITEM_HINT 256

enum item_state {
	ITEM_STAGED,		/* staged; not visible in the destination */
	ITEM_DELIVERED,		/* in the destination */
	ITEM_DEFERRED,		/* refused; item.err says why; still staged */
	ITEM_VOID		/* nothing usable is left: fetch it again */
};

/* One message on its way. */
struct item {
	char name[ITEM_NAME];	/* staged file, unique for ever */
	uint64_t at;		/* where in it the message begins */
	uint64_t id;		/* delivery id, stable over attempts */
	uint64_t size;		/* bytes of the message with LF line ends */
	uint64_t stored;	/* its bytes there */
	uint64_t place;		/* inode of the directory it was staged in */
	char hint[ITEM_HINT];	/* what the destination noted last, or "" */
	int fd;			/* the staged file, or -1 */
	bool packed;		/* `fd` is that of the stage's pack */
	enum item_state state;
	struct err err;		/* ITEM_DEFERRED */
};

struct stage {
	int dir;		/* owned by whoever opened it */
	const char *path;	/* for error texts */
	uint64_t place;		/* inode of `dir`, or 0 */
	char tag[24];		/* in every name: which account staged it */
	char host[64];
	long pid;
	bool slow_syncfs;	/* it flushes other programs' data: too slow */
	bool packs;		/* its files may hold several messages */
	struct {
		char name[ITEM_NAME];
		int fd;		/* -1: there is none */
		uint64_t end;	/* of what was sealed */
		bool named;	/* its name is durable */
	} pack;
};

/* `dir` and `path` stay the caller's and must outlive the stage; `tag` tells
 * our files from those of other accounts in the same directory. */
void stage_init(struct stage *stage, int dir, const char *path,
	const char *tag);

/* A new staged file, open for writing and reading, 0600; fills name and fd.
 * The name is SECONDS.M<micros>P<pid>Q<n>R<random>T<tag>.HOST as Maildir
 * asks. */
bool stage_create(struct stage *stage, struct item *item, struct err *err)
	MUST_USE;
/* The same at the end of the stage's pack, which is made with its first item.
 * The one before has been sealed, or removed. */
bool stage_pack(struct stage *stage, struct item *item, struct err *err)
	MUST_USE;
/* The next item begins behind this one. */
void stage_seal(struct stage *stage, const struct item *item);
/* Opens an item's staged file again (recovery) and checks its size. State
 * becomes ITEM_STAGED, or ITEM_VOID when it is missing or not whole. */
bool stage_reopen(struct stage *stage, struct item *item, struct err *err)
	MUST_USE;
/* Data of all n items and the directory itself are durable. They are all in the
 * pack, or none is. */
bool stage_sync(struct stage *stage, struct item *const *items, size_t n,
	struct err *err) MUST_USE;
/* Reads bytes of a staged message; *got_r is less than len only at its end. */
bool stage_read(const struct item *item, void *data, size_t len,
	uint64_t from, size_t *got_r, struct err *err) MUST_USE;
/* Closes and removes; a missing file is fine. One in the pack is cut off, with
 * all behind it. */
bool stage_remove(struct stage *stage, struct item *item, struct err *err)
	MUST_USE;
void stage_close(struct item *item);
/* Removes the staged files of all items that are delivered or void; what
 * cannot be removed is only logged. The pack is emptied when all of the items
 * are; but not that of an earlier pass, which may hold more: the sweep comes
 * for it. */
void stage_clear(struct stage *stage, struct item *const *items, size_t n);
/* Removes every file with our tag for which keep(arg, name) is false: litter
 * of a pass that was killed before its intents. */
bool stage_sweep(struct stage *stage, bool (*keep)(void *arg, const char *name),
	void *arg, struct err *err) MUST_USE;
/* Lets go of the pack, whose file stays if anything is in it. */
void stage_end(struct stage *stage);

#endif
