/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/template.h"

#include <assert.h>
#include <string.h>

static const char *const words[] = {
	[TEMPLATE_SENDER] = "sender",
	[TEMPLATE_ACCOUNT] = "account",
};
static_assert(sizeof(words) / sizeof(words[0]) == TEMPLATE_WORDS,
	"one for each word");
#define KNOWN "%{sender} and %{account} are known here; %%{ stands for %{ itself"

/* Bytes as they are, or a word. */
struct piece {
	const char *text;		/* NULL: it is a word */
	size_t len;
	enum template_word word;
};

/* A placeholder, at its %. */
static const char *take_word(const char **s, struct piece *piece_r)
{
	const char *name = *s + 2;
	size_t i, len = strcspn(name, "}");

	if (name[len] == '\0')
		return "a placeholder has no } at its end: " KNOWN;
	for (i = 0; i < TEMPLATE_WORDS; i++)
		if (strlen(words[i]) == len
		    && memcmp(words[i], name, len) == 0) {
			piece_r->text = NULL;
			piece_r->word = (enum template_word)i;
			*s = name + len + 1;
			return NULL;
		}
	return "an unknown placeholder: " KNOWN;
}

/* Takes the next piece of a text that is not at its end. NULL, or what is
 * wrong. */
static const char *take(const char **s, struct piece *piece_r)
{
	size_t signs = strspn(*s, "%"), used = signs;

	piece_r->text = *s;
	piece_r->len = signs;
	if (signs == 0) {
		used = piece_r->len = strcspn(*s, "%");
	} else if ((*s)[signs] == '{') {
		if (signs == 1)
			return take_word(s, piece_r);
		piece_r->len = signs / 2;
		used = signs - signs % 2;
	}
	*s += used;
	return NULL;
}

bool template_is(const char *text)
{
	return strstr(text, "%{") != NULL;
}

const char *template_mistake(const char *text)
{
	const char *why = NULL;
	struct piece piece;

	while (why == NULL && *text != '\0')
		why = take(&text, &piece);
	return why;
}

size_t template_room(const char *text, size_t longest)
{
	struct piece piece;
	size_t n = 1;

	while (*text != '\0' && take(&text, &piece) == NULL)
		n += piece.text != NULL ? piece.len : longest;
	return n;
}

bool template_fill(const char *text, const char *const values[TEMPLATE_WORDS],
	char *out, size_t cap, size_t *len_r)
{
	struct piece piece;
	size_t n = 0;

	while (*text != '\0') {
		if (take(&text, &piece) != NULL)
			return false;
		if (piece.text == NULL) {
			piece.text = values[piece.word];
			piece.len = strlen(piece.text);
		}
		if (piece.len >= cap - n)
			return false;
		memcpy(out + n, piece.text, piece.len);
		n += piece.len;
	}
	if (cap == 0)
		return false;
	out[n] = '\0';
	*len_r = n + 1;
	return true;
}
