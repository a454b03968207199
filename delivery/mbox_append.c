/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "delivery/mbox_priv.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/arena.h"
#include "agent/base/fsx.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "delivery/lock.h"
#include "delivery/mbox_find.h"
#include "delivery/mbox_place.h"

/*
 * The append itself: the note of the place, the bytes, the flush, and the look
 * at what has become of them. Programs that do not lock may write at any moment.
 */

/* Another writer may have left no blank line at the end, and a From_ line is
 * one only behind a blank line: how many line ends are missing. */
static bool missing_ends(struct dest *dest, uint64_t size, size_t *missing_r,
	struct err *err)
{
	char tail[2] = { '\n', '\n' };
	size_t want = size < 2 ? (size_t)size : 2, got;

	*missing_r = 0;
	if (dest->gzip || size == 0)
		return true;
	if (!fsx_pread(lock_fd(dest->lock), tail + 2 - want, want,
		size - want, &got, dest->path, err))
		return false;
	*missing_r = tail[1] != '\n' ? 2 : tail[0] != '\n' ? 1 : 0;
	return true;
}

/* How many bytes of the first staged file are to follow one another in the
 * mbox; *items and *n then begin behind them. */
static uint64_t take_run(struct item *const **items, size_t *n)
{
	const struct item *item;
	uint64_t len = 0;

	do {
		item = **items;
		len += item->stored;
		++*items;
		--*n;
	} while (*n != 0 && strcmp((**items)->name, item->name) == 0
		&& (**items)->at == item->at + item->stored);
	return len;
}

/* Does the piece just written end where it should? Behind mail that a program
 * without a lock has appended just now, it would be a part of that mail: it is
 * taken back, and nothing more is written. */
static bool is_in_place(struct dest *dest, uint64_t end, uint64_t len)
{
	int fd = lock_fd(dest->lock);
	off_t at = lseek(fd, 0, SEEK_CUR);
	struct stat st;

	if (at < 0 || (uint64_t)at == end)
		return true;
	if (fstat(fd, &st) == 0 && st.st_size == at
	    && ftruncate(fd, at - (off_t)len) < 0)
		log_warn("cannot cut %s: %s", dest->path, strerror(errno));
	return false;
}

/* Appends `len` bytes of a staged file; *end is where the mbox ends. What does
 * not fit is left to arrived(). */
static bool append_run(struct dest *dest, const struct item *first,
	uint64_t len, uint64_t *end, bool *apart_r, struct err *err)
{
	uint64_t at = first->at, piece;

	for (*apart_r = false; len != 0 && !*apart_r; len -= piece) {
		piece = len < LIMIT_PUMP_BUFFER ? len : LIMIT_PUMP_BUFFER;
		if (!fsx_copy(first->fd, at, piece, lock_fd(dest->lock),
			dest->path, err))
			return false;
		at += piece;
		*end += piece;
		*apart_r = !is_in_place(dest, *end, piece);
	}
	return true;
}

static bool append_all(struct dest *dest, struct item *const *items, size_t n,
	uint64_t end, size_t ends, struct err *err)
{
	const struct item *first;
	bool apart;

	if (!fsx_write(lock_fd(dest->lock), "\n\n", ends, dest->path, err))
		return false;
	end += ends;
	apart = ends != 0 && !is_in_place(dest, end, ends);
	while (n != 0 && !apart) {
		first = *items;
		if (!append_run(dest, first, take_run(&items, &n), &end,
			&apart, err))
			return false;
	}
	return fsx_sync(lock_fd(dest->lock), dest->path, err);
}

/* Where our bytes end that begin at `at`, one item behind another. */
static bool find_end(struct dest *dest, struct item *const *items, size_t n,
	uint64_t at, uint64_t *end_r, struct err *err)
{
	struct mbox_match match;
	size_t i;

	*end_r = at;
	for (i = 0; i < n; i++) {
		if (!mbox_match(lock_fd(dest->lock), dest->path, items[i],
			*end_r, &match, err))
			return false;
		*end_r += match.same;
		if (match.same < items[i]->stored)
			break;
	}
	return true;
}

/* The file as it was before we touched it; but not if another program, which
 * does not lock, has written meanwhile. If even this fails, the notes of the
 * items let the next run tell our bytes from others'. */
static void cut_back(struct dest *dest, struct item *const *items, size_t n,
	uint64_t size, size_t ends)
{
	struct err ignored = ERR_INIT;
	uint64_t end;
	struct stat st;

	if (fstat(lock_fd(dest->lock), &st) < 0)
		return;
	if ((uint64_t)st.st_size > size + ends
	    && (!find_end(dest, items, n, size + ends, &end, &ignored)
		|| end != (uint64_t)st.st_size))
		return;
	if (ftruncate(lock_fd(dest->lock), (off_t)size) == 0
	    && !fsx_sync(lock_fd(dest->lock), dest->path, &ignored))
		return;
}

/* Readers tell new mail by an access time before the change time. */
static void keep_atime(int fd, const struct stat *before)
{
	struct timespec times[2] = { before->st_atim, { 0, UTIME_OMIT } };

	futimens(fd, times);
}

static bool note_places(struct dest *dest, struct item *const *items,
	size_t n, const struct mbox_witness *before, size_t ends,
	struct err *err)
{
	const struct dest_env *env = dest->env;
	struct mbox_place place = { .at = before->size + ends,
		.before = *before };
	char text[ITEM_HINT];
	size_t i;

	for (i = 0; i < n; i++) {
		mbox_place_note(&place, text, sizeof(text));
		if (!env->hint(env->arg, items[i], text, err))
			return false;
		place.at += items[i]->stored;
	}
	return env->hint_sync(env->arg, err);
}

/* Is what was appended at `at` the `len` bytes of a staged file? */
static bool compare_run(struct dest *dest, const struct item *first,
	uint64_t len, uint64_t at, bool *same_r, struct err *err)
{
	char ours[LIMIT_PUMP_BUFFER] UNFILLED;
	char theirs[LIMIT_PUMP_BUFFER] UNFILLED;
	uint64_t done;
	size_t want, got, there;

	*same_r = true;
	for (done = 0; done < len && *same_r; done += want) {
		want = len - done < sizeof(ours) ? (size_t)(len - done)
			: sizeof(ours);
		if (!fsx_pread(first->fd, ours, want, first->at + done, &got,
			dest->stage.path, err)
		    || !fsx_pread(lock_fd(dest->lock), theirs, want, at + done,
			&there, dest->path, err))
			return false;
		*same_r = got == want && there == want
			&& memcmp(ours, theirs, want) == 0;
	}
	return true;
}

/* Is it all there, in the file that has the mbox's name? Programs that do not
 * lock, or that broke our lock when we slept, may have written meanwhile. */
static bool arrived(struct dest *dest, struct item *const *items, size_t n,
	uint64_t at, bool *yes_r, struct err *err)
{
	const struct item *first;
	uint64_t len;

	*yes_r = lock_is_current(dest->lock, dest->path);
	for (; n != 0 && *yes_r; at += len) {
		first = *items;
		len = take_run(&items, &n);
		if (!compare_run(dest, first, len, at, yes_r, err))
			return false;
	}
	return true;
}

bool mbox_append(struct dest *dest, struct item *const *items, size_t n,
	bool *arrived_r, struct err *err)
{
	struct mbox_witness before;
	struct stat st;
	size_t ends;
	bool ok;

	if (fstat(lock_fd(dest->lock), &st) < 0)
		return err_sys(err, errno, "cannot look at %s", dest->path);
	if (!mbox_witness_take(lock_fd(dest->lock), dest->path, &before, err)
	    || !missing_ends(dest, before.size, &ends, err)
	    || !note_places(dest, items, n, &before, ends, err))
		return false;
	if (!append_all(dest, items, n, before.size, ends, err)) {
		cut_back(dest, items, n, before.size, ends);
		return false;
	}
	ok = arrived(dest, items, n, before.size + ends, arrived_r, err);
	keep_atime(lock_fd(dest->lock), &st);
	return ok;
}
