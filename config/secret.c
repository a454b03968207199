/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/secret.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/base/spawn.h"
#include "config/secret_priv.h"

/* Pages of its own: they can be locked, kept out of core dumps and children,
 * and freed as a whole. */
#define PAGE 4096
#define ROOM ((SECRET_NEED + PAGE - 1) / PAGE * PAGE)

/* All best effort: RLIMIT_MEMLOCK may be 0. A page is locked when it is first
 * used, where the system can do that: most secrets need only one. */
static void guard(void *pages)
{
#ifdef MLOCK_ONFAULT
	if (mlock2(pages, ROOM, MLOCK_ONFAULT) < 0)
#else
	if (mlock(pages, ROOM) < 0)
#endif
		errno = 0;
#ifdef MADV_DONTDUMP
	if (madvise(pages, ROOM, MADV_DONTDUMP) < 0)
		errno = 0;
#endif
}

static bool take_pages(struct secret *secret, struct err *err)
{
	void *p = mmap(NULL, ROOM, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return err_sys(err, errno, "no memory");
	secret->text = p;
	secret_lend(secret, false);
	return true;
}

void secret_lend(const struct secret *secret, bool lent)
{
	if (secret->text == NULL)
		return;
#ifdef MADV_DONTFORK
	if (madvise(secret->text, ROOM, lent ? MADV_DOFORK : MADV_DONTFORK) < 0)
		errno = 0;
#endif
	/* A child starts without locks. */
	if (!lent)
		guard(secret->text);
}

/* A person at a terminal may be asked by the program. */
static bool has_person(void)
{
	int fd = open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY);
	bool yes = fd >= 0 && tcgetpgrp(fd) == getpgrp();

	if (fd >= 0)
		close(fd);
	return yes;
}

static bool read_command(const struct secret_source *source,
	const struct secret_query *query, struct secret *secret,
	struct err *err)
{
	return spawn_capture(source->argv, query->hide,
		has_person() ? LIMIT_SECRET_PERSON_MS : LIMIT_SECRET_COMMAND_MS,
		secret->text, SECRET_NEED, &secret->len, err);
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
	secret_reader *read;
} kinds[] = {
	[SECRET_TEXT] = { "in the configuration", false, secret_from_text },
	[SECRET_FILE] = { "in the file ", true, secret_from_file },
	[SECRET_COMMAND] = { "printed by ", true, read_command },
	[SECRET_ENV] = { "in the environment variable ", false,
		secret_from_env },
	[SECRET_CREDENTIAL] = { "of the credential ", true,
		secret_from_credential },
	[SECRET_NETRC] = { "in the file ", false, secret_from_netrc },
	[SECRET_PROMPT] = { "entered", true, secret_from_prompt },
};

static_assert(sizeof(kinds) / sizeof(kinds[0]) == SECRET_PROMPT + 1,
	"one row for each kind");

static const char *detail(const struct secret_source *source)
{
	if (source->kind == SECRET_TEXT || source->kind == SECRET_PROMPT)
		return "";
	return source->kind == SECRET_COMMAND ? source->argv[0] : source->text;
}

static bool read_and_judge(const struct secret_source *source,
	const struct secret_query *query, struct secret *secret,
	struct err *err)
{
	if (!kinds[source->kind].read(source, query, secret, err)) {
		err_prefix(err, "%s", query->what);
		return false;
	}
	if (kinds[source->kind].trims)
		drop_newline(secret);
	if (judge(secret, err))
		return true;
	err_prefix(err, "%s: the value %s%s", query->what,
		kinds[source->kind].name, detail(source));
	return false;
}

bool secret_read(const struct secret_source *source,
	const struct secret_query *query, struct secret *secret_r,
	struct err *err)
{
	*secret_r = (struct secret){ NULL, 0 };
	if (source->kind == SECRET_NONE)
		return err_set(err, ERR_CONFIG, "%s: none is given",
			query->what);
	if (!take_pages(secret_r, err)) {
		err_prefix(err, "%s", query->what);
		return false;
	}
	if (read_and_judge(source, query, secret_r, err))
		return true;
	/* A part of it may be there. */
	secret_r->len = ROOM - 1;
	secret_wipe(secret_r);
	return false;
}

bool secret_copy(const struct secret *secret, struct secret *copy_r,
	struct err *err)
{
	*copy_r = (struct secret){ NULL, 0 };
	if (!take_pages(copy_r, err))
		return false;
	copy_r->len = secret->len;
	memcpy(copy_r->text, secret->text, secret->len + 1);
	return true;
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

void secret_wipe(struct secret *secret)
{
	if (secret->text != NULL) {
		/* Nothing has touched what is behind its end. */
		explicit_bzero(secret->text, secret->len + 1);
		munmap(secret->text, ROOM);
	}
	*secret = (struct secret){ NULL, 0 };
}
