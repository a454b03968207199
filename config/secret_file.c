/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/secret_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/base/arena.h"
#include "config/path.h"
#include "config/source.h"

/*
 * A secret in a file: one of the person's own, or a credential that systemd
 * has put into a folder which is the service's alone.
 */

bool secret_drain(int fd, const char *path, char *out, size_t cap,
	size_t *len_r, struct err *err)
{
	ssize_t n = 1;

	*len_r = 0;
	while (n != 0 && *len_r < cap) {
		n = read(fd, out + *len_r, cap - *len_r);
		if (n < 0 && errno != EINTR)
			return err_sys(err, errno, "cannot read %s", path);
		if (n > 0)
			*len_r += (size_t)n;
	}
	return true;
}

static int open_judged(const char *path,
	const char *(*judge)(struct arena *arena, const struct stat *st,
		const char *path), struct err *err)
{
	struct arena *arena = arena_new();
	const char *why;
	struct stat st;
	int fd = source_open(path, &st, err);

	why = fd >= 0 ? judge(arena, &st, path) : NULL;
	if (why != NULL) {
		err_set(err, ERR_CONFIG, "%s", why);
		close(fd);
		fd = -1;
	}
	arena_free(arena);
	return fd;
}

int secret_open(const char *path, struct err *err)
{
	return open_judged(path, source_not_private, err);
}

static bool read_open(int fd, const char *path, struct secret *secret,
	struct err *err)
{
	bool ok = fd >= 0 && secret_drain(fd, path, secret->text, SECRET_NEED,
		&secret->len, err);

	if (fd >= 0)
		close(fd);
	return ok;
}

bool secret_from_file(const struct secret_source *source,
	const struct secret_query *query, struct secret *secret,
	struct err *err)
{
	(void)query;
	return read_open(secret_open(source->text, err), source->text, secret,
		err);
}

/* systemd gives the service an access by ACL, which shows as group bits. */
static const char *open_to_all(struct arena *arena, const struct stat *st,
	const char *path)
{
	if (S_ISREG(st->st_mode) && (st->st_mode & 007) == 0)
		return NULL;
	return arena_printf(arena,
		"%s must be a regular file that not everybody can read; run: chmod o= %s",
		path, path_quote(arena, path));
}

bool secret_from_credential(const struct secret_source *source,
	const struct secret_query *query, struct secret *secret,
	struct err *err)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	struct arena *arena;
	const char *path;
	bool ok;

	(void)query;
	if (folder == NULL)
		return err_set(err, ERR_CONFIG,
			"the credential %s: CREDENTIALS_DIRECTORY is not set; systemd sets it for a service with LoadCredential=%s:PATH",
			source->text, source->text);
	arena = arena_new();
	path = arena_printf(arena, "%s/%s", folder, source->text);
	ok = read_open(open_judged(path, open_to_all, err), path, secret, err);
	arena_free(arena);
	return ok;
}
