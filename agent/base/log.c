/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/base/log.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "agent/base/clock.h"
#include "agent/base/log_sink.h"

#define LINE 2048

static const struct {
	const char *name;
	int priority;
} levels[] = {
	[LOG_LEVEL_ERROR] = { "error", LOG_ERR },
	[LOG_LEVEL_WARN] = { "warning", LOG_WARNING },
	[LOG_LEVEL_INFO] = { "info", LOG_INFO },
	[LOG_LEVEL_DEBUG] = { "debug", LOG_DEBUG },
};

static_assert(sizeof(levels) / sizeof(levels[0]) == LOG_LEVEL_DEBUG + 1,
	"one row for each level");

/* The one piece of state the whole process shares, beside where lines go. */
static struct {
	enum log_level level;
	enum log_format format;
	bool over_progress;
	unsigned long lost;		/* lines since the last good one */
	const char *account;
} shape = { LOG_LEVEL_INFO, LOG_FORMAT_TEXT, false, 0, NULL };

bool log_open(enum log_level level, enum log_format format,
	const char *target, struct err *err)
{
	if (!log_sink_open(target, err))
		return false;
	shape.level = level;
	shape.format = format;
	return true;
}

void log_reopen(void)
{
	struct err err = ERR_INIT;

	if (!log_sink_follow(true, &err))
		log_err(LOG_LEVEL_ERROR, &err);
}

void log_patience(int ms)
{
	log_sink_patience(ms);
}

void log_account(const char *name)
{
	shape.account = name;
}

void log_over_progress(bool on)
{
	shape.over_progress = on;
}

bool log_enabled(enum log_level level)
{
	return level <= shape.level;
}

static void stamp(char *out, size_t cap)
{
	char day[24], zone[8];
	int64_t seconds;
	struct tm tm;
	long micros;
	time_t now;

	clock_wall_us(&seconds, &micros);
	now = (time_t)seconds;
	if (localtime_r(&now, &tm) == NULL
	    || strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm) == 0
	    || strftime(zone, sizeof(zone), "%z", &tm) == 0)
		snprintf(out, cap, "-");
	else
		snprintf(out, cap, "%s.%03d%s", day,
			(int)(micros / 1000) % 1000, zone);
}

/* What the sink needs in front of a line. */
static void lead_in(char *out, size_t cap, enum log_level level)
{
	out[0] = '\0';
	if (log_sink_kind() == LOG_SINK_JOURNAL)
		snprintf(out, cap, "<%d>", levels[level].priority);
	else if (shape.over_progress && log_sink_kind() != LOG_SINK_FILE)
		snprintf(out, cap, "\r\033[J");
}

static size_t text_line(char *out, size_t cap, enum log_level level,
	const char *words)
{
	enum log_sink sink = log_sink_kind();
	char when[40] = "", lead[16];
	int n;

	lead_in(lead, sizeof(lead), level);
	if (sink == LOG_SINK_FILE)
		stamp(when, sizeof(when));
	/* The journal knows who we are. */
	n = snprintf(out, cap, "%s%s%s%s%s%s%s%s\n", lead, when,
		when[0] != '\0' ? " " : "",
		sink != LOG_SINK_JOURNAL ? "postrider: " : "",
		shape.account != NULL ? shape.account : "",
		shape.account != NULL ? ": " : "",
		level == LOG_LEVEL_WARN ? "warning: " : "", words);
	return (size_t)n < cap ? (size_t)n : cap - 1;
}

/* The words are printable ASCII already; only two bytes need quoting. */
static void json_quote(char *out, size_t cap, const char *s)
{
	size_t n = 0;

	for (; *s != '\0' && n + 3 < cap; s++) {
		if (*s == '"' || *s == '\\')
			out[n++] = '\\';
		out[n++] = *s;
	}
	out[n] = '\0';
}

static size_t json_line(char *out, size_t cap, enum log_level level,
	const char *words)
{
	char when[40], quoted[LINE], lead[16];
	int n;

	lead_in(lead, sizeof(lead), level);
	stamp(when, sizeof(when));
	json_quote(quoted, sizeof(quoted), words);
	n = snprintf(out, cap,
		"%s{\"time\":\"%s\",\"level\":\"%s\",\"account\":\"%s\",\"message\":\"%s\"}\n", lead, when,
		levels[level].name, shape.account != NULL ? shape.account : "",
		quoted);
	return (size_t)n < cap ? (size_t)n : cap - 1;
}

static bool put_line(enum log_level level, const char *words)
{
	char line[2 * LINE];
	size_t n;

	if (shape.format == LOG_FORMAT_JSON)
		n = json_line(line, sizeof(line), level, words);
	else
		n = text_line(line, sizeof(line), level, words);
	return log_sink_put(line, n);
}

/* True when nothing is missing before the next line. */
static bool admit_losses(void)
{
	char words[80];

	if (shape.lost == 0)
		return true;
	snprintf(words, sizeof(words), "lines lost from the log here: %lu",
		shape.lost);
	if (!put_line(LOG_LEVEL_WARN, words))
		return false;
	shape.lost = 0;
	return true;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	char raw[LINE], words[LINE];
	struct err ignored = ERR_INIT;
	va_list ap;
	int saved = errno;

	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	log_escape(words, sizeof(words), raw, strlen(raw));
	if (log_sink_kind() == LOG_SINK_SYSLOG) {
		syslog(levels[level].priority, "%s%s%s",
			shape.account != NULL ? shape.account : "",
			shape.account != NULL ? ": " : "", words);
	} else {
		/* The old file will do as long as there is no other. */
		if (!log_sink_follow(false, &ignored))
			err_clear(&ignored);
		if (!admit_losses() || !put_line(level, words))
			shape.lost++;
	}
	errno = saved;
}

void log_err(enum log_level level, const struct err *err)
{
	if (err->server[0] != '\0')
		log_write(level, "%s; the server said: %s", err->text,
			err->server);
	else
		log_write(level, "%s", err->text);
}
