/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/command/progress.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/num.h"

#define REDRAW_MS 200
/* Above this a rate means something. */
#define RATE_AFTER_MS 500

static const char *const phases[] = {
	[PHASE_RECOVER] = "starting", [PHASE_CONNECT] = "connecting",
	[PHASE_LOGIN] = "logging in", [PHASE_LIST] = "listing",
	[PHASE_CHECK] = "checking", [PHASE_FETCH] = NULL,
	[PHASE_DELETE] = "deleting", [PHASE_QUIT] = "finishing",
};

static_assert(sizeof(phases) / sizeof(phases[0]) == PHASES,
	"one name for each phase");

void progress_init(struct progress *progress, bool quiet, bool may_be_live)
{
	const char *term = getenv("TERM");

	progress->quiet = quiet;
	progress->live = may_be_live && !quiet && isatty(STDERR_FILENO) && term != NULL
		&& strcmp(term, "dumb") != 0;
	progress->next = 0;
	log_over_progress(progress->live);
}

static void terminal_size(int *rows_r, int *columns_r)
{
	struct winsize size;

	*rows_r = 24;
	*columns_r = 80;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 1
	    && size.ws_col > 1) {
		*rows_r = size.ws_row;
		*columns_r = size.ws_col;
	}
}

/* "12/40 messages, 1.2 of 4.5 MB, 800 kB/s, 4s left" */
static void describe_fetch(const struct proc *proc, char *out, size_t cap)
{
	const struct report_progress *p = &proc->progress;
	char done[32], all[32], rate[32], left[32];
	uint64_t ms = (uint64_t)(clock_now() - proc->started), speed;
	size_t n;

	n = (size_t)snprintf(out, cap, "%" PRIu64 "/%" PRIu64
		" messages, %s of %s", p->messages, p->of_messages,
		num_format_size(done, sizeof(done), p->bytes),
		num_format_size(all, sizeof(all), p->of_bytes));
	if (n >= cap || ms < RATE_AFTER_MS || p->bytes == 0)
		return;
	speed = p->bytes * 1000 / ms;
	n += (size_t)snprintf(out + n, cap - n, ", %s/s",
		num_format_size(rate, sizeof(rate), speed));
	if (n < cap && speed != 0 && p->of_bytes > p->bytes)
		snprintf(out + n, cap - n, ", %s left", num_format_time(left,
			sizeof(left), (p->of_bytes - p->bytes) / speed + 1));
}

static void draw_line(const struct proc *proc, int columns)
{
	char text[400], detail[200];

	if (proc->progress.phase == PHASE_FETCH)
		describe_fetch(proc, detail, sizeof(detail));
	else
		snprintf(detail, sizeof(detail), "%s",
			phases[proc->progress.phase]);
	/* All of it is to fit into 80 columns, up to the time left. */
	snprintf(text, sizeof(text), "%-16s %s", proc->account->name, detail);
	fprintf(stderr, "%.*s\033[K\n", columns - 1, text);
}

/* The cursor stays at the first line of the block, so that whatever is
 * printed next clears the block and stands above it. */
void progress_draw(struct progress *progress, const struct parent *parent)
{
	struct parent_slot *const *active;
	int rows, columns, drawn = 0;
	size_t i, count;

	if (!progress->live || clock_left(progress->next) > 0)
		return;
	progress->next = clock_after(REDRAW_MS);
	active = parent_active(parent, &count);
	terminal_size(&rows, &columns);
	fputs("\r", stderr);
	for (i = 0; i < count && drawn < rows - 1; i++) {
		draw_line(&active[i]->proc, columns);
		drawn++;
	}
	fputs("\033[J", stderr);
	if (drawn != 0)
		fprintf(stderr, "\033[%dA", drawn);
	fflush(stderr);
}

clock_ms progress_next(const struct progress *progress, clock_ms otherwise)
{
	return progress->live ? clock_min(progress->next, otherwise)
		: otherwise;
}

static size_t add(char *out, size_t cap, size_t n, uint64_t count,
	const char *words)
{
	if (count == 0 || n >= cap)
		return n;
	return n + (size_t)snprintf(out + n, cap - n, ", %" PRIu64 " %s",
		count, words);
}

static void print_counts(const struct proc *proc)
{
	const struct report_counts *c = &proc->report.counts;
	char line[400], bytes[32];
	size_t n;

	if (c->baselined != 0)
		n = (size_t)snprintf(line, sizeof(line), "%" PRIu64
			" marked as seen", c->baselined);
	else if (c->fetched == 0 && c->delivered == 0)
		n = (size_t)snprintf(line, sizeof(line), "no new messages");
	else
		n = (size_t)snprintf(line, sizeof(line), "%" PRIu64
			" fetched (%s), %" PRIu64 " delivered", c->fetched,
			num_format_size(bytes, sizeof(bytes),
				c->fetched_bytes), c->delivered);
	n = add(line, sizeof(line), n, c->deferred, "refused, tried again later");
	n = add(line, sizeof(line), n, c->failed, "not handed over by the server");
	n = add(line, sizeof(line), n, c->waiting,
		"set aside (see postrider status)");
	n = add(line, sizeof(line), n, c->skipped, "skipped (too large)");
	n = add(line, sizeof(line), n, c->later, "left for the next pass");
	n = add(line, sizeof(line), n, c->deleted, "deleted on the server");
	add(line, sizeof(line), n, c->listed > c->deleted ? c->listed
		- c->deleted : 0, "left on the server");
	printf("%s: %s\n", proc->account->name, line);
	fflush(stdout);
}

static void clear(const struct progress *progress)
{
	if (progress->live) {
		fputs("\r\033[J", stderr);
		fflush(stderr);
	}
}

void progress_result(struct progress *progress, const struct proc *proc)
{
	const struct report *r = &proc->report;
	struct err err = ERR_INIT;

	clear(progress);
	progress->next = 0;
	if (r->class != ERR_NONE) {
		err_set(&err, (enum err_class)r->class, "%s", r->text);
		snprintf(err.server, sizeof(err.server), "%s", r->server);
		log_account(proc->account->name);
		log_err(LOG_LEVEL_ERROR, &err);
		log_account(NULL);
	}
	if (!progress->quiet && (r->class == ERR_NONE
		|| r->counts.fetched != 0 || r->counts.delivered != 0))
		print_counts(proc);
}

void progress_end(struct progress *progress)
{
	clear(progress);
	log_over_progress(false);
}
