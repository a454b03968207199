/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_BASE_FSX_H
#define AGENT_BASE_FSX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/base/err.h"

/*
 * Files with the promises we need: every write whole, every flush checked,
 * every open O_CLOEXEC and O_NOFOLLOW in its last component. `what` names the
 * file in error texts. A flush that failed is never tried again: the kernel
 * may have dropped the pages, and a second fsync would lie (ERR_RETRY).
 */

/* Opens a directory. ERR_RETRY on any failure. */
int fsx_opendir(const char *path, struct err *err) MUST_USE;
/* Makes every missing component with mode 0700, then opens it. What was made
 * is durable when this returns. */
int fsx_makedir(const char *path, struct err *err) MUST_USE;
/* Makes one directory inside another, durably; it may exist already. */
bool fsx_mkdirat(int dir, const char *name, struct err *err) MUST_USE;

/* Writes all len bytes. */
bool fsx_write(int fd, const void *data, size_t len, const char *what,
	struct err *err) MUST_USE;
/* Reads exactly len bytes at an offset; *got_r is less only at the end. */
bool fsx_pread(int fd, void *data, size_t len, uint64_t at, size_t *got_r,
	const char *what, struct err *err) MUST_USE;
/* Copies len bytes from an offset of one file to where the other stands (its
 * end, if it is open for appending). ERR_RETRY also when there are fewer. */
bool fsx_copy(int from, uint64_t at, uint64_t len, int to, const char *what,
	struct err *err) MUST_USE;
/* Reads a whole file of at most `max` bytes (ERR_CONFIG beyond) into memory
 * the caller frees; a NUL is added. */
bool fsx_read_file(const char *path, size_t max, char **data_r, size_t *len_r,
	struct err *err) MUST_USE;

/* Puts a small file in the place of another, or of none, whole: at no moment
 * can a reader see half of it. Nothing is flushed: after a power cut it may be
 * the old one, the new one or empty. */
bool fsx_replace(int dir, const char *name, const void *data, size_t len,
	mode_t mode, struct err *err) MUST_USE;
/* The same, durably: with two flushes more. */
bool fsx_replace_durably(int dir, const char *name, const void *data,
	size_t len, mode_t mode, struct err *err) MUST_USE;

/* Data and size durable (fdatasync where that is enough). */
bool fsx_sync(int fd, const char *what, struct err *err) MUST_USE;
/* The entries of a directory durable. File systems that cannot say so
 * (EINVAL, EBADF) are taken at their word. */
bool fsx_sync_dir(int fd, const char *what, struct err *err) MUST_USE;
/* One of these two has failed in this process. The next may succeed although
 * what the first was about is gone, so it proves nothing any more. */
bool fsx_flush_failed(void);
/* Starts writing a finished file back, so that the later flush finds little
 * left to do. Promises nothing. */
void fsx_start_writeback(int fd);

/* Renames without ever replacing a file. False with errno set. */
bool fsx_rename_new(int from_dir, const char *from, int to_dir, const char *to);

/* Bytes an ordinary user may still write to the file system of `fd`, less the
 * part that is left alone: LIMIT_DISK_RESERVE, or a twentieth of a small one.
 * UINT64_MAX if the system cannot say. */
uint64_t fsx_room(int fd);
/* The same for a file, there or not, by its folder. */
uint64_t fsx_room_for(const char *path);
/* Is it kept in memory only? */
bool fsx_is_volatile(int fd);

/* Takes an exclusive flock, trying for ms milliseconds. False when another
 * process has it (errno EWOULDBLOCK) or on an error (errno). */
bool fsx_lock(int fd, int ms);

#endif
