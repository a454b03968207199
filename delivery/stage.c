/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "delivery/stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/utsname.h>
#include <sys/vfs.h>
#endif

#include "agent/base/clock.h"
#include "agent/base/digest.h"
#include "agent/base/fsx.h"
#include "agent/base/log.h"

/* From this many files on, one syncfs() is cheaper than flushing each. */
#define SYNCFS_FROM 8
#define SYNCFS_SLOW_MS 500

/* Maildir: '/' and ':' of the host name have other uses. */
static void host_name(char *out, size_t cap)
{
	char *c;

	if (gethostname(out, cap) < 0 || out[0] == '\0')
		snprintf(out, cap, "localhost");
	out[cap - 1] = '\0';
	for (c = out; *c != '\0'; c++)
		if (*c == '/' || *c == ':' || *c == ',' || *c <= ' ')
			*c = '_';
}

#ifdef __linux__
static bool since_linux_5_8(void)
{
	struct utsname system;
	unsigned int major, minor;

	return uname(&system) == 0
		&& sscanf(system.release, "%u.%u", &major, &minor) == 2
		&& (major > 5 || (major == 5 && minor >= 8));
}

/* Where syncfs() also makes directory entries durable and, since Linux 5.8,
 * reports every lost write to a descriptor opened before it. */
static bool syncfs_trusted(int dir)
{
	static const unsigned long types[] = {
		0xEF53 /* ext4 */, 0x58465342 /* xfs */,
		0x9123683E /* btrfs */, 0x01021994 /* tmpfs */,
	};
	struct statfs fs;
	size_t i;

	if (!since_linux_5_8() || fstatfs(dir, &fs) < 0)
		return false;
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if ((unsigned long)fs.f_type == types[i])
			return true;
	return false;
}
#endif

void stage_init(struct stage *stage, int dir, const char *path,
	const char *tag)
{
	struct stat st;

	memset(stage, 0, sizeof(*stage));
	stage->dir = dir;
	stage->path = path;
	stage->place = fstat(dir, &st) == 0 ? (uint64_t)st.st_ino : 0;
	stage->pack.fd = -1;
	snprintf(stage->tag, sizeof(stage->tag), "%s", tag);
	host_name(stage->host, sizeof(stage->host));
	stage->pid = (long)getpid();
#ifdef __linux__
	stage->slow_syncfs = !syncfs_trusted(dir);
#else
	stage->slow_syncfs = true;
#endif
}

static bool create(struct stage *stage, struct item *item, int flags,
	struct err *err)
{
	static unsigned int counter;
	int64_t seconds;
	long micros;

	clock_wall_us(&seconds, &micros);
	snprintf(item->name, sizeof(item->name),
		"%" PRId64 ".M%ldP%ldQ%uR%016" PRIx64 "T%s.%.30s", seconds,
		micros, stage->pid, ++counter, digest_random(),
		stage->tag, stage->host);
	item->state = ITEM_STAGED;
	item->hint[0] = '\0';
	item->place = stage->place;
	item->at = 0;
	item->packed = false;
	item->fd = openat(stage->dir, item->name, O_RDWR | O_CREAT | O_EXCL
		| O_NOFOLLOW | O_CLOEXEC | flags, 0600);
	if (item->fd >= 0)
		return true;
	return err_sys(err, errno, "cannot create a file in %s", stage->path);
}

bool stage_create(struct stage *stage, struct item *item, struct err *err)
{
	return create(stage, item, 0, err);
}

bool stage_pack(struct stage *stage, struct item *item, struct err *err)
{
	if (stage->pack.fd >= 0) {
		snprintf(item->name, sizeof(item->name), "%s",
			stage->pack.name);
		item->state = ITEM_STAGED;
		item->hint[0] = '\0';
		item->place = stage->place;
		item->fd = stage->pack.fd;
	} else {
		if (!create(stage, item, O_APPEND, err))
			return false;
		snprintf(stage->pack.name, sizeof(stage->pack.name), "%s",
			item->name);
		stage->pack.fd = item->fd;
		stage->pack.end = 0;
		stage->pack.named = false;
	}
	item->at = stage->pack.end;
	item->packed = true;
	return true;
}

void stage_seal(struct stage *stage, const struct item *item)
{
	if (item->packed)
		stage->pack.end = item->at + item->stored;
}

static bool is_whole(const struct stage *stage, const struct item *item,
	const struct stat *st)
{
	uint64_t size = (uint64_t)st->st_size;

	if (!S_ISREG(st->st_mode) || item->at > size)
		return false;
	return size - item->at == item->stored
		|| (stage->packs && size - item->at > item->stored);
}

bool stage_reopen(struct stage *stage, struct item *item, struct err *err)
{
	struct stat st;

	item->state = ITEM_VOID;
	item->fd = openat(stage->dir, item->name,
		O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (item->fd < 0) {
		if (errno == ENOENT)
			return true;
		return err_sys(err, errno, "cannot open %s/%s", stage->path,
			item->name);
	}
	if (fstat(item->fd, &st) < 0) {
		err_sys(err, errno, "cannot look at %s/%s", stage->path,
			item->name);
		stage_close(item);
		return false;
	}
	if (is_whole(stage, item, &st)) {
		item->state = ITEM_STAGED;
		return true;
	}
	stage_close(item);
	return true;
}

static bool sync_each(struct stage *stage, struct item *const *items, size_t n,
	struct err *err)
{
	size_t i;

	/* All at once; then each flush finds its file on its way. */
	for (i = 0; i < n; i++)
		fsx_start_writeback(items[i]->fd);
	for (i = 0; i < n; i++)
		if (!fsx_sync(items[i]->fd, items[i]->name, err))
			return false;
	return fsx_sync_dir(stage->dir, stage->path, err);
}

static bool sync_pack(struct stage *stage, struct err *err)
{
	if (!fsx_sync(stage->pack.fd, stage->pack.name, err))
		return false;
	stage->pack.named = stage->pack.named
		|| fsx_sync_dir(stage->dir, stage->path, err);
	return stage->pack.named;
}

bool stage_sync(struct stage *stage, struct item *const *items, size_t n,
	struct err *err)
{
#ifdef __linux__
	clock_ms start = clock_now();
#endif

	if (items[0]->packed)
		return sync_pack(stage, err);
#ifdef __linux__
	if (n >= SYNCFS_FROM && !stage->slow_syncfs) {
		if (syncfs(stage->dir) < 0)
			return err_sys(err, errno, "cannot flush %s to disk",
				stage->path);
		stage->slow_syncfs = clock_now() - start > SYNCFS_SLOW_MS;
		return true;
	}
#endif
	return sync_each(stage, items, n, err);
}

bool stage_read(const struct item *item, void *data, size_t len,
	uint64_t from, size_t *got_r, struct err *err)
{
	uint64_t left = from < item->stored ? item->stored - from : 0;

	return fsx_pread(item->fd, data, left < len ? (size_t)left : len,
		item->at + from, got_r, item->name, err);
}

void stage_close(struct item *item)
{
	if (item->fd >= 0 && !item->packed)
		close(item->fd);
	item->fd = -1;
}

static bool remove_file(struct stage *stage, const char *name,
	struct err *err)
{
	if (unlinkat(stage->dir, name, 0) == 0 || errno == ENOENT)
		return true;
	return err_sys(err, errno, "cannot remove %s/%s", stage->path, name);
}

void stage_end(struct stage *stage)
{
	struct err err = ERR_INIT;

	if (stage->pack.fd < 0)
		return;
	close(stage->pack.fd);
	stage->pack.fd = -1;
	if (stage->pack.end == 0
	    && !remove_file(stage, stage->pack.name, &err))
		log_err(LOG_LEVEL_WARN, &err);
}

static bool cut_pack(struct stage *stage, uint64_t at, struct err *err)
{
	/* Where the pack ends stands what is not sealed yet. */
	if (stage->pack.fd < 0 || at > stage->pack.end)
		return true;
	if (ftruncate(stage->pack.fd, (off_t)at) == 0) {
		stage->pack.end = at;
		return true;
	}
	/* What was to go stays; the next message begins behind it. */
	stage->pack.end = (uint64_t)lseek(stage->pack.fd, 0, SEEK_END);
	return err_sys(err, errno, "cannot shorten %s/%s", stage->path,
		stage->pack.name);
}

bool stage_remove(struct stage *stage, struct item *item, struct err *err)
{
	stage_close(item);
	return item->packed ? cut_pack(stage, item->at, err)
		: remove_file(stage, item->name, err);
}

void stage_clear(struct stage *stage, struct item *const *items, size_t n)
{
	struct err err = ERR_INIT;
	bool left = false, done;
	size_t i;

	for (i = 0; i < n; i++) {
		stage_close(items[i]);
		done = items[i]->state == ITEM_DELIVERED
			|| items[i]->state == ITEM_VOID;
		left |= !done;
		if (done && !stage->packs
		    && !remove_file(stage, items[i]->name, &err))
			log_err(LOG_LEVEL_WARN, &err);
	}
	if (left)
		stage_end(stage);
	else if (n != 0 && !cut_pack(stage, 0, &err))
		log_err(LOG_LEVEL_WARN, &err);
}

static bool has_tag(const struct stage *stage, const char *name)
{
	const char *tag;
	size_t len = strlen(stage->tag);

	/* The tag is hexadecimal and the host comes after it, so look for the
	 * last "T<tag>." rather than the last T. */
	for (tag = name; (tag = strchr(tag, 'T')) != NULL; tag++)
		if (strncmp(tag + 1, stage->tag, len) == 0
		    && tag[1 + len] == '.')
			return true;
	return false;
}

bool stage_sweep(struct stage *stage, bool (*keep)(void *arg, const char *name),
	void *arg, struct err *err)
{
	struct dirent *entry;
	DIR *dir;
	int fd;

	fd = openat(stage->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || (dir = fdopendir(fd)) == NULL) {
		err_sys(err, errno, "cannot read %s", stage->path);
		if (fd >= 0)
			close(fd);
		return false;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (!has_tag(stage, entry->d_name)
		    || keep(arg, entry->d_name))
			continue;
		log_debug("removing %s/%s, left by a pass that was cut off",
			stage->path, entry->d_name);
		if (unlinkat(stage->dir, entry->d_name, 0) < 0
		    && errno != ENOENT)
			log_warn("cannot remove %s/%s: %s", stage->path,
				entry->d_name, strerror(errno));
	}
	closedir(dir);
	return true;
}
