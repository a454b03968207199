/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "agent/daemon/notify.h"
#include "tests/unit/scratch.h"

/* The words a service manager hears, on a real datagram socket. */

static int manager = -1;

static const char *heard(void)
{
	static char words[1024];
	ssize_t n = recv(manager, words, sizeof(words) - 1, MSG_DONTWAIT);

	words[n > 0 ? n : 0] = '\0';
	return words;
}

static bool hears(const char *words)
{
	const char *said = heard();
	bool ok = strcmp(said, words) == 0;

	if (!ok)
		tap_note("it heard \"%s\"", said);
	return ok;
}

/* The manager's end at `name`, which begins with @ if it is abstract. */
static void listen_at(const char *name)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	size_t len = strlen(name);

	scratch_need(len < sizeof(at.sun_path), "a path is too long");
	memcpy(at.sun_path, name, len);
	if (name[0] == '@')
		at.sun_path[0] = '\0';
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	scratch_need(manager >= 0 && bind(manager, (struct sockaddr *)&at,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len))
			== 0, "cannot listen");
}

static int64_t microseconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void test_words(void)
{
	char long_text[2000], twice[16];
	long long at = 0;
	int64_t before, after;

	notify_ready();
	tap_ok(hears("READY=1"), "ready");
	before = microseconds();
	notify_reloading();
	after = microseconds();
	tap_ok(sscanf(heard(), "RELOADING=1\nMONOTONIC_USEC=%lld%1s", &at,
			twice) == 1 && at >= before && at <= after,
		"reloading, and when to the microsecond");
	notify_stopping();
	tap_ok(hears("STOPPING=1"), "stopping");
	notify_status("%d accounts, %s", 3, "a\nREADY=1\x1b");
	tap_ok(hears("STATUS=3 accounts, a\\x0aREADY=1\\x1b"),
		"a status is one line, whatever is in it");
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	notify_status("%s", long_text);
	tap_ok(strlen(heard()) < 600, "and not long");
}

static void test_place(const char *name)
{
	listen_at(name);
	setenv("NOTIFY_SOCKET", name, 1);
	notify_open();
	tap_ok(getenv("NOTIFY_SOCKET") == NULL,
		"%s: not for our children", name);
	test_words();
	notify_watchdog();
	tap_ok(hears("") && notify_watchdog_ms() == 0, "no watchdog");
	notify_close();
	notify_ready();
	tap_ok(hears(""), "silent when closed");
	close(manager);
}

static const struct watch {
	const char *usec, *pid;		/* pid "" is ours */
	int64_t ms;
} watches[] = {
	{ "30000000", "", 15000 }, { "30000000", NULL, 15000 },
	{ "30000000", "1", 0 }, { "30000000", "x", 0 }, { "0", "", 0 },
	{ "-1", "", 0 }, { "1", "", 1 }, { "99999999999999999999", "", 0 },
	{ "5s", "", 0 }, { NULL, "", 0 },
};

static void test_watch(const struct watch *w)
{
	char pid[24];

	snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	setenv("NOTIFY_SOCKET", scratch_path("notify"), 1);
	if (w->usec != NULL)
		setenv("WATCHDOG_USEC", w->usec, 1);
	if (w->pid != NULL)
		setenv("WATCHDOG_PID", w->pid[0] != '\0' ? w->pid : pid, 1);
	notify_open();
	notify_watchdog();
	tap_ok(notify_watchdog_ms() == w->ms
		&& hears(w->ms != 0 ? "WATCHDOG=1" : "")
		&& getenv("WATCHDOG_USEC") == NULL
		&& getenv("WATCHDOG_PID") == NULL,
		"a watchdog of %s for %s: every %lld ms",
		w->usec != NULL ? w->usec : "nothing",
		w->pid != NULL ? w->pid : "anybody", (long long)w->ms);
	notify_close();
}

/* Nobody there, or no place that can be: none of this may do anything. */
static void test_nobody(const char *name)
{
	if (name != NULL)
		setenv("NOTIFY_SOCKET", name, 1);
	notify_open();
	notify_ready();
	notify_status("x");
	notify_reloading();
	notify_watchdog();
	notify_close();
	tap_ok(getenv("NOTIFY_SOCKET") == NULL, "nobody at %s",
		name != NULL ? name : "all");
}

/* A manager that has stopped reading does not stop us: its queue fills up with
 * the first words, and the last are lost. */
static void test_full(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	ssize_t n = 1;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	setenv("NOTIFY_SOCKET", scratch_path("notify"), 1);
	notify_open();
	snprintf(at.sun_path, sizeof(at.sun_path), "%s",
		scratch_path("notify"));
	while (n > 0)
		n = sendto(fd, "x", 1, MSG_DONTWAIT, (struct sockaddr *)&at,
			sizeof(at));
	notify_ready();
	tap_ok(hears("x"), "a manager that does not read");
	notify_close();
	close(fd);
}

int main(void)
{
	static char too_long[300];
	char abstract[64];
	size_t i;

	scratch_make("notify");
	snprintf(abstract, sizeof(abstract), "@postrider/test/%ld",
		(long)getpid());
	test_place(abstract);
	test_place(scratch_path("notify"));
	unlink(scratch_path("notify"));
	listen_at(scratch_path("notify"));
	for (i = 0; i < sizeof(watches) / sizeof(watches[0]); i++)
		test_watch(&watches[i]);
	test_full();
	memset(too_long, 'x', sizeof(too_long) - 1);
	too_long[0] = '/';
	test_nobody(NULL);
	test_nobody("");
	test_nobody("@");
	test_nobody("vsock:2:1");
	test_nobody(too_long);
	test_nobody(scratch_path("nobody"));
	scratch_end();
	return tap_done();
}
