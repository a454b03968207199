/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "delivery/maildir_find.h"
#include "delivery/mbox_place.h"
#include "delivery/mbox_search.h"

/*
 * The rules by which recovery once went, and lost mail. The linker puts them in
 * the place of today's (--wrap), into a program that is otherwise the same: if
 * the sweeps do not find it, they would not find the next one.
 */

/* Behind the From_ line, and at the end. */
#define FIRST 466
#define LAST 64

bool __real_maildir_find(int root, const char *path,
	struct item *const *items, size_t n, bool *found, struct err *err);
bool __wrap_maildir_find(int root, const char *path,
	struct item *const *items, size_t n, bool *found, struct err *err);
bool __wrap_mbox_witness_compare(int fd, const char *path,
	const struct mbox_witness *w, enum mbox_since *since_r,
	struct err *err);
bool __wrap_mbox_search(int fd, const char *path, bool gzip, uint64_t from,
	struct mbox_sought *sought, size_t n, struct err *err);

/* What is no longer in tmp/ has been delivered. */
bool __wrap_maildir_find(int root, const char *path,
	struct item *const *items, size_t n, bool *found, struct err *err)
{
	int tmp = openat(root, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t i;

	if (!__real_maildir_find(root, path, items, n, found, err))
		return false;
	for (i = 0; i < n; i++)
		found[i] |= faccessat(tmp, items[i]->name, F_OK, 0) < 0;
	close(tmp);
	return true;
}

/* All of the file is searched, even if nothing was written to it. */
bool __wrap_mbox_witness_compare(int fd, const char *path,
	const struct mbox_witness *w, enum mbox_since *since_r,
	struct err *err)
{
	(void)fd;
	(void)path;
	(void)w;
	(void)err;
	*since_r = MBOX_OTHER;
	return true;
}

struct text {
	char *data;
	size_t len;
};

static struct text read_all(int fd)
{
	struct text text = { NULL, 0 };
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return text;
	text.data = malloc((size_t)st.st_size + 1);
	if (text.data == NULL)
		return text;
	n = pread(fd, text.data, (size_t)st.st_size, 0);
	text.len = n < 0 ? 0 : (size_t)n;
	return text;
}

static struct text read_staged(const struct item *item, struct err *err)
{
	struct text text = { malloc(item->stored + 1), 0 };
	size_t got = 1;

	while (text.data != NULL && got != 0 && stage_read(item,
		text.data + text.len, item->stored - text.len, text.len, &got,
		err))
		text.len += got;
	return text;
}

static struct text body(const char *data, size_t len)
{
	const char *lf = memchr(data, '\n', len);
	size_t lead = lf == NULL ? 0 : (size_t)(lf - data) + 1;

	return (struct text){ (char *)(uintptr_t)data + lead, len - lead };
}

/* Its beginning and its end decide; what lies between is not looked at. */
static bool resembles(struct text ours, struct text theirs)
{
	size_t first = ours.len < FIRST ? ours.len : FIRST;
	size_t last = ours.len < LAST ? ours.len : LAST;

	return theirs.len >= first && theirs.len >= last
		&& memcmp(ours.data, theirs.data, first) == 0
		&& memcmp(ours.data + ours.len - last,
			theirs.data + theirs.len - last, last) == 0;
}

static bool is_in(struct text mbox, struct text ours)
{
	const char *p = mbox.data, *end = p + mbox.len, *next;

	while (p < end) {
		next = memmem(p, (size_t)(end - p), "\nFrom ", 6);
		next = next == NULL ? end : next + 1;
		if (resembles(ours, body(p, (size_t)(next - p))))
			return true;
		p = next;
	}
	return false;
}

/* One place may serve any number of messages. */
bool __wrap_mbox_search(int fd, const char *path, bool gzip, uint64_t from,
	struct mbox_sought *sought, size_t n, struct err *err)
{
	struct text mbox = read_all(fd), ours;
	size_t i;

	(void)path;
	(void)gzip;
	(void)from;
	for (i = 0; i < n; i++) {
		sought[i].at = sought[i].end = 0;
		ours = read_staged(sought[i].item, err);
		if (is_in(mbox, body(ours.data, ours.len)))
			sought[i].item->state = ITEM_DELIVERED;
		free(ours.data);
	}
	free(mbox.data);
	return true;
}
