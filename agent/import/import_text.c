/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/import/import_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/fsx.h"
#include "agent/base/limits.h"
#include "config/chars.h"

#define BLANKS " \t\r\n"
#define MOST_WORDS 64

bool text_read(struct arena *arena, const char *path, char **data_r,
	size_t *len_r, struct err *err)
{
	char *data;

	*data_r = NULL;
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return true;
	if (!fsx_read_file(path, LIMIT_IMPORTED, &data, len_r, err))
		return false;
	*data_r = arena_bytes(arena, *len_r + 1);
	memcpy(*data_r, data, *len_r);
	free(data);
	return true;
}

char *text_line(char **rest)
{
	char *line = *rest, *lf = strchr(line, '\n');

	if (*line == '\0')
		return NULL;
	if (lf == NULL) {
		*rest = line + strlen(line);
		return line;
	}
	*rest = lf + 1;
	*lf = '\0';
	if (lf != line && lf[-1] == '\r')
		lf[-1] = '\0';
	return line;
}

char *text_trim(char *s)
{
	size_t len;

	s += strspn(s, BLANKS);
	for (len = strlen(s); len != 0 && strchr(BLANKS, s[len - 1]) != NULL;)
		s[--len] = '\0';
	return s;
}

char *text_word(char **rest)
{
	char *word = *rest + strspn(*rest, BLANKS);
	size_t len = strcspn(word, BLANKS);

	if (word[len] != '\0')
		word[len++] = '\0';
	*rest = text_trim(word + len);
	return word;
}

char *text_unquote(char *s)
{
	size_t len = strlen(s);

	if (len < 2 || s[0] != '"' || s[len - 1] != '"')
		return s;
	s[len - 1] = '\0';
	return s + 1;
}

const char *text_home(struct arena *arena, const char *path)
{
	const char *home = getenv("HOME");

	if (path[0] != '~' || (path[1] != '/' && path[1] != '\0')
	    || home == NULL)
		return path;
	return arena_printf(arena, "%s%s", home, path + 1);
}

const char *text_replace(struct arena *arena, const char *text,
	const char *what, const char *with)
{
	const char *at = strstr(text, what);

	if (at == NULL)
		return text;
	return arena_printf(arena, "%.*s%s%s", (int)(at - text), text, with,
		text_replace(arena, at + strlen(what), what, with));
}

const char *text_upper(struct arena *arena, const char *text)
{
	char *copy = arena_strdup(arena, text), *c;

	for (c = copy; *c != '\0'; c++)
		if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
	return copy;
}

static char *put_escaped(char *out, unsigned char c)
{
	if (c == '"' || c == '\\') {
		*out++ = '\\';
		*out++ = (char)c;
	} else if (c < ' ' || c == 0x7f) {
		out += snprintf(out, 5, "\\x%02x", c);
	} else {
		*out++ = (char)c;
	}
	return out;
}

const char *text_yaml(struct arena *arena, const char *text)
{
	char *out = arena_alloc(arena, 4 * strlen(text) + 3), *at = out;

	*at++ = '"';
	for (; *text != '\0'; text++)
		at = put_escaped(at, (unsigned char)*text);
	*at++ = '"';
	*at = '\0';
	return out;
}

const char *text_yaml_list(struct arena *arena, const char *const *words)
{
	const char *list = "[";
	size_t i;

	for (i = 0; words[i] != NULL; i++)
		list = arena_printf(arena, "%s%s%s", list, i == 0 ? "" : ", ",
			text_yaml(arena, words[i]));
	return arena_printf(arena, "%s]", list);
}

/* Words of a kind that no shell changes, the home directory aside. */
static bool is_plain(const char *line)
{
	return line[strspn(line, LETTERS DIGITS "/._+@%:,=-{} \t")] == '\0'
		&& line[0] != '\0';
}

const char *const *text_command(struct arena *arena, const char *line)
{
	const char **argv = arena_array(arena, MOST_WORDS + 1, sizeof(*argv));
	char *rest = text_trim(arena_strdup(arena, line));
	size_t n = 0;

	while (is_plain(line) && *rest != '\0' && n < MOST_WORDS)
		argv[n++] = text_word(&rest);
	if (n != 0 && *rest == '\0') {
		argv[n] = NULL;
		return argv;
	}
	argv[0] = "sh";
	argv[1] = "-c";
	argv[2] = line;
	argv[3] = NULL;
	return argv;
}
