/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/base/nofile.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

/* Numbers below `limit` that are no open file; stops counting at `enough`. */
static size_t count_free(rlim_t limit, size_t enough)
{
	size_t n = 0;
	int fd;

	for (fd = 0; n < enough && (rlim_t)fd < limit; fd++)
		n += fcntl(fd, F_GETFD) < 0 && errno == EBADF;
	return n;
}

size_t nofile_room(size_t want, size_t reserve)
{
	size_t enough = want + reserve, n;
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return want;
	n = count_free(files.rlim_cur, enough);
	if (n < enough && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max - files.rlim_cur
			> enough - n ? files.rlim_cur + (enough - n)
			: files.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &files) == 0)
			n = count_free(files.rlim_cur, enough);
	}
	if (n >= enough)
		return want;
	return n > reserve ? n - reserve : 1;
}
