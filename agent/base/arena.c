/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

/* Two pages; larger requests get a chunk of their own. */
#define CHUNK 8192

struct chunk {
	struct chunk *next;
	size_t used, end;		/* what is free is between them */
	size_t size;
	alignas(max_align_t) char data[];
};

struct arena {
	struct chunk *chunks;
};

_Noreturn void mem_exhausted(void)
{
	static const char line[] = "postrider: out of memory\n";

	if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0)
		_exit(EX_OSERR);
	_exit(EX_TEMPFAIL);
}

void *mem_new(size_t size)
{
	void *p = calloc(1, size);

	if (p == NULL)
		mem_exhausted();
	return p;
}

void *mem_head(size_t size, size_t head)
{
	return memset(mem_grow(NULL, size, 1), 0, head);
}

void *mem_grow(void *old, size_t count, size_t size)
{
	void *p;

	if (size != 0 && count > SIZE_MAX / 2 / size)
		mem_exhausted();
	p = realloc(old, count * size);
	if (p == NULL)
		mem_exhausted();
	return p;
}

void mem_trim(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

struct arena *arena_new(void)
{
	return mem_new(sizeof(struct arena));
}

static void free_chunks(struct chunk *c)
{
	struct chunk *next;

	for (; c != NULL; c = next) {
		next = c->next;
		free(c);
	}
}

void arena_free(struct arena *a)
{
	if (a == NULL)
		return;
	free_chunks(a->chunks);
	free(a);
}

static struct chunk *chunk_add(struct arena *a, size_t need)
{
	size_t size = need > CHUNK ? need : CHUNK;
	struct chunk *c = mem_new(sizeof(*c) + size);

	c->end = c->size = size;
	if (size > CHUNK && a->chunks != NULL) {
		/* The other one has room for more. */
		c->next = a->chunks->next;
		a->chunks->next = c;
		return c;
	}
	c->next = a->chunks;
	a->chunks = c;
	return c;
}

void *arena_alloc(struct arena *a, size_t size)
{
	struct chunk *c = a->chunks;
	char *p;

	if (size > SIZE_MAX / 2)
		mem_exhausted();
	size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (c == NULL || c->end - c->used < size)
		c = chunk_add(a, size);
	p = c->data + c->used;
	c->used += size;
	return p;
}

void *arena_bytes(struct arena *a, size_t size)
{
	struct chunk *c = a->chunks;

	if (size > SIZE_MAX / 2)
		mem_exhausted();
	if (c == NULL || c->end - c->used < size)
		c = chunk_add(a, size);
	c->end -= size;
	return c->data + c->end;
}

void arena_clear(struct arena *a)
{
	struct chunk *c = a->chunks;

	if (c == NULL)
		return;
	free_chunks(c->next);
	c->next = NULL;
	memset(c->data, 0, c->used);
	memset(c->data + c->end, 0, c->size - c->end);
	c->used = 0;
	c->end = c->size;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
	if (size != 0 && count > SIZE_MAX / 2 / size)
		mem_exhausted();
	return arena_alloc(a, count * size);
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *p = arena_bytes(a, len + 1);

	if (len != 0)
		memcpy(p, s, len);
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		mem_exhausted();
	p = arena_bytes(a, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}
