/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_CONFIG_HELP_H
#define TESTS_UNIT_CONFIG_HELP_H

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "tests/unit/tap.h"

/* Configurations as files, in a folder of their own. */

#define ACCOUNT "{host: h, user: u, password: {env: P}, deliver: {maildir: /m}}"

static char folder[] = "/tmp/postrider-config-XXXXXX";
static char said[8192];		/* every line told, each with a newline */
static struct arena *arena;
static struct err err;

__attribute__((unused))
static const char *in_folder(const char *name)
{
	return arena_printf(arena, "%s/%s", folder, name);
}

__attribute__((unused))
static const char *put(const char *name, mode_t mode, const char *text)
{
	const char *path = in_folder(name);
	FILE *file;

	unlink(path);
	file = fopen(path, "w");
	if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0
	    || chmod(path, mode) < 0)
		abort();
	return path;
}

__attribute__((unused))
static void tell(void *arg, const char *line)
{
	size_t n = strlen(said);

	(void)arg;
	snprintf(said + n, sizeof(said) - n, "%s\n", line);
}

__attribute__((unused))
static const struct config *load(const char *path)
{
	const struct config *config = NULL;

	said[0] = '\0';
	err_clear(&err);
	if (!config_load(path, arena, tell, NULL, &config, &err))
		return NULL;
	return config;
}

__attribute__((unused))
static bool accepted(bool ok, const char *what)
{
	if (tap_ok(ok, "%s", what))
		return true;
	tap_note("%s: %s", err.text, said);
	return false;
}

/* Refused, with one line that holds all of `words`. */
__attribute__((unused))
static void refused(const char *path, const char *words, const char *what)
{
	bool ok = load(path) == NULL && err.class == ERR_CONFIG;

	ok = ok && strstr(said, words) != NULL
		&& strchr(said, '\n') == strrchr(said, '\n');
	if (!tap_ok(ok, "%s", what))
		tap_note("wanted %s: %s: %s", words, err.text, said);
}

__attribute__((unused))
static bool same(const char *a, const char *b)
{
	return a != NULL && strcmp(a, b) == 0;
}

__attribute__((unused))
static void begin(void)
{
	arena = arena_new();
	setenv("HOME", "/home/jane", 1);
	if (mkdtemp(folder) == NULL)
		abort();
}

__attribute__((unused))
static void end(void)
{
	if (system(arena_printf(arena, "rm -rf %s", folder)) != 0)
		tap_note("%s is left behind", folder);
	arena_free(arena);
}

#endif
