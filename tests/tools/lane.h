/*
 * lane: one direction of a proxied connection.
 *
 * What is read waits in a queue, stamped with the time at which it is due at
 * the other end, so that delay costs no throughput; the end of the stream and
 * a reset queue up behind the bytes.  The queue is bounded: when it is full
 * nothing more is read, and TCP slows the sender down.
 *
 * A fault may stand on the lane.  It counts the bytes that were read: the
 * receiver gets exactly the first AFTER bytes as they were.
 *
 * Times are in nanoseconds of CLOCK_MONOTONIC.
 */
#ifndef TESTS_TOOLS_LANE_H
#define TESTS_TOOLS_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lane;

enum lane_fault {
	LANE_NO_FAULT,
	LANE_CUT_AFTER,		/* FIN in both directions */
	LANE_RESET_AFTER,	/* RST in both directions */
	LANE_STALL_AFTER,	/* nothing more passes, not even the end */
	LANE_GARBAGE_AFTER,	/* the rest becomes random bytes */
	LANE_FLIP_AFTER		/* one bit of the next byte is wrong */
};

struct lane_config {
	uint64_t delay;
	uint64_t rate;		/* bytes a second, 0: no limit */
	uint64_t room;		/* bytes that may wait */
	enum lane_fault fault;
	uint64_t after;
	uint64_t seed;
};

/* What the receiver's side must do next. */
enum lane_event {
	LANE_GOES_ON,
	LANE_ENDS,		/* pass FIN on */
	LANE_CUTS,		/* FIN in both directions */
	LANE_RESETS,		/* RST in both directions */
	LANE_BREAKS		/* the receiver is gone */
};

/* NULL without memory.  The lane keeps a copy of CONFIG. */
struct lane *lane_new(const struct lane_config *config);
void lane_free(struct lane *l);

/* Something may be read. */
bool lane_has_room(const struct lane *l);

/* Read once from FD into the queue. */
void lane_read(struct lane *l, int fd, uint64_t now);

/* The sender is gone: let the receiver know, in its turn. */
void lane_break(struct lane *l, uint64_t now);

/* Write to FD what is due. */
enum lane_event lane_write(struct lane *l, int fd, uint64_t now);

/* The receiver takes nothing at the moment. */
bool lane_is_blocked(const struct lane *l);

/* The sender is gone or has ended, and nothing waits any more. */
bool lane_is_over(const struct lane *l);

/* How much has come in, and gone out. */
uint64_t lane_read_bytes(const struct lane *l);
uint64_t lane_written_bytes(const struct lane *l);

/* When lane_write has something to do next; UINT64_MAX: not foreseen. */
uint64_t lane_due(const struct lane *l);

#endif
