/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/digest.h"
#include "agent/base/log.h"
#include "agent/ledger_priv.h"

static bool damaged(const struct ledger *l, size_t line, struct err *err)
{
	return err_set(err, ERR_CONFIG,
		"%s is damaged at line %zu, before records that are known to be good. Nothing was changed. Put back a copy of the file, or move it away and choose between fetch --baseline (nothing on the server is fetched) and --accept-new-state (all of it is)",
		l->path, line);
}

/* What is read so far of a file. */
struct loader {
	struct ledger *ledger;
	uint32_t crc;
	size_t line;			/* number of the current line */
	size_t bad;			/* the first that was bad, or 0 */
	struct arena *texts;		/* of the current line */
};

static bool load_header(struct ledger *l, const struct record *r,
	struct err *err)
{
	if (r->type != RECORD_LEDGER || r->version != LEDGER_VERSION)
		return err_set(err, ERR_CONFIG,
			"%s was not written by a postrider of this version", l->path);
	l->rename = strcmp(r->name, l->account) != 0;
	if (l->rename && !l->adopt)
		return err_set(err, ERR_CONFIG,
			"%s belongs to the account %s. If that was renamed to %s, run postrider fetch --accept-new-state %s once",
			l->path, r->name,
			l->account, l->account);
	l->least_id = r->id;
	snprintf(l->epoch, sizeof(l->epoch), "%s", r->text);
	l->created = r->time;
	return true;
}

static bool load_line(struct loader *load, const char *line, size_t len,
	struct err *err)
{
	struct ledger *l = load->ledger;
	struct record r;
	bool good;

	load->line++;
	arena_clear(load->texts);
	if (load->bad != 0)
		/* Lost in a power cut, unless something behind it says that
		 * it was durable. */
		return !record_is_mark(line, len, load->texts)
			|| damaged(l, load->bad, err);
	good = record_decode(&r, &load->crc, line, len, load->texts);
	if (good && load->line == 1) {
		if (!load_header(l, &r, err))
			return false;
	} else if (!good || !ledger_apply(l, &r)) {
		load->bad = load->line;
		return !record_is_mark(line, len, load->texts)
			|| damaged(l, load->bad, err);
	}
	if (r.type == RECORD_MARK)
		l->durable_id = l->next_id - 1;
	l->crc = load->crc;
	l->lines++;
	return true;
}

static bool load_file(struct ledger *l, FILE *file, struct err *err)
{
	struct loader load = { l, 0, 0, 0, arena_new() };
	size_t cap = 0;
	char *line = NULL;
	bool ok = true;
	ssize_t n;

	while (ok && (n = getline(&line, &cap, file)) > 0) {
		if (line[n - 1] == '\n')
			ok = load_line(&load, line, (size_t)n - 1, err);
		else if (load.bad == 0)
			load.bad = load.line + 1;
	}
	/* getline() ends for want of memory, too: what comes then must not be
	 * taken for missing. */
	if (ok && !feof(file))
		ok = err_sys(err, errno, "cannot read %s", l->path);
	free(line);
	arena_free(load.texts);
	if (!ok)
		return false;
	if (load.bad != 0) {
		log_info(
			"%s: the last write was cut off at line %zu; continuing from there",
			l->path, load.bad);
		l->torn = true;
	}
	return true;
}

static bool start_new(struct ledger *l, struct err *err)
{
	ledger_table_link(l);
	l->created = clock_wall();
	snprintf(l->epoch, sizeof(l->epoch), "%016" PRIx64, digest_random());
	return ledger_compact(l, err);
}

/* RECORD_LEDGER is written whole before the file gets its name, so an empty
 * file was not made by us, or its disk has lost it. */
static bool check_empty(struct ledger *l, struct err *err)
{
	return l->epoch[0] != '\0' || err_set(err, ERR_CONFIG,
		"%s has no beginning. Put back a copy of the file, or move it away and choose between fetch --baseline (nothing on the server is fetched) and --accept-new-state (all of it is)",
		l->path);
}

bool ledger_load_file(struct ledger *l, bool *there_r, struct err *err)
{
	FILE *file;
	bool ok;
	int fd;

	fd = openat(l->dir, LEDGER_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	*there_r = fd >= 0;
	if (fd < 0)
		return errno == ENOENT
			|| err_sys(err, errno, "cannot open %s", l->path);
	file = fdopen(fd, "r");
	if (file == NULL) {
		err_sys(err, errno, "cannot open %s", l->path);
		close(fd);
		return false;
	}
	ok = load_file(l, file, err) && check_empty(l, err);
	fclose(file);
	ledger_table_link(l);
	/* The last ids may have been compacted away; they are not used again. */
	if (l->next_id < l->least_id)
		l->next_id = l->least_id;
	if (l->durable_id + 1 < l->least_id)
		l->durable_id = l->least_id - 1;
	return ok;
}

bool ledger_load(struct ledger *l, struct err *err)
{
	bool there;

	if (!ledger_load_file(l, &there, err))
		return false;
	if (!there)
		return start_new(l, err);
	if (l->torn || l->rename)
		return ledger_compact(l, err);
	l->fd = openat(l->dir, LEDGER_FILE, O_WRONLY | O_APPEND | O_NOFOLLOW
		| O_CLOEXEC);
	return l->fd >= 0 || err_sys(err, errno, "cannot open %s", l->path);
}
