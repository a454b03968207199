#include "tests/server/eventlog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { EVENT_SIZE = 1001, HEAD_SIZE = 64 };

bool
eventlog_open(struct eventlog *log_r, const char *path)
{
	*log_r = (struct eventlog){ .fd = -1 };
	if (!path)
		return true;
	log_r->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (log_r->fd >= 0)
		return true;
	fprintf(stderr, "popd: %s: %s\n", path, strerror(errno));
	return false;
}

static char *
escape(char *at, const char *bytes, size_t len)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		unsigned char b = (unsigned char)bytes[i];

		if (b == '\\') {
			*at++ = '\\';
			*at++ = '\\';
		} else if (b >= ' ' && b <= '~') {
			*at++ = (char)b;
		} else {
			*at++ = '\\';
			*at++ = 'x';
			*at++ = hex[b >> 4];
			*at++ = hex[b & 15];
		}
	}
	return at;
}

void
eventlog_bytes(const struct eventlog *log, const char *word, const char *bytes, size_t len)
{
	const char *user = log->user ? log->user : "-";
	struct timespec now;
	char *line, *at;

	if (log->fd < 0)
		return;
	line = malloc(HEAD_SIZE + 4 * (strlen(user) + len) + strlen(word) + 4);
	if (!line)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	at = line + snprintf(line, HEAD_SIZE, "%lld.%06ld %lu ", (long long)now.tv_sec,
			     now.tv_nsec / 1000, log->connection);
	at = escape(at, user, strlen(user));
	at += sprintf(at, " %s", word);
	if (bytes) {
		*at++ = ' ';
		at = escape(at, bytes, len);
	}
	*at++ = '\n';
	if (write(log->fd, line, (size_t)(at - line)) < 0)
		perror("popd: log");
	free(line);
}

void
eventlog_event(const struct eventlog *log, const char *format, ...)
{
	char text[EVENT_SIZE];
	va_list args;
	char *space;

	if (log->fd < 0)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	space = strchr(text, ' ');
	if (space)
		*space++ = '\0';
	eventlog_bytes(log, text, space, space ? strlen(space) : 0);
}
