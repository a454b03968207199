/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "delivery/mbox_excise.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/fsx.h"
#include "agent/base/log.h"
#include "delivery/lock.h"

#define BLOCK 4096

/* `len` bytes of foreign mail move from `from` to `at`. */
struct excision {
	uint64_t at, len, from;
};

/* Beside the staged message; recovery sweeps it away when all is done. */
static void saved_name(const struct item *item, char *out, size_t cap)
{
	if (item->at == 0)
		snprintf(out, cap, "%s.tail", item->name);
	else
		snprintf(out, cap, "%s.%" PRIu64 ".tail", item->name,
			item->at);
}

static int open_saved(struct dest *dest, const struct item *item, int flags,
	struct err *err)
{
	char name[ITEM_NAME + 32];
	int fd;

	saved_name(item, name, sizeof(name));
	fd = openat(dest->stage.dir, name, flags | O_NOFOLLOW | O_CLOEXEC,
		0600);
	if (fd < 0)
		err_sys(err, errno, "cannot open %s/%s", dest->stage.path,
			name);
	return fd;
}

static bool save(struct dest *dest, const struct item *item, uint64_t from,
	uint64_t len, struct err *err)
{
	int fd = open_saved(dest, item, O_WRONLY | O_CREAT | O_TRUNC, err);
	bool ok;

	if (fd < 0)
		return false;
	ok = fsx_copy(lock_fd(dest->lock), from, len, fd, dest->stage.path,
			err)
		&& fsx_sync(fd, dest->stage.path, err)
		&& fsx_sync_dir(dest->stage.dir, dest->stage.path, err);
	close(fd);
	return ok;
}

/* How many bytes at `at` are those of the saved mail. */
static bool moved_so_far(struct dest *dest, int saved, uint64_t at,
	uint64_t *moved_r, struct err *err)
{
	char ours[BLOCK], theirs[BLOCK];
	size_t got, there, i;

	*moved_r = 0;
	do {
		if (!fsx_pread(saved, ours, BLOCK, *moved_r, &got, dest->path,
			err)
		    || !fsx_pread(lock_fd(dest->lock), theirs, got,
			    at + *moved_r, &there, dest->path, err))
			return false;
		for (i = 0; i < there && ours[i] == theirs[i]; i++)
			;
		*moved_r += i;
	} while (got != 0 && i == got);
	return true;
}

static bool move(struct dest *dest, int saved, const struct excision *e,
	struct err *err)
{
	int mbox = lock_fd(dest->lock);
	uint64_t moved, unmoved;
	struct stat st;

	if (!moved_so_far(dest, saved, e->at, &moved, err)
	    || !moved_so_far(dest, saved, e->from, &unmoved, err))
		return false;
	if (moved == e->len)
		return true;
	if (fstat(mbox, &st) < 0)
		return err_sys(err, errno, "cannot look at %s", dest->path);
	if (unmoved == e->len && e->from + e->len != (uint64_t)st.st_size)
		return true;	/* more mail came: leave all where it is */
	/* Nothing is moved yet, or a part of it, at the end, by a move that
	 * was cut off. Anything else is mail of another program. */
	if ((unmoved == e->len || e->at + moved == (uint64_t)st.st_size)
	    && ftruncate(mbox, (off_t)e->at) < 0)
		return err_sys(err, errno, "cannot shorten %s", dest->path);
	return fsx_copy(saved, 0, e->len, mbox, dest->path, err)
		&& fsx_sync(mbox, dest->path, err);
}

static bool move_saved(struct dest *dest, struct item *item,
	const struct excision *e, struct err *err)
{
	int saved = open_saved(dest, item, O_RDONLY, err);
	bool ok;

	if (saved < 0)
		return false;
	ok = move(dest, saved, e, err);
	close(saved);
	return ok;
}

bool mbox_excise(struct dest *dest, struct item *item, uint64_t at,
	uint64_t foreign, struct err *err)
{
	const struct dest_env *env = dest->env;
	struct excision e = { at, 0, foreign };
	char text[96];
	struct stat st;

	if (fstat(lock_fd(dest->lock), &st) < 0)
		return err_sys(err, errno, "cannot look at %s", dest->path);
	e.len = (uint64_t)st.st_size - foreign;
	log_info("%s: taking out a message that was cut off at byte %" PRIu64,
		dest->path, at);
	snprintf(text, sizeof(text), "excise %" PRIu64 " %" PRIu64 " %" PRIu64,
		e.at, e.len, e.from);
	return save(dest, item, foreign, e.len, err)
		&& env->hint(env->arg, item, text, err)
		&& env->hint_sync(env->arg, err)
		&& move_saved(dest, item, &e, err);
}

bool mbox_excise_again(struct dest *dest, struct item *item, struct err *err)
{
	struct excision e;

	if (sscanf(item->hint, "excise %" SCNu64 " %" SCNu64 " %" SCNu64,
		&e.at, &e.len, &e.from) != 3)
		return true;
	return move_saved(dest, item, &e, err);
}
