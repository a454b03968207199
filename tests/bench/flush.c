/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A library to preload: counts the flushes of all processes of a run in the
 * file that $BENCH_FLUSHES names (eight bytes), and makes each one take
 * $BENCH_FLUSH_US microseconds longer, as a disk would that has to move.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static atomic_ullong *counter;
static useconds_t delay;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("BENCH_FLUSHES"), *us = getenv("BENCH_FLUSH_US");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *map;

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
