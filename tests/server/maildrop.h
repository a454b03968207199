/*
 * maildrop: one directory of messages, as one session sees it.
 *
 * Every regular file whose name has no leading dot is a message; they are
 * numbered in the order of their names.  Opening takes flock on DIR/.lock
 * and reads the directory anew.  Deletion only marks; maildrop_update
 * unlinks.  Numbers I count from 0 here.
 *
 * DIR/.uids may hold lines FILE<TAB>UID that replace the UID of a message,
 * otherwise its file name; a UID there may be empty, doubled, long, of any
 * bytes but newline.  DIR/.last holds the name of the message LAST answers.
 */
#ifndef TESTS_SERVER_MAILDROP_H
#define TESTS_SERVER_MAILDROP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct maildrop;

/*
 * Open DIR; wait up to WAIT_MS for its lock.  NULL with errno, EWOULDBLOCK
 * when it is in use.  maildrop_close gives the lock back and frees.
 */
struct maildrop *maildrop_open(const char *dir, bool raw, uint64_t wait_ms);
void maildrop_close(struct maildrop *d);

/* All messages, the deleted ones too. */
size_t maildrop_count(const struct maildrop *d);

/* Message I is there and not marked as deleted. */
bool maildrop_has(const struct maildrop *d, size_t i);

const char *maildrop_name(const struct maildrop *d, size_t i);
const char *maildrop_uid(const struct maildrop *d, size_t i, size_t *len_r);

/*
 * Octets on the wire without the doubled dots (RFC 1939, section 11): the
 * file is read for that, once a session.  0 for a file that is gone.
 */
uint64_t maildrop_size(struct maildrop *d, size_t i);

/* A descriptor of the file, which the caller closes; -1 with errno. */
int maildrop_file(const struct maildrop *d, size_t i);

void maildrop_delete(struct maildrop *d, size_t i);

/* Unmark all and forget what LAST learnt in this session. */
void maildrop_reset(struct maildrop *d);

/* Message I was retrieved; the highest such number, from 1, or 0. */
void maildrop_touch(struct maildrop *d, size_t i);
size_t maildrop_last(const struct maildrop *d);

/* Keep LAST for the next session. */
void maildrop_save_last(const struct maildrop *d);

/*
 * The UPDATE state: unlink what is marked, call DONE for each with its name
 * and whether it is gone.  False if one could not be unlinked.
 */
bool maildrop_update(struct maildrop *d, void (*done)(void *arg, const char *name, bool gone),
		     void *arg);

#endif
