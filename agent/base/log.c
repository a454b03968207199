/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/base/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

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

/* The one piece of state the whole process shares: where lines go. */
static struct {
	enum log_level level;
	enum log_format format;
	int fd;
	bool to_syslog, to_file, over_progress;
	const char *account;
} sink = { LOG_LEVEL_INFO, LOG_FORMAT_TEXT, STDERR_FILENO,
	false, false, false, NULL };

bool log_open(enum log_level level, enum log_format format,
	const char *target, struct err *err)
{
	int fd;

	sink.level = level;
	sink.format = format;
	sink.to_syslog = strcmp(target, "syslog") == 0;
	sink.to_file = false;
	sink.fd = STDERR_FILENO;
	if (sink.to_syslog) {
		openlog("postrider", LOG_PID, LOG_MAIL);
		return true;
	}
	if (strcmp(target, "stderr") == 0)
		return true;
	fd = open(target, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		err_sys(err, errno, "log: cannot open %s", target);
		err->class = ERR_CONFIG;
		return false;
	}
	sink.fd = fd;
	sink.to_file = true;
	return true;
}

void log_account(const char *name)
{
	sink.account = name;
}

void log_over_progress(bool on)
{
	sink.over_progress = on;
}

bool log_enabled(enum log_level level)
{
	return level <= sink.level;
}

char *log_escape(char *out, size_t cap, const char *s, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	size_t i, n = 0, width, room_for_dots = 0;
	unsigned char c;

	if (cap == 0)
		return out;
	for (i = 0; i < len; i++) {
		c = (unsigned char)s[i];
		width = c >= 0x20 && c < 0x7f ? 1 : 4;
		if (n + width >= cap)
			break;
		if (width == 1) {
			out[n] = (char)c;
		} else {
			out[n] = '\\';
			out[n + 1] = 'x';
			out[n + 2] = hex[c >> 4];
			out[n + 3] = hex[c & 15];
		}
		n += width;
		if (n + 3 < cap)
			room_for_dots = n;
	}
	out[n] = '\0';
	if (i < len)
		snprintf(out + room_for_dots, cap - room_for_dots, "...");
	return out;
}

static void stamp(char *out, size_t cap)
{
	time_t now = time(NULL);
	struct tm tm;

	if (localtime_r(&now, &tm) == NULL
	    || strftime(out, cap, "%Y-%m-%dT%H:%M:%S%z", &tm) == 0)
		snprintf(out, cap, "-");
}

static size_t text_line(char *out, size_t cap, enum log_level level,
	const char *words)
{
	char when[40] = "";
	int n;

	if (sink.to_file)
		stamp(when, sizeof(when));
	n = snprintf(out, cap, "%s%s%spostrider: %s%s%s%s\n",
		sink.over_progress && !sink.to_file ? "\r\033[J" : "",
		when, when[0] != '\0' ? " " : "",
		sink.account != NULL ? sink.account : "",
		sink.account != NULL ? ": " : "",
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
	char when[40], quoted[LINE];
	int n;

	stamp(when, sizeof(when));
	json_quote(quoted, sizeof(quoted), words);
	n = snprintf(out, cap,
		"{\"time\":\"%s\",\"level\":\"%s\",\"account\":\"%s\",\"message\":\"%s\"}\n", when,
		levels[level].name, sink.account != NULL ? sink.account : "",
		quoted);
	return (size_t)n < cap ? (size_t)n : cap - 1;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	char raw[LINE], words[LINE], line[2 * LINE];
	va_list ap;
	size_t n;
	int saved = errno;

	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	log_escape(words, sizeof(words), raw, strlen(raw));
	if (sink.to_syslog) {
		syslog(levels[level].priority, "%s%s%s",
			sink.account != NULL ? sink.account : "",
			sink.account != NULL ? ": " : "", words);
	} else {
		if (sink.format == LOG_FORMAT_JSON)
			n = json_line(line, sizeof(line), level, words);
		else
			n = text_line(line, sizeof(line), level, words);
		/* A log that cannot be written has nowhere to say so. */
		if (write(sink.fd, line, n) < 0)
			errno = saved;
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
