/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/state/ledger/priv.h"

#define WAYS_ON "Put back a copy of the file, or move it away and choose between fetch --baseline (nothing on the server is fetched) and --accept-new-state (all of it is)"

static bool damaged(const struct ledger *l, uint64_t line, struct err *err)
{
	return err_set(err, ERR_CONFIG, "%s is damaged at line %" PRIu64
		", before records that are known to be good. Nothing was changed. "
		WAYS_ON, l->path, line);
}

static bool cut_short(const struct ledger *l, uint64_t lines, struct err *err)
{
	return err_set(err, ERR_CONFIG, "%s is damaged: it ends behind line %"
		PRIu64 ", and was begun with %" PRIu64
		" lines. Nothing was changed. " WAYS_ON, l->path, lines,
		l->begun_with);
}

/* Its CRC is right, so no torn write and no failing disk has made it. */
static bool newer(const struct ledger *l, uint64_t line, struct err *err)
{
	return err_set(err, ERR_CONFIG, "%s was written by a newer postrider: line %"
		PRIu64 " is none that this version knows. Nothing was changed. Use the newer version, or put back a copy from before it",
		l->path, line);
}

/* What is read so far of a file. */
struct loader {
	struct ledger *ledger;
	uint32_t crc;
	uint64_t line;			/* number of the current line */
	uint64_t bad;			/* the first that was bad, or 0 */
	struct arena *texts;		/* of the current line */
};

static bool load_first(struct ledger *l, const struct record *r,
	struct err *err)
{
	if (r->type != RECORD_LEDGER || r->version < LEDGER_OLDEST
	    || r->version > LEDGER_VERSION)
		return err_set(err, ERR_CONFIG,
			"%s was not written by a postrider of this version", l->path);
	l->rename = strcmp(r->name, l->account) != 0;
	if (l->rename && !l->adopt)
		return err_set(err, ERR_CONFIG,
			"%s belongs to the account %s. If that was renamed to %s, run postrider fetch --accept-new-state %s once",
			l->path, r->name,
			l->account, l->account);
	l->version = r->version;
	/* Until the second line says more. */
	l->begun_with = l->version > 1 ? 2 : 0;
	l->least_id = r->id;
	snprintf(l->epoch, sizeof(l->epoch), "%s", r->text);
	l->created = l->noted = r->time;
	return true;
}

static bool load_second(struct ledger *l, const struct record *r,
	struct err *err)
{
	if (r->type != RECORD_FILE)
		return newer(l, 2, err);
	l->start = r->serial;
	l->begun_with = r->lines;
	return true;
}

static bool load_record(struct loader *load, const struct record *r,
	struct err *err)
{
	struct ledger *l = load->ledger;

	if (load->line == 1)
		return load_first(l, r, err);
	if (load->line == 2 && l->version > 1)
		return load_second(l, r, err);
	if (!ledger_apply(l, r))
		return newer(l, load->line, err);
	if (r->type == RECORD_MARK) {
		l->durable_id = l->next_id - 1;
		l->durable_lines = l->lines;
	}
	return true;
}

/* Lost in a power cut, unless something says that it was durable. */
static bool is_torn(struct loader *load, const char *line, size_t len,
	struct err *err)
{
	if (load->bad == 0)
		load->bad = load->line;
	return (load->bad > load->ledger->begun_with
			&& !record_is_mark(line, len, load->texts))
		|| damaged(load->ledger, load->bad, err);
}

static bool load_line(struct loader *load, const char *line, size_t len,
	struct err *err)
{
	struct ledger *l = load->ledger;
	uint32_t before = load->crc;
	struct record r;

	load->line++;
	arena_clear(load->texts);
	if (load->bad != 0)
		return is_torn(load, line, len, err);
	if (!record_decode(&r, &load->crc, line, len, load->texts))
		return record_fits(before, line, len)
			? newer(l, load->line, err)
			: is_torn(load, line, len, err);
	if (!load_record(load, &r, err))
		return false;
	l->crc = load->crc;
	l->lines++;
	return true;
}

/* A file of version 1 that was written anew was durable as far as that went,
 * and has a mark before the first record that was added to it. */
static bool is_old_beginning(const struct ledger *l)
{
	return l->version == 1 && l->least_id > 1 && l->durable_lines == 0;
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
	if (l->lines < l->begun_with)
		return cut_short(l, l->lines, err);
	if (load.bad != 0 && is_old_beginning(l))
		return damaged(l, load.bad, err);
	l->torn = load.bad != 0;
	return true;
}

/* RECORD_LEDGER is written whole before the file gets its name, so an empty
 * file was not made by us, or its disk has lost it. */
static bool check_empty(struct ledger *l, struct err *err)
{
	return l->epoch[0] != '\0' || err_set(err, ERR_CONFIG,
		"%s has no beginning. " WAYS_ON, l->path);
}

bool ledger_load(struct ledger *l, bool *there_r, struct err *err)
{
	FILE *file;
	bool ok;
	int fd;

	fd = openat(l->dir, LEDGER_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	*there_r = fd >= 0;
	if (fd < 0) {
		ledger_table_link(l);
		return errno == ENOENT
			|| err_sys(err, errno, "cannot open %s", l->path);
	}
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
	if (l->durable_lines < l->begun_with)
		l->durable_lines = l->begun_with;
	return ok;
}
