/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/parent/chan.h"

/* Packets between parent and worker: either may have been taken over, and
 * then sends whatever it likes. */

static struct err err = ERR_INIT;
static int ends[2];

static struct chan_packet packet(enum chan_type type)
{
	struct chan_packet p;

	memset(&p, 0, sizeof(p));
	p.type = type;
	return p;
}

/* Descriptors this process has open. */
static unsigned int open_fds(void)
{
	unsigned int n = 0;
	int fd;

	for (fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void open_pair(void)
{
	if (!chan_pair(ends, &err))
		exit(99);
}

static void close_pair(void)
{
	close(ends[0]);
	close(ends[1]);
}

/* Past chan_send(), with any size and any descriptors. */
static bool send_raw(const void *data, size_t len, const int *fds, size_t n)
{
	union {
		char room[CMSG_SPACE(8 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;
	char copy[2 * sizeof(struct chan_packet)];

	memcpy(copy, data, len);
	iov.iov_base = copy;
	iov.iov_len = len;
	memset(&control, 0, sizeof(control));
	if (n != 0) {
		msg.msg_control = control.room;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, n * sizeof(int));
	}
	return sendmsg(ends[0], &msg, 0) == (ssize_t)len;
}

/* Each type goes through and comes back byte for byte. */
static void test_types(void)
{
	static const enum chan_type types[] = { CHAN_PROGRESS, CHAN_SPAWN,
		CHAN_EXITED, CHAN_REPORT, CHAN_STOP };
	struct chan_packet p, got;
	size_t i;
	int fd = 7;

	open_pair();
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		p = packet(types[i]);
		memset(&got, 'x', sizeof(got));
		tap_ok(chan_send(ends[i % 2], &p, -1, CHAN_WAIT, &err)
			&& chan_recv(ends[1 - i % 2], &got, &fd, CHAN_WAIT, &err)
			&& fd == -1 && memcmp(&p, &got, sizeof(p)) == 0,
			"a packet of type %d", (int)types[i]);
	}
	tap_ok(fcntl(ends[0], F_GETFD) == FD_CLOEXEC
		&& fcntl(ends[1], F_GETFD) == FD_CLOEXEC,
		"both ends are closed on exec");
	close_pair();
}

/* One thing wrong in a packet. */
static const struct wrong {
	const char *name;
	enum chan_type type;
	size_t at;			/* of what is written over */
	uint32_t value;
	size_t fill;			/* so many bytes 'x' instead */
	bool refused;
} wrongs[] = {
	{ "type 0", CHAN_STOP, 0, 0, 0, true },
	{ "a type too high", CHAN_STOP, 0, CHAN_STOP + 1, 0, true },
	{ "the highest type", CHAN_STOP, 0, UINT32_MAX, 0, true },
	{ "the last phase", CHAN_PROGRESS, offsetof(struct chan_packet,
		progress.phase), PHASES - 1, 0, false },
	{ "a phase too high", CHAN_PROGRESS, offsetof(struct chan_packet,
		progress.phase), PHASES, 0, true },
	{ "the last class", CHAN_REPORT, offsetof(struct chan_packet,
		report.class), ERR_CONFIG, 0, false },
	{ "a class too high", CHAN_REPORT, offsetof(struct chan_packet,
		report.class), ERR_CONFIG + 1, 0, true },
	{ "an epoch that fits", CHAN_SPAWN, offsetof(struct chan_packet,
		spawn.epoch), 0, 23, false },
	{ "an epoch without end", CHAN_SPAWN, offsetof(struct chan_packet,
		spawn.epoch), 0, 24, true },
	{ "a sender that fits", CHAN_SPAWN, offsetof(struct chan_packet,
		spawn.sender), 0, LIMIT_SENDER, false },
	{ "a sender without end", CHAN_SPAWN, offsetof(struct chan_packet,
		spawn.sender), 0, LIMIT_SENDER + 1, true },
	{ "a newline in a sender", CHAN_SPAWN, offsetof(struct chan_packet,
		spawn.sender), '\n', 0, true },
	{ "output that fits", CHAN_EXITED, offsetof(struct chan_packet,
		exited.output), 0, LIMIT_MDA_OUTPUT - 1, false },
	{ "output without end", CHAN_EXITED, offsetof(struct chan_packet,
		exited.output), 0, LIMIT_MDA_OUTPUT, true },
	{ "a text that fits", CHAN_REPORT, offsetof(struct chan_packet,
		report.text), 0, 511, false },
	{ "a text without end", CHAN_REPORT, offsetof(struct chan_packet,
		report.text), 0, 512, true },
	{ "the server's words that fit", CHAN_REPORT,
		offsetof(struct chan_packet, report.server), 0, 255, false },
	{ "the server's words without end", CHAN_REPORT,
		offsetof(struct chan_packet, report.server), 0, 256, true },
	{ "ESC in a text", CHAN_REPORT, offsetof(struct chan_packet,
		report.text), 0x1b, 0, true },
	{ "a newline in output", CHAN_EXITED, offsetof(struct chan_packet,
		exited.output), '\n', 0, true },
	{ "DEL in the server's words", CHAN_REPORT,
		offsetof(struct chan_packet, report.server), 0x7f, 0, true },
};

static void test_wrong(const struct wrong *w)
{
	struct chan_packet p = packet(w->type), got;
	int fd;
	bool ok;

	open_pair();
	if (w->fill != 0)
		memset((char *)&p + w->at, 'x', w->fill);
	else
		memcpy((char *)&p + w->at, &w->value, sizeof(w->value));
	ok = send_raw(&p, sizeof(p), NULL, 0);
	memset(&err, 0, sizeof(err));
	tap_ok(ok && chan_recv(ends[1], &got, &fd, CHAN_WAIT, &err) == !w->refused
		&& (!w->refused || err.class == ERR_PROTO), "%s is %s",
		w->name, w->refused ? "refused" : "taken");
	close_pair();
}

static void test_sizes(void)
{
	static const size_t sizes[] = { 1, 4, sizeof(struct chan_packet) - 1,
		sizeof(struct chan_packet) + 1,
		2 * sizeof(struct chan_packet) };
	char data[2 * sizeof(struct chan_packet)];
	struct chan_packet p = packet(CHAN_STOP), got;
	size_t i;
	int fd;

	memset(data, 0, sizeof(data));
	memcpy(data, &p, sizeof(p));
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		open_pair();
		tap_ok(send_raw(data, sizes[i], NULL, 0)
			&& !chan_recv(ends[1], &got, &fd, CHAN_WAIT, &err)
			&& err.class == ERR_PROTO, "a packet of %zu bytes is "
			"refused", sizes[i]);
		tap_ok(send_raw(data, sizeof(p), NULL, 0)
			&& chan_recv(ends[1], &got, &fd, CHAN_WAIT, &err),
			"and takes nothing of the next one");
		close_pair();
	}
}

static void test_descriptor(void)
{
	struct chan_packet p = packet(CHAN_SPAWN), got;
	int pipes[2], fd = -1;
	char byte = 0;

	open_pair();
	if (pipe(pipes) < 0)
		exit(99);
	tap_ok(chan_send(ends[0], &p, pipes[1], CHAN_WAIT, &err)
		&& chan_recv(ends[1], &got, &fd, CHAN_WAIT, &err) && fd >= 0
		&& fd != pipes[1] && fcntl(fd, F_GETFD) == FD_CLOEXEC
		&& write(fd, "x", 1) == 1 && read(pipes[0], &byte, 1) == 1
		&& byte == 'x', "a descriptor goes along");
	close(fd);
	close(pipes[0]);
	close(pipes[1]);
	close_pair();
}

/* Descriptors nobody asked for, or too many, are refused and not kept. */
static void test_leaks(size_t n, bool wanted, bool good, size_t size)
{
	struct chan_packet p = packet(good ? CHAN_STOP : 0), got;
	int fds[8] = { 0, 1, 2, 0, 1, 2, 0, 1 }, fd = -1;
	char data[2 * sizeof(p)] = "";
	unsigned int before;
	bool taken;

	open_pair();
	memcpy(data, &p, sizeof(p));
	before = open_fds();
	taken = send_raw(data, size, fds, n)
		&& chan_recv(ends[1], &got, wanted ? &fd : NULL,
			CHAN_WAIT, &err);
	tap_ok(!taken && err.class == ERR_PROTO, "%zu descriptors%s with a "
		"packet %s: refused", n, wanted ? "" : " nobody asked for",
		size != sizeof(p) ? "of another size" : good ? "that is right"
		: "that is wrong");
	tap_ok(open_fds() == before, "and none is left open");
	close_pair();
}

static void test_gone(void)
{
	struct chan_packet p = packet(CHAN_STOP), got;
	int fd;

	open_pair();
	tap_ok(chan_send(ends[0], &p, -1, CHAN_WAIT, &err), "a last packet");
	close(ends[0]);
	tap_ok(chan_recv(ends[1], &got, &fd, CHAN_WAIT, &err), "is read after the end");
	tap_ok(!chan_recv(ends[1], &got, &fd, CHAN_WAIT, &err) && err.class == ERR_STOP,
		"then the other end is gone");
	tap_ok(!chan_send(ends[1], &p, -1, CHAN_WAIT, &err) && err.class == ERR_STOP,
		"which is told to who writes, too");
	close(ends[1]);
	open_pair();
	tap_ok(chan_send(ends[0], &p, -1, CHAN_WAIT, &err), "a packet that is not read");
	close(ends[1]);
	tap_ok(!chan_recv(ends[0], &got, &fd, CHAN_WAIT, &err) && err.class == ERR_STOP,
		"when the other end goes");
	close(ends[0]);
	open_pair();
	tap_ok(chan_send(ends[0], &p, -1, CHAN_WAIT, &err), "another such packet");
	p = packet(CHAN_REPORT);
	tap_ok(chan_send(ends[1], &p, -1, CHAN_WAIT, &err), "crosses a last one");
	close(ends[1]);
	tap_ok(chan_recv(ends[0], &got, &fd, CHAN_DONT_WAIT, &err)
		&& got.type == CHAN_REPORT, "which is not lost with it");
	tap_ok(!chan_recv(ends[0], &got, &fd, CHAN_DONT_WAIT, &err)
		&& err.class == ERR_STOP, "then the other end is gone");
	close(ends[0]);
}

/* The parent waits for nobody. */
static void test_no_waiting(void)
{
	struct chan_packet p = packet(CHAN_STOP), got;
	unsigned int n = 0;
	int fd;

	open_pair();
	tap_ok(!chan_recv(ends[0], &got, &fd, CHAN_DONT_WAIT, &err)
		&& err.class == ERR_RETRY, "nothing is there yet");
	while (n < 100000 && chan_send(ends[0], &p, -1, CHAN_DONT_WAIT, &err))
		n++;
	tap_ok(n > 0 && n < 100000 && err.class == ERR_RETRY,
		"there is no room any more");
	tap_ok(chan_recv(ends[1], &got, &fd, CHAN_DONT_WAIT, &err)
		&& got.type == CHAN_STOP, "what was sent is there");
	close(ends[0]);
	while (chan_recv(ends[1], &got, &fd, CHAN_DONT_WAIT, &err))
		n--;
	tap_ok(n == 1 && err.class == ERR_STOP, "all of it, then the end");
	close(ends[1]);
}

int main(void)
{
	size_t i;

	test_types();
	for (i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++)
		test_wrong(&wrongs[i]);
	test_sizes();
	test_descriptor();
	test_leaks(1, false, true, sizeof(struct chan_packet));
	test_leaks(3, false, true, sizeof(struct chan_packet));
	test_leaks(1, true, false, sizeof(struct chan_packet));
	test_leaks(1, true, true, sizeof(struct chan_packet) - 1);
	test_leaks(1, true, true, sizeof(struct chan_packet) + 1);
	test_leaks(2, true, true, sizeof(struct chan_packet));
	test_leaks(3, true, true, sizeof(struct chan_packet));
	test_leaks(8, true, true, sizeof(struct chan_packet));
	test_gone();
	test_no_waiting();
	return tap_done();
}
