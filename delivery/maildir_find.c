/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "delivery/maildir_find.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/fsx.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"

struct sought {
	const char *name;
	bool *found;
};

struct finder {
	const char *path;
	struct sought sought[LIMIT_BATCH_MESSAGES];	/* in order of names */
	size_t count;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct sought *)a)->name,
		((const struct sought *)b)->name);
}

/* Ours are unique and as long as one another, or nearly: none begins another
 * but where a reader has appended to it. */
static bool see(struct finder *f, const char *name)
{
	size_t low = 0, high = f->count, mid, len;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (strcmp(f->sought[mid].name, name) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == 0)
		return false;
	len = strlen(f->sought[low - 1].name);
	if (strncmp(f->sought[low - 1].name, name, len) != 0
	    || strchr(",:;!", name[len]) == NULL)
		return false;
	*f->sought[low - 1].found = true;
	return true;
}

static bool all_found(const struct finder *f)
{
	size_t i;

	for (i = 0; i < f->count; i++)
		if (!*f->sought[i].found)
			return false;
	return true;
}

static DIR *open_folder(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (fd >= 0 && dir == NULL)
		close(fd);
	return dir;
}

/* The messages of new/ or cur/. */
static bool read_messages(struct finder *f, int folder, const char *sub,
	struct err *err)
{
	DIR *dir = open_folder(folder, sub);
	struct dirent *entry;
	bool seen = false, ok;

	if (dir == NULL)
		return err_sys(err, errno, "cannot read %s of %s", sub,
			f->path);
	for (errno = 0; (entry = readdir(dir)) != NULL; errno = 0)
		seen |= see(f, entry->d_name);
	ok = errno == 0 || err_sys(err, errno, "cannot read %s of %s", sub,
		f->path);
	ok = ok && (!seen || fsx_sync_dir(dirfd(dir), f->path, err));
	closedir(dir);
	return ok;
}

static bool is_folder(const struct dirent *entry)
{
	static const char *const others[] = { ".", "..", "new", "cur", "tmp" };
	size_t i;

	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(entry->d_name, others[i]) == 0)
			return false;
	return entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN;
}

/* A folder that is no Maildir may hold some. */
static bool missing(int sys)
{
	return sys == ENOENT || sys == ENOTDIR || sys == ELOOP;
}

/* A folder that cannot be read shows nothing; a flush that fails is another
 * matter. */
static bool read_if_there(struct finder *f, int folder, const char *name,
	const char *sub, struct err *err)
{
	if (read_messages(f, folder, sub, err))
		return true;
	if (fsx_flush_failed())
		return false;
	if (!missing(err->sys))
		log_warn("looking for messages in the folder %s: %s", name,
			err->text);
	err_clear(err);
	return true;
}

static bool read_folders(struct finder *f, int root, unsigned int depth,
	struct err *err);

static bool read_folder(struct finder *f, int parent, const char *name,
	unsigned int depth, struct err *err)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW
		| O_CLOEXEC);
	bool ok;

	if (fd < 0) {
		if (!missing(errno))
			log_warn("cannot look for messages in the folder %s of %s: %s",
				name, f->path, strerror(errno));
		return true;
	}
	ok = read_if_there(f, fd, name, "new", err)
		&& read_if_there(f, fd, name, "cur", err)
		&& read_folders(f, fd, depth + 1, err);
	close(fd);
	return ok;
}

static bool read_folders(struct finder *f, int root, unsigned int depth,
	struct err *err)
{
	DIR *dir = depth < LIMIT_MAILDIR_DEPTH ? open_folder(root, ".") : NULL;
	struct dirent *entry;
	bool ok = true;

	if (dir == NULL)
		return true;
	while (ok && !all_found(f) && (entry = readdir(dir)) != NULL)
		if (is_folder(entry))
			ok = read_folder(f, root, entry->d_name, depth, err);
	closedir(dir);
	return ok;
}

static bool read_tree(struct finder *f, int root, struct err *err)
{
	return read_messages(f, root, "new", err)
		&& read_messages(f, root, "cur", err)
		&& read_folders(f, root, 0, err);
}

bool maildir_find(int root, const char *path, struct item *const *items,
	size_t n, bool *found, struct err *err)
{
	struct finder f = { .path = path };
	size_t i;

	for (i = 0; i < n; i++)
		f.sought[f.count++] = (struct sought){ items[i]->name,
			&found[i] };
	qsort(f.sought, f.count, sizeof(f.sought[0]), by_name);
	/* Twice: readdir can miss a file that is renamed meanwhile. */
	return read_tree(&f, root, err)
		&& (all_found(&f) || read_tree(&f, root, err));
}
