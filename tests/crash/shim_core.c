/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE
#include "tests/crash/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * The calls themselves are made with syscall(2) throughout: no wrapper calls
 * another one, and nothing here depends on what the program links.
 */

#define FILES 1024

struct control *shim_control;
enum role shim_role;

static struct shim_file files[FILES];

extern void *__libc_malloc(size_t);
extern void __libc_free(void *);

/* Before main() of every program of the run. */
__attribute__((constructor))
static void attach(void)
{
	const char *path = getenv("CRASH_CONTROL"), *role = getenv("CRASH_ROLE");
	struct control *c = MAP_FAILED;
	struct stat st;
	long fd;

	if (path == NULL)
		return;
	fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
	if (fd >= 0 && fstat((int)fd, &st) == 0 && st.st_size > SHIM_PAGE)
		c = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
			MAP_SHARED, (int)fd, 0);
	if (fd >= 0)
		syscall(SYS_close, fd);
	if (c == MAP_FAILED || c->magic != SHIM_MAGIC
	    || c->version != SHIM_VERSION) {
		fprintf(stderr, "shim: %s is no control block\n", path);
		_exit(99);
	}
	shim_role = role != NULL ? (enum role)atoi(role) : ROLE_PARENT;
	shim_control = c;
	shim_enlist(getpid(), shim_role);
}

void shim_enlist(pid_t pid, enum role role)
{
	struct control *c = shim_control;
	unsigned int i;

	if (c == NULL)
		return;
	i = atomic_fetch_add(&c->pids, 1);
	if (i < SHIM_PIDS) {
		c->pid[i].role = (uint32_t)role;
		c->pid[i].pid = pid;
	}
}

static void end_self(void)
{
	syscall(SYS_kill, (pid_t)syscall(SYS_getpid), SIGKILL);
	/* A sandbox forbids it: die otherwise, but at once. */
	__builtin_trap();
}

static void signal_others(const struct control *c, int sig, bool everybody,
	enum role role)
{
	pid_t self = (pid_t)syscall(SYS_getpid);
	unsigned int i;

	for (i = 0; i < SHIM_PIDS && i < c->pids; i++)
		if (c->pid[i].pid > 0 && c->pid[i].pid != self
		    && (everybody || c->pid[i].role == (uint32_t)role))
			syscall(SYS_kill, c->pid[i].pid, sig);
}

static void end_victim(void)
{
	const struct control *c = shim_control;

	switch ((enum victim)c->victim) {
	case VICTIM_PARENT:
		signal_others(c, SIGKILL, false, ROLE_PARENT);
		if (shim_role == ROLE_PARENT)
			end_self();
		return;
	case VICTIM_WORKER:
		signal_others(c, SIGKILL, false, ROLE_WORKER);
		if (shim_role == ROLE_WORKER)
			end_self();
		return;
	case VICTIM_ALL:
		signal_others(c, SIGKILL, true, ROLE_PARENT);
		break;
	case VICTIM_CALLER:
		break;
	}
	end_self();
}

/* As a person or an init system does it. */
static void ask_to_end(const struct control *c)
{
	signal_others(c, SIGTERM, false, ROLE_PARENT);
	if (shim_role == ROLE_PARENT)
		syscall(SYS_kill, (pid_t)syscall(SYS_getpid), SIGTERM);
}

static bool hit(const struct control *c, uint64_t number)
{
	if (c->at == 0 || number < c->at)
		return false;
	if (number == c->at || c->how_long == HIT_FOREVER)
		return true;
	return c->how_long == HIT_EVERY_OTHER && (number - c->at) % 2 == 0;
}

struct call shim_begin(enum kind kind)
{
	struct call call = { .kind = kind };
	struct control *c = shim_control;

	if (c == NULL || (c->kinds >> kind & 1) == 0
	    || (c->roles >> shim_role & 1) == 0)
		return call;
	call.number = atomic_fetch_add(&c->count, 1) + 1;
	if (!hit(c, call.number))
		return call;
	call.action = (enum action)c->action;
	atomic_fetch_add(&c->hits, 1);
	if (call.action == ACTION_KILL_BEFORE)
		end_victim();
	if (call.action == ACTION_TERM)
		ask_to_end(c);
	if (call.action == ACTION_STOP)
		syscall(SYS_kill, (pid_t)syscall(SYS_getpid), SIGSTOP);
	return call;
}

bool shim_fails(const struct call *call)
{
	if (call->action != ACTION_FAIL)
		return false;
	errno = shim_control->error;
	return true;
}

size_t shim_part(const struct call *call, size_t len)
{
	switch (call->action) {
	case ACTION_KILL_HALF:
		return len / 2;
	case ACTION_KILL_LAST:
		return len == 0 ? 0 : len - 1;
	case ACTION_SHORT_HALF:
		return len < 2 ? len : len / 2;
	case ACTION_SHORT_LAST:
		return len < 2 ? len : len - 1;
	default:
		return len;
	}
}

static char *put(char *out, const void *data, size_t len)
{
	if (len != 0)
		memcpy(out, data, len);
	return out + len;
}

/*
 * A record is claimed by its size, in one step: a process that is killed
 * behind it leaves a record that is passed over, and not the log's end.
 */
static struct record *claim(struct control *c, size_t size)
{
	uint64_t at = atomic_load(&c->log_used);
	struct record *r;
	uint32_t there;

	do {
		if (at + size > c->log_size) {
			c->log_lost = 1;
			return NULL;
		}
		r = (struct record *)(void *)((char *)c + SHIM_PAGE + at);
		there = 0;
		if (!atomic_compare_exchange_strong(&r->size, &there,
			(uint32_t)size))
			at += there;
	} while (there != 0);
	atomic_store(&c->log_used, at + size);
	return r;
}

static void log_call(const struct call *call, long result, int error)
{
	size_t path = call->path ? strlen(call->path) : 0;
	size_t other = call->other ? strlen(call->other) : 0;
	size_t data = call->data && result > 0 ? (size_t)result : 0;
	size_t size = (sizeof(struct record) + path + other + data + 7)
		& ~(size_t)7;
	struct record *r = claim(shim_control, size);
	char *out;

	if (r == NULL)
		return;
	r->role = (uint8_t)shim_role;
	r->hit = call->action != ACTION_NONE;
	r->pid = (pid_t)syscall(SYS_getpid);
	r->file = call->file;
	r->number = call->number;
	r->result = result;
	r->a = call->a;
	r->error = error;
	r->path_len = (uint16_t)path;
	r->other_len = (uint16_t)other;
	r->data_len = (uint32_t)data;
	r->skipped = call->skipped;
	out = put((char *)(r + 1), call->path, path);
	out = put(out, call->other, other);
	put(out, call->data, data);
	atomic_store(&r->done, (uint16_t)(call->kind + 1));
}

long shim_end(struct call *call, long result)
{
	int error = errno;

	if (shim_control == NULL)
		return result;
	if ((shim_control->flags & FLAG_LOG) != 0)
		log_call(call, result, result < 0 ? error : 0);
	if (call->action == ACTION_KILL_AFTER
	    || call->action == ACTION_KILL_HALF
	    || call->action == ACTION_KILL_LAST)
		end_victim();
	errno = error;
	return result;
}

struct shim_file *shim_file(int fd)
{
	static struct shim_file none;

	return fd >= 0 && fd < FILES ? &files[fd] : &none;
}

void shim_closed(int fd)
{
	struct shim_file *f = shim_file(fd);

	__libc_free(f->path);
	memset(f, 0, sizeof(*f));
}

void shim_opened(int fd, uint32_t id, const char *path, bool writable)
{
	struct shim_file *f = shim_file(fd);
	size_t len = strlen(path) + 1;

	if (fd < 0 || fd >= FILES)
		return;
	shim_closed(fd);
	f->id = id;
	f->writable = writable;
	f->path = __libc_malloc(len);
	memcpy(f->path, path, len);
}

const char *shim_path(int dir, const char *path, char *out)
{
	char cwd[PATH_MAX];
	const char *base = dir == AT_FDCWD ? NULL : shim_file(dir)->path;

	if (path[0] == '/') {
		snprintf(out, PATH_MAX, "%s", path);
		return out;
	}
	if (base == NULL) {
		if (syscall(SYS_getcwd, cwd, sizeof(cwd)) < 0)
			cwd[0] = '\0';
		base = dir == AT_FDCWD ? cwd : "?";
	}
	if (strcmp(path, ".") == 0)
		snprintf(out, PATH_MAX, "%s", base);
	else
		snprintf(out, PATH_MAX, "%s/%s", strcmp(base, "/") ? base : "",
			path);
	return out;
}
