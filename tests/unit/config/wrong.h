/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_CONFIG_WRONG_H
#define TESTS_UNIT_CONFIG_WRONG_H

#include <stdlib.h>
#include <string.h>

#include "agent/base/limits.h"
#include "config/config.h"
#include "tests/unit/tap.h"

/*
 * What is written wrong is told at its place: each case gives a file and how
 * every line told about it begins. The file's name is "f".
 */

#define A "accounts:\n  work:\n"
#define H "    host: h\n"
#define U "    user: u\n"
#define P "    password: {env: P}\n"
#define D "    deliver: {maildir: /m}\n"
#define HU H U
#define RIGHT A H U P D
#define WORK ": accounts.work"

struct wrong {
	const char *text;
	const char *lines[8];
};

struct told {
	size_t count;
	char lines[LIMIT_CONFIG_ERRORS][400];
};

__attribute__((unused))
static void tell(void *arg, const char *line)
{
	struct told *told = arg;

	if (told->count < LIMIT_CONFIG_ERRORS)
		snprintf(told->lines[told->count], sizeof(told->lines[0]),
			"%s", line);
	told->count++;
}

/* Whether it is accepted. */
__attribute__((unused))
static bool parse(const char *text, size_t len, struct told *told,
	struct err *err)
{
	struct arena *arena = arena_new();
	const struct config *config;
	bool ok;

	told->count = 0;
	ok = config_parse("f", text, len, arena, tell, told, &config, err);
	arena_free(arena);
	return ok;
}

__attribute__((unused))
static void check_wrong(const struct wrong *w)
{
	static struct told told;
	struct err err = ERR_INIT;
	bool ok = !parse(w->text, strlen(w->text), &told, &err)
		&& err.class == ERR_CONFIG;
	size_t i, n;

	for (n = 0; n < 8 && w->lines[n] != NULL; n++)
		ok = ok && n < told.count && strncmp(told.lines[n],
			w->lines[n], strlen(w->lines[n])) == 0;
	if (tap_ok(ok && n == told.count, "%s", w->lines[0]))
		return;
	for (i = 0; i < told.count && i < LIMIT_CONFIG_ERRORS; i++)
		tap_note("told: %s", told.lines[i]);
}

/* Each case of a table, with nothing of the tester's own environment. */
#define RUN(table) do { \
	size_t each; \
	for (each = 0; each < sizeof(table) / sizeof((table)[0]); each++) \
		check_wrong(&(table)[each]); \
} while (0)

#endif
