/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/spawn.h"
#include "agent/net/resolve.h"

/* Names to addresses, and the helper that looks them up. */

static const struct order {
	const char *in, *out;		/* 4 and 6 for the families, in order */
} orders[] = {
	{ "4", "4" },
	{ "6", "6" },
	{ "64", "64" },
	{ "46", "46" },
	{ "444", "444" },
	{ "6644", "6464" },
	{ "4466", "4646" },
	{ "66664", "64666" },
	{ "46666", "46666" },
	{ "4644446", "4646444" },
	{ "6666666666666664", "6466666666666666" },
};

static void interleaves(const struct order *order)
{
	struct addresses a = { .count = strlen(order->in) };
	bool ok = true;
	size_t i, last[2] = { 0, 0 };
	int six;

	/* The place of each is kept in its length. */
	for (i = 0; i < a.count; i++) {
		a.list[i].addr.ss_family = order->in[i] == '6' ? AF_INET6
			: AF_INET;
		a.list[i].len = (socklen_t)i + 1;
	}
	resolve_interleave(&a);
	for (i = 0; i < a.count; i++) {
		six = a.list[i].addr.ss_family == AF_INET6;
		ok = ok && six == (order->out[i] == '6')
			&& a.list[i].len > last[six];
		last[six] = a.list[i].len;
	}
	tap_ok(ok && a.count == strlen(order->in), "%s becomes %s", order->in,
		order->out);
}

static void numbers(void)
{
	static const char *const hosts[] = { "127.0.0.1", "::1", "192.0.2.77",
		"2001:db8::995" };
	struct addresses a;
	struct err err = ERR_INIT;
	char text[64];
	size_t i;

	for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		tap_ok(resolve(hosts[i], 995, -1, clock_after(0), &a, &err)
			&& a.count == 1 && strcmp(resolve_text(&a.list[0],
			text, sizeof(text)), hosts[i]) == 0,
			"%s, with no time left", hosts[i]);
}

static void names(void)
{
	struct addresses a;
	struct err err = ERR_INIT;
	int stop[2];

	tap_ok(resolve("localhost", 995, -1, clock_after(20000), &a, &err)
		&& a.count != 0, "localhost");
	if (a.list[0].addr.ss_family == AF_INET)
		tap_ok(((struct sockaddr_in *)&a.list[0].addr)->sin_port
			== htons(995), "its port");
	tap_ok(!resolve("no-such-host.invalid", 995, -1, clock_after(60000),
		&a, &err) && err.class == ERR_RETRY && strncmp(err.text,
		"cannot find the host no-such-host.invalid: ", 43) == 0,
		"a name that does not exist: %s", err.text);
	if (pipe(stop) < 0 || write(stop[1], "", 1) != 1)
		return;
	tap_ok(!resolve("localhost", 995, stop[0], clock_after(20000), &a,
		&err) && err.class == ERR_STOP, "asked to stop");
}

static void tell_descriptors(void *arg, int out)
{
	char open_ones = 0;
	int fd;

	(void)arg;
	for (fd = 3; fd < 100; fd++)
		open_ones += fd != out && fcntl(fd, F_GETFD) >= 0;
	if (write(out, &open_ones, 1) != 1)
		return;
}

static void sleeps(void *arg, int out)
{
	(void)arg;
	(void)out;
	for (;;)
		pause();
}

static void helper(void)
{
	struct err err = ERR_INIT;
	int ours = open("/dev/null", O_RDONLY), fd = -1;
	pid_t pid = spawn_helper(tell_descriptors, NULL, &fd, &err);
	char open_ones = 99;

	tap_ok(pid > 0 && read(fd, &open_ones, 1) == 1 && open_ones == 0,
		"a helper has no descriptor but its own");
	close(fd);
	close(ours);
	tap_ok(spawn_end(pid, 20000) == 0, "it ends");
	pid = spawn_helper(sleeps, NULL, &fd, &err);
	tap_ok(pid > 0 && spawn_end(pid, 0) == 9, "one that stays is killed");
	tap_ok(read(fd, &open_ones, 1) == 0, "and its end is seen");
	close(fd);
}

int main(void)
{
	size_t i;

	for (i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		interleaves(&orders[i]);
	numbers();
	names();
	helper();
	return tap_done();
}
