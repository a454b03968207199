/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/secret.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/arena.h"
#include "agent/base/limits.h"
#include "agent/base/spawn.h"
#include "config/source.h"

/* The longest secret, its newline and a NUL, in pages of their own: they can
 * be locked and kept out of core dumps, and freed as a whole. */
#define NEED (LIMIT_SECRET + 2)
#define PAGE 4096
#define ROOM ((NEED + PAGE - 1) / PAGE * PAGE)

static bool take_pages(struct secret *secret, struct err *err)
{
	void *p = mmap(NULL, ROOM, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return err_sys(err, errno, "password: no memory");
	/* Both are best effort: RLIMIT_MEMLOCK may be 0. */
	if (mlock(p, ROOM) < 0)
		errno = 0;
#ifdef MADV_DONTDUMP
	if (madvise(p, ROOM, MADV_DONTDUMP) < 0)
		errno = 0;
#endif
	secret->text = p;
	return true;
}

/* What is too long is caught by judge(). */
static void copy(const char *text, struct secret *secret)
{
	secret->len = strnlen(text, NEED);
	memcpy(secret->text, text, secret->len);
}

static bool read_text(const struct secret_source *source,
	const char *const *hide, struct secret *secret, struct err *err)
{
	(void)hide;
	(void)err;
	copy(source->text, secret);
	return true;
}

static bool read_env(const struct secret_source *source,
	const char *const *hide, struct secret *secret, struct err *err)
{
	const char *value = getenv(source->text);

	(void)hide;
	if (value == NULL)
		return err_set(err, ERR_CONFIG,
			"the environment variable %s is not set",
			source->text);
	copy(value, secret);
	return true;
}

static bool drain(int fd, const char *path, struct secret *secret,
	struct err *err)
{
	ssize_t n = 1;

	while (n != 0 && secret->len < NEED) {
		n = read(fd, secret->text + secret->len, NEED - secret->len);
		if (n < 0 && errno != EINTR)
			return err_sys(err, errno, "cannot read %s", path);
		if (n > 0)
			secret->len += (size_t)n;
	}
	return true;
}

static bool file_is_private(const char *path, const struct stat *st,
	struct err *err)
{
	struct arena *arena = arena_new();
	const char *why = source_not_private(arena, st, path);

	if (why != NULL)
		err_set(err, ERR_CONFIG, "%s", why);
	arena_free(arena);
	return why == NULL;
}

static bool read_file(const struct secret_source *source,
	const char *const *hide, struct secret *secret, struct err *err)
{
	struct stat st;
	bool ok;
	int fd;

	(void)hide;
	fd = source_open(source->text, &st, err);
	if (fd < 0)
		return false;
	ok = file_is_private(source->text, &st, err)
		&& drain(fd, source->text, secret, err);
	close(fd);
	return ok;
}

static bool read_command(const struct secret_source *source,
	const char *const *hide, struct secret *secret, struct err *err)
{
	return spawn_capture(source->argv, hide, LIMIT_SECRET_COMMAND_MS,
		secret->text, NEED, &secret->len, err);
}

static void drop_newline(struct secret *secret)
{
	if (secret->len != 0 && secret->text[secret->len - 1] == '\n')
		secret->len--;
	secret->text[secret->len] = '\0';
}

/* A line break would begin a second POP3 command, a NUL would end the
 * password early in one place and not in another. */
static bool judge(const struct secret *secret, struct err *err)
{
	if (secret->len == 0)
		return err_set(err, ERR_CONFIG, "it is empty");
	if (secret->len > LIMIT_SECRET)
		return err_set(err, ERR_CONFIG, "it is longer than %d bytes",
			LIMIT_SECRET);
	if (memchr(secret->text, '\n', secret->len) != NULL)
		return err_set(err, ERR_CONFIG, "it has more than one line");
	if (memchr(secret->text, '\r', secret->len) != NULL)
		return err_set(err, ERR_CONFIG, "it has a CR, perhaps at its end");
	if (strlen(secret->text) != secret->len)
		return err_set(err, ERR_CONFIG, "it has a NUL");
	return true;
}

static const struct {
	const char *name;
	bool trims;		/* one newline at the end is not part of it */
	bool (*read)(const struct secret_source *source,
		const char *const *hide, struct secret *secret,
		struct err *err);
} kinds[] = {
	[SECRET_TEXT] = { "in the configuration", false, read_text },
	[SECRET_FILE] = { "in the file ", true, read_file },
	[SECRET_COMMAND] = { "printed by ", true, read_command },
	[SECRET_ENV] = { "in the environment variable ", false, read_env },
};

static_assert(sizeof(kinds) / sizeof(kinds[0]) == SECRET_ENV + 1,
	"one row for each kind");

static const char *detail(const struct secret_source *source)
{
	if (source->kind == SECRET_TEXT)
		return "";
	return source->kind == SECRET_COMMAND ? source->argv[0] : source->text;
}

static bool read_and_judge(const struct secret_source *source,
	const char *const *hide, struct secret *secret, struct err *err)
{
	if (!kinds[source->kind].read(source, hide, secret, err)) {
		err_prefix(err, "password");
		return false;
	}
	if (kinds[source->kind].trims)
		drop_newline(secret);
	if (judge(secret, err))
		return true;
	err_prefix(err, "password: the value %s%s",
		kinds[source->kind].name, detail(source));
	return false;
}

bool secret_read(const struct secret_source *source, const char *const *hide,
	struct secret *secret_r, struct err *err)
{
	*secret_r = (struct secret){ NULL, 0 };
	if (source->kind == SECRET_NONE)
		return err_set(err, ERR_CONFIG, "password: none is given");
	if (!take_pages(secret_r, err))
		return false;
	if (read_and_judge(source, hide, secret_r, err))
		return true;
	secret_wipe(secret_r);
	return false;
}

void secret_wipe(struct secret *secret)
{
	if (secret->text != NULL) {
		explicit_bzero(secret->text, ROOM);
		munmap(secret->text, ROOM);
	}
	*secret = (struct secret){ NULL, 0 };
}
