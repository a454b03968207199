/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/marker.h"

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

#define WAYS_ON "Ways on: put the right ledger back; postrider fetch " \
	"--baseline marks what is on the server as seen; postrider fetch " \
	"--accept-new-state goes on and may fetch messages a second time"

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

static void read_line(struct marker *marker, int fd)
{
	static const char first[] = "postrider ";
	char text[200] = "", *epoch = text + strlen(first), *last, *end;

	if (read(fd, text, sizeof(text) - 1) <= 0
	    || strncmp(text, first, strlen(first)) != 0
	    || (last = strchr(epoch, ' ')) == NULL
	    || (end = strchr(last + 1, ' ')) == NULL)
		return;
	*last++ = '\0';
	marker->there = strlen(epoch) < sizeof(marker->epoch)
		&& num_u64(last, (size_t)(end - last), UINT64_MAX,
			&marker->last);
	snprintf(marker->epoch, sizeof(marker->epoch), "%s", epoch);
}

void marker_read(struct marker *marker, const struct account *account)
{
	const struct deliver *d = &account->deliver;
	char key[900];
	struct digest digest;
	int dir, fd;

	memset(marker, 0, sizeof(*marker));
	find_folder(marker, account);
	if (marker->folder[0] == '\0')
		return;
	/* Several accounts may deliver to one folder, and one maildrop to
	 * several mboxes of a folder. */
	snprintf(key, sizeof(key), "%.250s@%.250s:%" PRIu64 " %.250s",
		account->user, account->host, account->port,
		d->kind == DELIVER_MBOX ? strrchr(d->path, '/') : "");
	digest = digest_of(key, strlen(key));
	snprintf(marker->name, sizeof(marker->name), ".postrider-%s",
		digest.text);
	dir = open(marker->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return;
	fd = openat(dir, marker->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0) {
		read_line(marker, fd);
		close(fd);
	}
	close(dir);
}

bool marker_check_missing(const struct marker *marker, const char *path,
	bool exists, struct err *err)
{
	if (exists || !marker->there)
		return true;
	return err_set(err, ERR_CONFIG,
		"%s holds no ledger, but mail of this account was delivered to %s before. " WAYS_ON, path,
		marker->folder);
}

bool marker_check_age(const struct marker *marker, const char *path,
	const struct ledger *ledger, struct err *err)
{
	if (!marker->there)
		return true;
	if (strcmp(marker->epoch, ledger_epoch(ledger)) != 0)
		return err_set(err, ERR_CONFIG,
			"%s holds another ledger than the one that delivered to %s. " WAYS_ON, path,
			marker->folder);
	if (marker->last >= ledger_next_id(ledger))
		return err_set(err, ERR_CONFIG,
			"%s holds an old copy of the ledger: later deliveries to %s are not in it. "
			WAYS_ON, path, marker->folder);
	return true;
}

/* Nothing was delivered, or the marker tells of the message `last` already. */
static bool tells_of(const struct marker *marker, const struct ledger *ledger,
	uint64_t last)
{
	if (!marker->there)
		return last == 0;
	return marker->last == last
		&& strcmp(marker->epoch, ledger_epoch(ledger)) == 0;
}

void marker_write(const struct marker *marker, const struct account *account,
	struct ledger *ledger)
{
	struct err err = ERR_INIT;
	char text[200];
	uint64_t last = ledger_next_id(ledger) - 1;
	int dir, n;

	if (marker->folder[0] == '\0' || tells_of(marker, ledger, last))
		return;
	if (ledger_durable_id(ledger) < last && !ledger_sync(ledger, &err)) {
		log_err(LOG_LEVEL_DEBUG, &err);
		err_clear(&err);
	}
	last = ledger_durable_id(ledger);
	if (tells_of(marker, ledger, last))
		return;
	dir = open(marker->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return;
	n = snprintf(text, sizeof(text), "postrider %s %" PRIu64 " %s\n",
		ledger_epoch(ledger), last, account->name);
	if (!fsx_replace(dir, marker->name, text, (size_t)n, 0600, &err))
		log_err(LOG_LEVEL_DEBUG, &err);
	close(dir);
}
