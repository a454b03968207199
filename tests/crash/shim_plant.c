/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE
#include "tests/crash/shim.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Faults that a program could have, planted into one that has not: if the
 * sweeps do not find these, they would not find others.
 */

static int wire = -1;			/* the connection, once there is a RETR */
static unsigned int retrieved;		/* messages 1 to this were asked for */

static bool has(enum flag flag)
{
	return shim_control != NULL
		&& (shim_control->flags & (uint32_t)flag) != 0;
}

bool plant_skips_sync(void)
{
	unsigned long long number;

	if (shim_control == NULL)
		return false;
	number = atomic_fetch_add(&shim_control->syncs, 1) + 1;
	return has(FLAG_NO_SYNC) || number == shim_control->skip_sync;
}

void plant_watch_send(int fd, const void *data, size_t len)
{
	const char *p = data, *end = p + len;

	while ((p = memmem(p, (size_t)(end - p), "RETR ", 5)) != NULL) {
		wire = fd;
		retrieved++;
		p += 5;
	}
}

static void say(const char *text)
{
	struct call call = { .kind = KIND_SEND, .data = text };

	shim_end(&call, syscall(SYS_sendto, wire, text, strlen(text),
		MSG_NOSIGNAL, NULL, 0));
}

/* Reads n lines, so that the program does not see them. */
static void hear(unsigned int n)
{
	char c;

	while (n > 0 && syscall(SYS_recvfrom, wire, &c, 1, 0, NULL, NULL) > 0)
		n -= c == '\n';
}

void plant_early_dele(void)
{
	char line[32];
	unsigned int i, n = retrieved;

	if (n == 0 || (!has(FLAG_EARLY_DELE) && !has(FLAG_EARLY_QUIT)))
		return;
	retrieved = 0;
	for (i = 1; i <= n; i++) {
		snprintf(line, sizeof(line), "DELE %u\r\n", i);
		say(line);
	}
	hear(n);
	if (has(FLAG_EARLY_QUIT)) {
		say("QUIT\r\n");
		hear(1);
	}
}

long plant_link_unlink(int from_dir, const char *from, int to_dir,
	const char *to)
{
	if (linkat(from_dir, from, to_dir, to, 0) == 0)
		return unlinkat(from_dir, from, 0);
	if (errno != EEXIST)
		return -1;
	return syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
}
