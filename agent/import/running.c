/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/num.h"
#include "agent/import/priv.h"

/*
 * /proc tells of all programs alike. The lock files that some of them have say
 * less: they outlive a crash, and getmail has none. Without /proc nothing is
 * known, and nothing refused.
 */

static bool is_ours(int dir, const char *pid)
{
	struct stat st;

	return fstatat(dir, pid, &st, 0) == 0 && st.st_uid == getuid();
}

static bool has_name(int dir, const char *pid, const char *program)
{
	char path[64], name[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%.32s/comm", pid);
	fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, name, sizeof(name) - 1);
	close(fd);
	if (n <= 0)
		return false;
	name[n] = '\0';
	name[strcspn(name, "\n")] = '\0';
	return strcmp(name, program) == 0;
}

bool import_running(const char *program, long *pid_r)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	uint64_t pid;
	bool found = false;

	if (proc == NULL)
		return false;
	while (!found && (entry = readdir(proc)) != NULL) {
		found = num_u64(entry->d_name, strlen(entry->d_name),
				INT32_MAX, &pid)
			&& is_ours(dirfd(proc), entry->d_name)
			&& has_name(dirfd(proc), entry->d_name, program);
		*pid_r = (long)pid;
	}
	closedir(proc);
	return found;
}
