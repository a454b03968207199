/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/daemon/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/num.h"

/* There is one service manager for the process. */
static struct {
	int fd;
	int64_t watchdog_ms;
	struct sockaddr_un to;
	socklen_t len;
} manager = { .fd = -1 };

static bool take_address(const char *path)
{
	size_t len = strlen(path);

	if ((path[0] != '/' && path[0] != '@') || len < 2
	    || len >= sizeof(manager.to.sun_path))
		return false;
	memset(&manager.to, 0, sizeof(manager.to));
	manager.to.sun_family = AF_UNIX;
	memcpy(manager.to.sun_path, path, len);
	/* An abstract name begins with NUL and ends where it ends. */
	if (path[0] == '@')
		manager.to.sun_path[0] = '\0';
	else
		len++;
	manager.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path)
		+ len);
	return true;
}

static int64_t watchdog(void)
{
	const char *time = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");
	uint64_t usec, who;

	if (time == NULL || !num_u64(time, strlen(time), INT64_MAX, &usec)
	    || usec == 0)
		return 0;
	/* A parent may have been meant, which left its environment to us. */
	if (pid != NULL && (!num_u64(pid, strlen(pid), INT64_MAX, &who)
		|| who != (uint64_t)getpid()))
		return 0;
	return usec < 2000 ? 1 : (int64_t)(usec / 2000);
}

void notify_open(void)
{
	const struct timeval second = { 1, 0 };
	const char *path = getenv("NOTIFY_SOCKET");

	if (path != NULL && take_address(path)) {
		manager.fd = socket(AF_UNIX, SOCK_DGRAM, 0);
		if (manager.fd >= 0) {
			fcntl(manager.fd, F_SETFD, FD_CLOEXEC);
			setsockopt(manager.fd, SOL_SOCKET, SO_SNDTIMEO,
				&second, sizeof(second));
			manager.watchdog_ms = watchdog();
		}
	}
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

int notify_descriptor(void)
{
	return manager.fd;
}

void notify_close(void)
{
	if (manager.fd >= 0)
		close(manager.fd);
	manager.fd = -1;
	manager.watchdog_ms = 0;
}

static void tell(const char *words)
{
	ssize_t n;

	if (manager.fd < 0)
		return;
	do
		n = sendto(manager.fd, words, strlen(words), MSG_NOSIGNAL,
			(const struct sockaddr *)&manager.to, manager.len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		log_debug("cannot tell the service manager: %s",
			strerror(errno));
}

void notify_ready(void)
{
	tell("READY=1");
}

void notify_reloading(void)
{
	struct timespec now;
	char words[80];

	/* In full: the manager takes no answer from before its question. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(words, sizeof(words), "RELOADING=1\nMONOTONIC_USEC=%lld",
		(long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	tell(words);
}

void notify_stopping(void)
{
	tell("STOPPING=1");
}

void notify_status(const char *fmt, ...)
{
	char raw[512], line[512] = "STATUS=";
	size_t len = strlen(line);
	va_list ap;

	if (manager.fd < 0)
		return;
	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	log_escape(line + len, sizeof(line) - len, raw, strlen(raw));
	tell(line);
}

void notify_watchdog(void)
{
	if (manager.watchdog_ms != 0)
		tell("WATCHDOG=1");
}

int64_t notify_watchdog_ms(void)
{
	return manager.watchdog_ms;
}
