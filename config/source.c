/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/limits.h"
#include "config/path.h"

static bool cannot(struct err *err, const char *verb, const char *path)
{
	err_sys(err, errno, "cannot %s %s", verb, path);
	err->class = ERR_CONFIG;
	return false;
}

int source_open(const char *path, struct stat *st_r, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0) {
		cannot(err, "open", path);
		return -1;
	}
	if (fstat(fd, st_r) == 0 && fcntl(fd, F_SETFL, O_RDONLY) == 0)
		return fd;
	cannot(err, "open", path);
	close(fd);
	return -1;
}

static bool read_all(int fd, struct source *source, struct err *err)
{
	ssize_t n;

	while (source->len <= LIMIT_CONFIG_BYTES) {
		n = read(fd, source->data + source->len,
			LIMIT_CONFIG_BYTES + 1 - source->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cannot(err, "read", source->path);
		if (n == 0)
			return true;
		source->len += (size_t)n;
	}
	return err_set(err, ERR_CONFIG, "%s is larger than 1 MiB",
		source->path);
}

bool source_read(const char *path, struct source *source_r, struct err *err)
{
	int fd;
	bool ok;

	*source_r = (struct source){ .path = path };
	fd = source_open(path, &source_r->st, err);
	if (fd < 0)
		return false;
	/* One buffer that never moves: a moved one would leave a copy of the
	 * passwords behind. */
	source_r->data = mem_grow(NULL, LIMIT_CONFIG_BYTES + 2, 1);
	ok = read_all(fd, source_r, err);
	close(fd);
	if (!ok) {
		source_free(source_r);
		return false;
	}
	source_r->data[source_r->len] = '\0';
	return true;
}

void source_free(struct source *source)
{
	if (source->data != NULL)
		explicit_bzero(source->data, source->len);
	free(source->data);
	source->data = NULL;
	source->len = 0;
}

const char *source_not_private(struct arena *arena, const struct stat *st,
	const char *path)
{
	const char *quoted = path_quote(arena, path);

	if (!S_ISREG(st->st_mode))
		return arena_printf(arena,
			"a password must stand in a regular file, and %s is none",
			path);
	if (st->st_uid != geteuid() && st->st_uid != 0)
		return arena_printf(arena,
			"%s holds a password and belongs to user %lu; run postrider as that user, or run: chown %lu %s",
			path, (unsigned long)st->st_uid,
			(unsigned long)geteuid(), quoted);
	if ((st->st_mode & 077) != 0)
		return arena_printf(arena,
			"%s holds a password and others can read or change it; run: chmod 600 %s",
			path, quoted);
	return NULL;
}

const char *source_unsafe(struct arena *arena, const struct stat *st,
	const char *path)
{
	if (!S_ISREG(st->st_mode) || (st->st_mode & S_IWOTH) == 0)
		return NULL;
	return arena_printf(arena,
		"everybody can change %s, which names programs to run; run: chmod o-w %s",
		path, path_quote(arena, path));
}
