/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_BASE_ARENA_H
#define AGENT_BASE_ARENA_H

#include <stddef.h>

/*
 * Memory by lifetime: everything taken from an arena dies with it. One arena
 * holds the configuration, one a pass. When the system has no memory left the
 * process logs one line and exits with EX_TEMPFAIL: a worker may die at any
 * point without losing mail, and the scheduler takes memory only while it
 * reads the configuration.
 */

struct arena;

struct arena *arena_new(void);
/* NULL is allowed. */
void arena_free(struct arena *a);

/* Zeroed, aligned for any type, never NULL; valid until arena_free(). */
void *arena_alloc(struct arena *a, size_t size);
/* Like calloc: the product is checked. */
void *arena_array(struct arena *a, size_t count, size_t size);
/* Zeroed too, but not aligned: not a byte between two of them is lost. */
void *arena_bytes(struct arena *a, size_t size);
/* Everything dies, the arena does not. */
void arena_clear(struct arena *a);
/* Copies len bytes and adds a NUL. */
char *arena_strndup(struct arena *a, const char *s, size_t len);
char *arena_strdup(struct arena *a, const char *s);
char *arena_printf(struct arena *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Says so and ends the process; for libraries that report it. */
_Noreturn void mem_exhausted(void);

/* Gives back to the system what was freed, where it can. For a process that
 * lives long, after something large. */
void mem_trim(void);

/* For the few growing tables that live as long as the process: realloc that
 * never returns NULL. */
void *mem_grow(void *old, size_t count, size_t size);
/* Zeroed memory, for free(). */
void *mem_new(size_t size);
/* A local buffer that is filled before it is read: hardening flags would have
 * it zeroed at each call. */
#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define UNFILLED __attribute__((uninitialized))
#endif
#endif
#ifndef UNFILLED
#define UNFILLED
#endif

/* The same, zeroed up to `head` only: a buffer behind that takes no pages, and
 * no time, before it is used. */
void *mem_head(size_t size, size_t head);

#endif
