/*
 * putfile: write a small file so that a reader sees the old one or the
 * whole new one.
 *
 * The test servers tell their port, their CA and their keys this way: once
 * the file is there, it is complete, and a script may simply wait for it.
 */
#ifndef TESTS_TOOLS_PUTFILE_H
#define TESTS_TOOLS_PUTFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Replace PATH by LEN bytes of DATA with permission MODE, through a
 * temporary file beside it.  False with errno on failure; nothing is left
 * behind then.  Not durable: nothing is flushed to the disk.
 */
bool putfile_replace(const char *path, const void *data, size_t len, mode_t mode);

/*
 * The whole of PATH in memory of malloc, with a NUL after it that LEN_R does
 * not count.  NULL with errno on failure.  The caller frees it.
 */
char *putfile_read(const char *path, size_t *len_r);

#endif
