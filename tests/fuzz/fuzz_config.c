/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

/*
 * Any bytes as a configuration: either accepted, and then complete, or
 * refused with at least one printable line that names a place.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_mistake(void *arg, const char *line)
{
	size_t *lines = arg;

	assert(strncmp(line, "fuzz:", 5) == 0);
	for (; *line != '\0'; line++)
		assert(*line >= ' ' && *line <= '~');
	++*lines;
}

static void complete(const struct config *config)
{
	const struct account *a;
	size_t i;

	assert(config->count != 0 && config->secret_env != NULL);
	assert(config->state[0] == '/');
	for (i = 0; i < config->count; i++) {
		a = &config->accounts[i];
		assert(config_account(config, a->name) == a);
		assert(strchr(a->name, '/') == NULL && a->name[0] != '.');
		assert(a->host[0] != '\0' && a->tls_name[0] != '\0');
		assert(a->port >= 1 && a->port <= 65535);
		assert(strpbrk(a->user, "\r\n") == NULL);
		assert(a->password.kind != SECRET_NONE);
		assert(a->deliver.kind != DELIVER_NONE);
		assert(a->deliver.kind == DELIVER_PIPE
			? a->deliver.argv[0] != NULL
			: a->deliver.path[0] == '/');
		assert(a->tls != TLS_NONE || a->accept_plaintext);
		assert(a->auth_count <= AUTH_MECHS);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	const struct config *config;
	struct err err = ERR_INIT;
	size_t lines = 0;

	if (config_parse("fuzz", (const char *)data, size, arena, on_mistake,
		&lines, &config, &err)) {
		assert(lines == 0);
		complete(config);
	} else {
		assert(lines != 0 && err.class == ERR_CONFIG);
	}
	arena_free(arena);
	return 0;
}
