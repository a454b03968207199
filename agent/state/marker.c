/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/state/marker.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/digest.h"
#include "agent/base/fsx.h"
#include "agent/base/log.h"
#include "agent/base/num.h"

#define FIRST_WORD "postrider "
#define FOLDER (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

static void find_folder(struct marker *marker, const struct account *account)
{
	const struct deliver *d = &account->deliver;
	char copy[PATH_MAX];

	marker->folder[0] = '\0';
	if (d->path == NULL || strlen(d->path) >= sizeof(copy))
		return;
	snprintf(copy, sizeof(copy), "%s", d->path);
	snprintf(marker->folder, sizeof(marker->folder), "%s",
		d->kind == DELIVER_MBOX ? dirname(copy) : copy);
}

/* Several accounts may deliver to one folder, and one maildrop to several
 * mboxes of a folder. */
static void find_name(struct marker *marker, const struct account *account)
{
	const struct deliver *d = &account->deliver;
	struct digest digest;
	char key[900];

	snprintf(key, sizeof(key), "%.250s@%.250s:%" PRIu64 " %.250s",
		account->user, account->host, account->port,
		d->kind == DELIVER_MBOX ? strrchr(d->path, '/') : "");
	digest = digest_of(key, strlen(key));
	snprintf(marker->name, sizeof(marker->name), ".postrider-%s",
		digest.text);
}

/* The next word of a line, and what comes behind its one blank. */
static const char *take_word(const char *p, const char **word_r, size_t *len_r)
{
	*word_r = p;
	*len_r = strcspn(p, " \n");
	return p[*len_r] == ' ' ? p + *len_r + 1 : p + *len_r;
}

static const char *take_number(const char *p, uint64_t *number_r, bool *ok)
{
	const char *word;
	size_t len;

	p = take_word(p, &word, &len);
	*ok = *ok && num_u64(word, len, UINT64_MAX, number_r);
	return p;
}

/* "postrider EPOCH LAST ACCOUNT" and, since version 2 of the ledger, a second
 * line "SERIAL FIRST". */
static bool parse(const char *text, struct ledger_seal *seal)
{
	const char *p = text, *word, *second = strchr(text, '\n');
	size_t len;
	bool ok;

	memset(seal, 0, sizeof(*seal));
	ok = strncmp(p, FIRST_WORD, strlen(FIRST_WORD)) == 0;
	if (!ok)
		return false;
	p = take_word(p + strlen(FIRST_WORD), &word, &len);
	ok = len != 0 && len < sizeof(seal->epoch);
	p = take_number(p, &seal->last, &ok);
	if (!ok || p[0] == '\0' || p[0] == '\n')
		return false;
	/* An older one says of nothing that it was delivered. */
	seal->first = UINT64_MAX;
	if (second != NULL && second[1] != '\0') {
		p = take_number(second + 1, &seal->serial, &ok);
		take_number(p, &seal->first, &ok);
	}
	if (ok)
		memcpy(seal->epoch, word, len);
	return ok;
}

static void read_seal(struct marker *marker, int fd)
{
	char text[300] = "";

	marker->found = read(fd, text, sizeof(text) - 1) > 0
		&& parse(text, &marker->seal) ? MARKER_THERE : MARKER_SILENT;
}

/* Missing is what one sees to be missing. Any other error may be gone
 * tomorrow; a link in its place is somebody's prank. */
static enum marker_found not_opened(struct marker *marker)
{
	marker->error = errno;
	if (errno == ENOENT || errno == ENOTDIR)
		return MARKER_MISSING;
	return errno == ELOOP ? MARKER_SILENT : MARKER_UNKNOWN;
}

static void look(struct marker *marker, const char *name)
{
	int dir = open(marker->folder, FOLDER), fd;

	memset(&marker->seal, 0, sizeof(marker->seal));
	if (dir < 0) {
		marker->found = not_opened(marker);
		return;
	}
	/* A pipe must not hold us up. */
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		marker->found = not_opened(marker);
	} else {
		read_seal(marker, fd);
		close(fd);
	}
	close(dir);
}

void marker_read(struct marker *marker, const struct account *account)
{
	memset(marker, 0, sizeof(*marker));
	marker->found = MARKER_MISSING;
	find_folder(marker, account);
	if (marker->folder[0] == '\0')
		return;
	find_name(marker, account);
	look(marker, marker->name);
}

bool marker_check_missing(const struct marker *marker, const char *path,
	bool exists, struct err *err)
{
	if (exists || marker->found != MARKER_THERE)
		return true;
	return err_set(err, ERR_CONFIG,
		"%s holds no ledger, but mail of this account was delivered to %s before. " MARKER_WAYS_ON, path,
		marker->folder);
}

bool marker_check_age(const struct marker *marker, const char *path,
	const struct ledger *ledger, struct err *err)
{
	switch (ledger_compare(ledger, &marker->seal)) {
	case LEDGER_FOREIGN:
		return err_set(err, ERR_CONFIG,
			"%s holds another ledger than the one that delivered to %s. " MARKER_WAYS_ON, path,
			marker->folder);
	case LEDGER_OLD:
		return err_set(err, ERR_CONFIG,
			"%s holds an old copy of the ledger: later deliveries to %s are not in it. "
			MARKER_WAYS_ON, path, marker->folder);
	case LEDGER_CURRENT:
		break;
	}
	return true;
}

bool marker_check_place(const struct marker *marker, const char *noted,
	const struct account *account, const struct ledger *ledger,
	struct err *err)
{
	struct marker there = *marker;

	if (noted == NULL || marker->folder[0] == '\0')
		return true;
	/* The account's server may have another name now. */
	if (strcmp(noted, marker->name) != 0)
		look(&there, noted);
	if (there.found == MARKER_UNKNOWN)
		return err_sys(err, there.error, "cannot look at %s/%s",
			there.folder, noted);
	if (there.found != MARKER_MISSING
	    && ledger_compare(ledger, &there.seal) != LEDGER_FOREIGN)
		return true;
	return err_set(err, ERR_CONFIG,
		"%s is not the folder that mail was delivered to before (%s %s): its disk may not be mounted. Nothing is delivered there. Ways on: mount it; or, if the folder was made anew on purpose, run postrider fetch --accept-new-state %s once",
		there.folder, noted, there.found == MARKER_MISSING
		? "is missing there" : "there is another ledger's",
		account->name);
}

static int compose(char *text, size_t cap, const struct ledger_seal *seal,
	const struct account *account)
{
	return snprintf(text, cap, FIRST_WORD "%s %" PRIu64 " %s\n%" PRIu64
		" %" PRIu64 "\n", seal->epoch, seal->last, account->name,
		seal->serial, seal->first);
}

/* A pass of an older version has written it, and not flushed it. */
static bool flush(const struct marker *marker, int dir, struct err *err)
{
	int fd = openat(dir, marker->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK
		| O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return err_sys(err, errno, "cannot open %s/%s",
			marker->folder, marker->name);
	ok = fsx_sync(fd, marker->name, err);
	close(fd);
	return ok && fsx_sync_dir(dir, marker->folder, err);
}

static bool put(struct marker *marker, int dir, const struct account *account,
	const struct ledger *ledger, struct err *err)
{
	struct ledger_seal seal;
	char text[300];
	int n;

	ledger_seal(ledger, &seal);
	n = compose(text, sizeof(text), &seal, account);
	if (!fsx_replace_durably(dir, marker->name, text, (size_t)n, 0600,
		err))
		return false;
	marker->found = MARKER_THERE;
	marker->seal = seal;
	return true;
}

bool marker_place(struct marker *marker, const struct account *account,
	const struct ledger *ledger, bool anew, bool *placed_r,
	struct err *err)
{
	int dir = marker->folder[0] == '\0' ? -1 : open(marker->folder, FOLDER);

	*placed_r = false;
	if (dir < 0)
		return true;
	*placed_r = !anew && marker->found == MARKER_THERE
		? flush(marker, dir, err)
		: put(marker, dir, account, ledger, err);
	close(dir);
	if (*placed_r)
		return true;
	if (fsx_flush_failed())
		return false;
	log_err(LOG_LEVEL_DEBUG, err);
	err_clear(err);
	return true;
}

void marker_write(struct marker *marker, const struct account *account,
	struct ledger *ledger)
{
	struct err err = ERR_INIT;
	struct ledger_seal seal;
	char text[300];
	int dir, n;

	if (marker->folder[0] == '\0'
	    || !ledger_outgrew(ledger, &marker->seal))
		return;
	if (ledger_durable_id(ledger) + 1 < ledger_next_id(ledger)
	    && !ledger_sync(ledger, &err)) {
		log_err(LOG_LEVEL_DEBUG, &err);
		err_clear(&err);
	}
	if (!ledger_outgrew(ledger, &marker->seal))
		return;
	ledger_seal(ledger, &seal);
	dir = open(marker->folder, FOLDER);
	if (dir < 0)
		return;
	n = compose(text, sizeof(text), &seal, account);
	if (!fsx_replace(dir, marker->name, text, (size_t)n, 0600, &err))
		log_err(LOG_LEVEL_DEBUG, &err);
	else
		marker->seal = seal;
	close(dir);
}
