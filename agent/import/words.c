/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/import/words.h"

#include <stdlib.h>
#include <string.h>

/* What parts two words and is none. */
#define BETWEEN " \t\r\n,:;"

struct reader {
	const char *at;
	unsigned int line;
	struct arena *arena;
};

static void skip(struct reader *r)
{
	for (;;) {
		if (*r->at == '#') {
			r->at += strcspn(r->at, "\n");
			continue;
		}
		if (*r->at == '\0' || strchr(BETWEEN, *r->at) == NULL)
			return;
		r->line += *r->at++ == '\n';
	}
}

/* Behind a backslash: \n \t \b \r, \xHH, \0OOO, \DDD, or the sign itself. */
static char escaped(struct reader *r)
{
	static const char names[] = "ntbr", bytes[] = "\n\t\b\r";
	const char *name = strchr(names, *r->at);
	char *end;
	long code;

	if (*r->at == '\0')
		return '\\';
	if (name != NULL) {
		r->at++;
		return bytes[name - names];
	}
	if (*r->at != 'x' && (*r->at < '0' || *r->at > '9'))
		return *r->at++;
	code = strtol(r->at + (*r->at == 'x'), &end, *r->at == 'x' ? 16
		: *r->at == '0' ? 8 : 10);
	r->at = end;
	return (char)code;
}

static const char *quoted(struct reader *r)
{
	char *text = arena_alloc(r->arena, strlen(r->at) + 1);
	char quote = *r->at++;
	size_t n = 0;

	while (*r->at != '\0' && *r->at != quote) {
		r->line += *r->at == '\n';
		if (*r->at != '\\') {
			text[n++] = *r->at++;
			continue;
		}
		r->at++;
		text[n++] = escaped(r);
	}
	if (*r->at == quote)
		r->at++;
	return arena_strndup(r->arena, text, n);
}

static const char *bare(struct reader *r)
{
	size_t len = strcspn(r->at, BETWEEN "=\"");
	const char *text;

	if (*r->at == '=')
		len = 1;
	text = arena_strndup(r->arena, r->at, len);
	r->at += len;
	return text;
}

static bool is_noise(const char *text)
{
	static const char *const noise[] = { "and", "with", "has", "wants",
		"options", "=" };
	size_t i;

	for (i = 0; i < sizeof(noise) / sizeof(noise[0]); i++)
		if (strcmp(noise[i], text) == 0)
			return true;
	return false;
}

struct word *words_read(struct arena *arena, const char *text)
{
	struct word *words = arena_array(arena, strlen(text) + 1,
		sizeof(*words));
	struct reader r = { text, 1, arena };
	size_t n = 0;

	for (skip(&r); *r.at != '\0'; skip(&r)) {
		words[n].line = r.line;
		words[n].quoted = *r.at == '"' || *r.at == '\'';
		words[n].text = words[n].quoted ? quoted(&r) : bare(&r);
		if (words[n].quoted || !is_noise(words[n].text))
			n++;
	}
	words[n].text = NULL;
	return words;
}
