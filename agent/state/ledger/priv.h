/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_STATE_LEDGER_PRIV_H
#define AGENT_STATE_LEDGER_PRIV_H

#include "agent/base/arena.h"
#include "agent/base/limits.h"
#include "agent/state/ledger/ledger.h"
#include "agent/state/ledger/record.h"

/*
 * What the files of the ledger share, from the top: seal.c (what others know of
 * it), ledger.c (records), compact.c (writing anew) and load.c (reading), file.c
 * (lines on their way to the disk), table.c (entries by id and UID), places.c
 * (folders that have a marker), entry.c (one entry), record.c (one line).
 *
 * A file begins with lines that were all durable before it got its name, and
 * says how many they are: RECORD_LEDGER, RECORD_FILE, what is known, and a
 * RECORD_MARK. What is appended has a mark behind each sync. So
 *
 *	fewer good lines than it was begun with		damage
 *	a bad line, and a mark behind it		damage
 *	a bad line, and no mark behind it		a torn end
 *	a good CRC, and no record that we know		a newer version's
 *
 * Files of version 1 do not have RECORD_FILE, nor a mark where they begin.
 */

#define LEDGER_FILE "ledger"
#define LEDGER_NEW "ledger.new"
#define LEDGER_VERSION 2
#define LEDGER_OLDEST 1
#define LEDGER_BUFFER (64 * 1024)
/* Length, the words of a UID, and what is added to them. */
#define LEDGER_KEY (LIMIT_UID / 4 + 3)
/* So many entries are taken from the system at once. */
#define LEDGER_BLOCK 256

/* A destination whose folder has our marker. */
struct ledger_place {
	struct ledger_place *next;
	const char *dest, *marker;	/* "" : it need not have it any more */
};

struct ledger {
	struct arena *arena;
	char path[512];			/* of the file, for errors */
	const char *account;
	char epoch[17];
	int64_t created;
	int64_t compacted;		/* when that was begun */
	int dir, fd;
	struct ledger_entry **blocks;	/* of LEDGER_BLOCK entries each, by
					 * ascending id */
	size_t count, block_count;
	uint32_t *buckets;		/* 1 + the place of an entry, or 0;
					 * NULL while the file is read */
	size_t bucket_count;		/* a power of two */
	uint64_t key[LEDGER_KEY];	/* of the hash */
	const char *dest;		/* that of the last intent */
	struct ledger_place *places;
	uint64_t next_id;
	uint64_t durable_id;
	uint64_t least_id;		/* what the header says of it */
	uint64_t version;		/* of the file */
	uint64_t start;			/* records written before this file */
	uint64_t durable_lines;		/* of `lines`, at least */
	uint64_t begun_with;		/* lines, all durable; or 0: unknown */
	uint64_t lines;			/* in the file, and in `buffer` */
	uint32_t crc;			/* of the last line */
	bool ready;			/* ledger_begin() */
	bool synced;			/* all lines are durable */
	bool sealed;			/* the last line is a mark */
	bool broken;			/* a write failed: nothing more */
	bool adopt;			/* take over another account's file */
	bool rename;			/* it was one: write it anew */
	int64_t clock;			/* RECORD_CLOCK, or 0 */
	int64_t noted;			/* the time of the last record */
	bool inexact;			/* RECORD_INEXACT */
	bool moved;			/* there was a RECORD_MOVED */
	bool torn;			/* the end must be cut off */
	bool partial;			/* the file holds more than `blocks` */
	size_t len;
	char buffer[LEDGER_BUFFER];
};

/* entry.c. What `r` says is copied where it must last. */
void entry_make(struct ledger *l, struct ledger_entry *e,
	const struct record *r);
void entry_place(struct ledger *l, struct ledger_entry *e,
	const struct record *r);
void entry_hint(struct ledger_entry *e, const char *text);
void entry_refused(struct ledger_entry *e, const struct record *r);
void entry_rename(struct ledger *l, struct ledger_entry *e,
	const struct record *r);
void entry_listed(struct ledger_entry *e, uint64_t listed);
void entry_time(struct ledger_entry *e, int64_t time);
/* Not LEDGER_INTENT or LEDGER_FAILED: what was pending is forgotten. */
void entry_state(struct ledger *l, struct ledger_entry *e,
	enum ledger_state state);
void entry_free(struct ledger_entry *e);

/* table.c: no entries yet; no more of them. */
void ledger_table_start(struct ledger *l);
void ledger_table_free(struct ledger *l);
/* Once the file is read: from now on entries are found by their UIDs. */
void ledger_table_link(struct ledger *l);
/* NULL if there is none. */
struct ledger_entry *ledger_by_id(const struct ledger *l, uint64_t id);
/* The one place where a record changes memory, when loading and when writing.
 * False if it makes no sense here. */
bool ledger_apply(struct ledger *l, const struct record *r);
/* places.c: the one of this destination, or NULL; and the effect of
 * RECORD_MARKED, RECORD_UNMARKED. */
struct ledger_place *ledger_place_of(const struct ledger *l,
	const char *dest);
void ledger_apply_place(struct ledger *l, const struct record *r);
/* A UID as it is stored: a very long one by its hash, kept in `room`. */
#define LEDGER_UID_ROOM 32
void ledger_short_uid(const char **uid, size_t *len, char *room);

/* compact.c: is the file mostly history? */
bool ledger_wants_compaction(const struct ledger *l);

/* file.c: one line into the buffer. ERR_RETRY if the file was not begun, or
 * could not be written before. */
bool ledger_may_write(const struct ledger *l, struct err *err) MUST_USE;
bool ledger_put(struct ledger *l, const struct record *r, struct err *err)
	MUST_USE;
/* ledger.c: with the marks that belong before it, and its effect in memory. */
bool ledger_record(struct ledger *l, const struct record *r, struct err *err)
	MUST_USE;

/* load.c: reads the file if it is there, and changes nothing. */
bool ledger_load(struct ledger *l, bool *there_r, struct err *err) MUST_USE;

#endif
