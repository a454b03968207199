#include "tests/server/maildrop.h"
#include "tests/server/message.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct message {
	char *name;
	const char *uid;
	size_t uid_len;
	uint64_t size;
	bool sized;
	bool deleted;
};

struct maildrop {
	int dir;
	int lock;
	bool raw;
	struct message *list;
	size_t n, room;
	char *uids;		/* the text of .uids, which messages point into */
	size_t last, last_before;
};

/* ---- opening ---- */

static bool
take_lock(struct maildrop *d, uint64_t wait_ms)
{
	const struct timespec ms = { 0, 1000000 };

	d->lock = openat(d->dir, ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (d->lock < 0)
		return false;
	while (flock(d->lock, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK || wait_ms-- == 0)
			return false;
		nanosleep(&ms, NULL);
	}
	return true;
}

static bool
is_message(int dir, const struct dirent *e)
{
	struct stat st;

	if (e->d_name[0] == '.')
		return false;
	if (e->d_type != DT_UNKNOWN)
		return e->d_type == DT_REG;
	return fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

static bool
add(struct maildrop *d, const char *name)
{
	struct message *m;

	if (d->n == d->room) {
		size_t room = d->room ? 2 * d->room : 64;

		m = realloc(d->list, room * sizeof *m);
		if (!m)
			return false;
		d->list = m;
		d->room = room;
	}
	m = &d->list[d->n];
	*m = (struct message){ .name = strdup(name) };
	if (!m->name)
		return false;
	m->uid = m->name;
	m->uid_len = strlen(name);
	d->n++;
	return true;
}

static int
by_name(const void *a, const void *b)
{
	const struct message *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static bool
scan(struct maildrop *d)
{
	int fd = openat(d->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	bool ok = true;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (ok && (e = readdir(dir)) != NULL)
		ok = !is_message(d->dir, e) || add(d, e->d_name);
	closedir(dir);
	if (d->n > 1)
		qsort(d->list, d->n, sizeof *d->list, by_name);
	return ok;
}

static struct message *
find(const struct maildrop *d, char *name)
{
	struct message key = { .name = name };

	return d->n ? bsearch(&key, d->list, d->n, sizeof key, by_name) : NULL;
}

/* The bytes of a small file in the maildrop; NULL if there is none. */
static char *
slurp(const struct maildrop *d, const char *name, size_t *len_r)
{
	int fd = openat(d->dir, name, O_RDONLY | O_CLOEXEC);
	char *data = NULL;
	struct stat st;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0)
		data = malloc((size_t)st.st_size + 1);
	if (data) {
		ssize_t n = pread(fd, data, (size_t)st.st_size, 0);

		*len_r = n > 0 ? (size_t)n : 0;
		data[*len_r] = '\0';
	}
	close(fd);
	return data;
}

static void
override_uids(struct maildrop *d)
{
	size_t len;
	char *at, *end;

	d->uids = slurp(d, ".uids", &len);
	if (!d->uids)
		return;
	at = d->uids;
	for (end = at + len; at < end;) {
		char *lf = memchr(at, '\n', (size_t)(end - at));
		char *stop = lf ? lf : end;
		char *tab = memchr(at, '\t', (size_t)(stop - at));
		struct message *m = NULL;

		if (tab) {
			*tab = '\0';
			m = find(d, at);
		}
		if (m) {
			m->uid = tab + 1;
			m->uid_len = (size_t)(stop - tab - 1);
		}
		at = stop + 1;
	}
}

static void
load_last(struct maildrop *d)
{
	size_t len = 0;
	char *name = slurp(d, ".last", &len);

	while (name && d->last < d->n && strcmp(d->list[d->last].name, name) <= 0)
		d->last++;
	d->last_before = d->last;
	free(name);
}

struct maildrop *
maildrop_open(const char *dir, bool raw, uint64_t wait_ms)
{
	struct maildrop *d = calloc(1, sizeof *d);
	int saved;

	if (!d)
		return NULL;
	d->raw = raw;
	d->lock = -1;
	d->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->dir >= 0 && take_lock(d, wait_ms) && scan(d)) {
		override_uids(d);
		load_last(d);
		return d;
	}
	saved = errno;
	maildrop_close(d);
	errno = saved;
	return NULL;
}

void
maildrop_close(struct maildrop *d)
{
	if (!d)
		return;
	if (d->lock >= 0)
		close(d->lock);
	if (d->dir >= 0)
		close(d->dir);
	for (size_t i = 0; i < d->n; i++)
		free(d->list[i].name);
	free(d->list);
	free(d->uids);
	free(d);
}

/* ---- looking ---- */

size_t
maildrop_count(const struct maildrop *d)
{
	return d->n;
}

bool
maildrop_has(const struct maildrop *d, size_t i)
{
	return i < d->n && !d->list[i].deleted;
}

const char *
maildrop_name(const struct maildrop *d, size_t i)
{
	return d->list[i].name;
}

const char *
maildrop_uid(const struct maildrop *d, size_t i, size_t *len_r)
{
	*len_r = d->list[i].uid_len;
	return d->list[i].uid;
}

int
maildrop_file(const struct maildrop *d, size_t i)
{
	return openat(d->dir, d->list[i].name, O_RDONLY | O_CLOEXEC);
}

uint64_t
maildrop_size(struct maildrop *d, size_t i)
{
	struct message *m = &d->list[i];
	int fd;

	if (m->sized)
		return m->size;
	m->sized = true;
	fd = maildrop_file(d, i);
	if (fd < 0)
		return 0;
	if (!message_size(fd, d->raw, &m->size))
		m->size = 0;
	close(fd);
	return m->size;
}

/* ---- changing ---- */

void
maildrop_delete(struct maildrop *d, size_t i)
{
	d->list[i].deleted = true;
}

void
maildrop_reset(struct maildrop *d)
{
	for (size_t i = 0; i < d->n; i++)
		d->list[i].deleted = false;
	d->last = d->last_before;
}

void
maildrop_touch(struct maildrop *d, size_t i)
{
	if (d->last < i + 1)
		d->last = i + 1;
}

size_t
maildrop_last(const struct maildrop *d)
{
	return d->last;
}

void
maildrop_save_last(const struct maildrop *d)
{
	const char *name = d->last > 0 ? d->list[d->last - 1].name : "";
	int fd = openat(d->dir, ".last", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		return;
	if (write(fd, name, strlen(name)) < 0)
		unlinkat(d->dir, ".last", 0);
	close(fd);
}

bool
maildrop_update(struct maildrop *d, void (*done)(void *arg, const char *name, bool gone),
		void *arg)
{
	bool all = true;

	for (size_t i = 0; i < d->n; i++) {
		bool gone;

		if (!d->list[i].deleted)
			continue;
		gone = unlinkat(d->dir, d->list[i].name, 0) == 0;
		done(arg, d->list[i].name, gone);
		all = all && gone;
	}
	return all;
}
