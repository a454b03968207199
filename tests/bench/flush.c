/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A library to preload: counts the flushes of all processes of a run in the
 * file that $BENCH_FLUSHES names (eight bytes), and makes each one take
 * $BENCH_FLUSH_US microseconds longer, as a disk would that has to move. With
 * $BENCH_HOLD_CHILDREN it also holds each child back until its parent sleeps:
 * for a program that loses a child that ends before it is waited for.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HOLD_STEP_US 20
#define HOLD_STEPS 10000

static atomic_ullong *counter;
static useconds_t delay;
static bool hold;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("BENCH_FLUSHES"), *us = getenv("BENCH_FLUSH_US");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *map;

	hold = getenv("BENCH_HOLD_CHILDREN") != NULL;
	if (us != NULL)
		delay = (useconds_t)strtoul(us, NULL, 10);
	if (fd < 0)
		return;
	map = mmap(NULL, sizeof(*counter), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (map != MAP_FAILED)
		counter = map;
}

static int flush(const char *name, int fd)
{
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);

	if (counter != NULL)
		atomic_fetch_add(counter, 1);
	if (delay != 0)
		usleep(delay);
	return real(fd);
}

int fsync(int fd)
{
	return flush("fsync", fd);
}

int fdatasync(int fd)
{
	return flush("fdatasync", fd);
}

int syncfs(int fd)
{
	return flush("syncfs", fd);
}

void sync(void)
{
	void (*real)(void) = (void (*)(void))dlsym(RTLD_NEXT, "sync");

	if (counter != NULL)
		atomic_fetch_add(counter, 1);
	usleep(delay);
	real();
}

static bool asleep(const char *stat)
{
	char line[256];
	int fd = open(stat, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, line, sizeof(line) - 1) : -1;
	const char *state;

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return true;
	line[n] = '\0';
	state = strrchr(line, ')');
	return state == NULL || strncmp(state, ") S", 3) == 0;
}

pid_t fork(void)
{
	pid_t (*real)(void) = (pid_t (*)(void))dlsym(RTLD_NEXT, "fork");
	pid_t parent = getpid(), child = real();
	char stat[32];

	if (child != 0 || !hold)
		return child;
	snprintf(stat, sizeof(stat), "/proc/%d/stat", (int)parent);
	for (int i = 0; i < HOLD_STEPS && !asleep(stat); i++)
		usleep(HOLD_STEP_US);
	return child;
}
