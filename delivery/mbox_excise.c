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
#include "delivery/mbox_find.h"

/* From `at` on, the mbox is to be the `len` bytes that are saved; `from` is
 * where all but the first `fresh` of them stand before. */
struct excision {
	uint64_t at, len, from, fresh;
	bool old;			/* noted by versions before 2 */
};

/* Beside the staged message; recovery sweeps it away when all is done. */
static void saved_name(const struct item *item, const struct excision *e,
	char *out, size_t cap)
{
	if (!e->old)
		snprintf(out, cap, "%s.%" PRIu64 ".%" PRIu64 ".tail",
			item->name, item->at, e->len);
	else if (item->at == 0)
		snprintf(out, cap, "%s.tail", item->name);
	else
		snprintf(out, cap, "%s.%" PRIu64 ".tail", item->name,
			item->at);
}

static int open_saved(struct dest *dest, const struct item *item,
	const struct excision *e, int flags, struct err *err)
{
	char name[ITEM_NAME + 64];
	int fd;

	saved_name(item, e, name, sizeof(name));
	fd = openat(dest->stage.dir, name, flags | O_NOFOLLOW | O_CLOEXEC,
		0600);
	if (fd < 0)
		err_sys(err, errno, "cannot open %s/%s", dest->stage.path,
			name);
	return fd;
}

/* Line ends, or what was saved before; behind them what is in the mbox. */
static bool write_saved(struct dest *dest, const struct excision *e,
	int before, int fd, struct err *err)
{
	uint64_t len = e->len - e->fresh;

	return (before < 0
			? fsx_write(fd, "\n\n", (size_t)e->fresh,
				dest->stage.path, err)
			: fsx_copy(before, 0, e->fresh, fd, dest->stage.path,
				err))
		&& fsx_copy(lock_fd(dest->lock), e->from, len, fd,
			dest->stage.path, err)
		&& fsx_sync(fd, dest->stage.path, err)
		&& fsx_sync_dir(dest->stage.dir, dest->stage.path, err);
}

static bool note(struct dest *dest, struct item *item,
	const struct excision *e, struct err *err)
{
	const struct dest_env *env = dest->env;
	char text[ITEM_HINT];

	snprintf(text, sizeof(text), "excise %" PRIu64 " %" PRIu64 " %" PRIu64
		" %" PRIu64, e->at, e->len, e->from, e->fresh);
	return env->hint(env->arg, item, text, err)
		&& env->hint_sync(env->arg, err);
}

/* The mbox is cut off, and gets what is saved. */
static bool move(struct dest *dest, int saved, const struct excision *e,
	struct err *err)
{
	int mbox = lock_fd(dest->lock);

	if (ftruncate(mbox, (off_t)e->at) < 0)
		return err_sys(err, errno, "cannot shorten %s", dest->path);
	return fsx_copy(saved, 0, e->len, mbox, dest->path, err)
		&& fsx_sync(mbox, dest->path, err);
}

/* `before`: what an excision that was cut off had saved, or -1. */
static bool excise(struct dest *dest, struct item *item, int before,
	struct excision *e, struct err *err)
{
	struct stat st;
	int saved;
	bool ok;

	if (fstat(lock_fd(dest->lock), &st) < 0)
		return err_sys(err, errno, "cannot look at %s", dest->path);
	e->len = e->fresh + (uint64_t)st.st_size - e->from;
	saved = open_saved(dest, item, e, O_RDWR | O_CREAT | O_TRUNC, err);
	if (saved < 0)
		return false;
	ok = write_saved(dest, e, before, saved, err)
		&& note(dest, item, e, err) && move(dest, saved, e, err);
	close(saved);
	return ok;
}

bool mbox_excise(struct dest *dest, struct item *item,
	const struct mbox_part *part, struct err *err)
{
	struct excision e = { .at = part->from, .from = part->to,
		.fresh = part->ends };

	log_info("%s: taking out a message that was cut off at byte %" PRIu64,
		dest->path, part->from);
	return excise(dest, item, -1, &e, err);
}

/* More mail came behind what was not moved yet, or in part. */
static bool start_over(struct dest *dest, struct item *item, int saved,
	const struct excision *e, uint64_t from, uint64_t fresh,
	struct err *err)
{
	struct excision anew = { .at = e->at, .from = from, .fresh = fresh };

	return excise(dest, item, saved, &anew, err);
}

/* The move was cut off, and perhaps blocks of it never reached the disk; what
 * is behind it is mail of another program. */
static bool move_rest(struct dest *dest, struct item *item, int saved,
	const struct excision *e, uint64_t until, struct err *err)
{
	uint64_t from;
	bool there;

	if (!mbox_begins(lock_fd(dest->lock), dest->path, dest->gzip, e->at,
		until, &from, &there, err))
		return false;
	if (there)
		return start_over(dest, item, saved, e, from, e->len, err);
	return fsx_copy(saved, 0, e->len, lock_fd(dest->lock), dest->path, err)
		&& fsx_sync(lock_fd(dest->lock), dest->path, err);
}

static bool go_on(struct dest *dest, struct item *item, int saved,
	const struct excision *e, struct err *err)
{
	const struct item all = { .fd = saved, .stored = e->len };
	const struct item rest = { .fd = saved, .at = e->fresh,
		.stored = e->len - e->fresh };
	struct mbox_match moved, unmoved;
	int mbox = lock_fd(dest->lock);
	struct stat st;

	if (!mbox_match(mbox, dest->path, &all, e->at, &moved, err)
	    || !mbox_match(mbox, dest->path, &rest, e->from, &unmoved, err))
		return false;
	if (moved.same == e->len)
		return true;
	if (fstat(mbox, &st) < 0)
		return err_sys(err, errno, "cannot look at %s", dest->path);
	if (unmoved.same == rest.stored
	    && e->from + rest.stored != (uint64_t)st.st_size)
		return start_over(dest, item, saved, e, e->from, e->fresh,
			err);
	if (unmoved.same == rest.stored
	    || (e->at <= (uint64_t)st.st_size
		&& e->at + moved.ours >= (uint64_t)st.st_size))
		return move(dest, saved, e, err);
	return move_rest(dest, item, saved, e, e->at + moved.ours, err);
}

bool mbox_excise_again(struct dest *dest, struct item *item, bool *was_r,
	struct err *err)
{
	struct excision e = { .fresh = 0 };
	int saved, n;
	bool ok;

	n = sscanf(item->hint, "excise %" SCNu64 " %" SCNu64 " %" SCNu64
		" %" SCNu64, &e.at, &e.len, &e.from, &e.fresh);
	*was_r = n >= 3 && e.fresh <= e.len;
	if (!*was_r)
		return true;
	e.old = n == 3;
	saved = open_saved(dest, item, &e, O_RDONLY, err);
	if (saved < 0)
		return false;
	ok = go_on(dest, item, saved, &e, err);
	close(saved);
	return ok;
}
