/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_BASE_NOFILE_H
#define AGENT_BASE_NOFILE_H

#include <stddef.h>

/*
 * The number of files that a process may have open (RLIMIT_NOFILE): a person,
 * a service or a container may have set it to little.
 */

/* How many more files may be opened, with `reserve` left over for others: at
 * most `want`, and never 0, since then nothing would ever go on. Raises the
 * limit as far as it may be raised, if that is of use. */
size_t nofile_room(size_t want, size_t reserve);

#endif
