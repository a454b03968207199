/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/value.h"

#include <assert.h>
#include <string.h>

#include "agent/base/limits.h"
#include "config/chars.h"
#include "config/template.h"

/* base64 of 32 bytes. */
#define PIN_PREFIX "sha256:"
#define PIN_LETTERS 43

/* Every entry must be text; an argument may be empty, if in quotes. */
static bool texts_only(struct decoder *d, struct yaml_node *list)
{
	struct yaml_node *node;
	bool ok = true;

	for (node = list->first; node != NULL; node = node->next) {
		if (!node->bad && (node->kind != YAML_TEXT || yaml_empty(node)))
			mistake_value(d->mistakes, node, "text is wanted here");
		if (node->bad)
			ok = false;
	}
	return ok;
}

static const char *const *texts(struct decoder *d,
	const struct yaml_node *list)
{
	const char **out = arena_array(d->arena, list->count + 1,
		sizeof(*out));
	const struct yaml_node *node;
	size_t i = 0;

	for (node = list->first; node != NULL; node = node->next)
		out[i++] = node->text;
	return out;
}

bool value_argv(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member)
{
	const char *const **argv = member;

	(void)f;
	if (!texts_only(d, node))
		return false;
	if (node->count == 0 || node->first->len == 0)
		return mistake_value(d->mistakes, node,
			"must begin with the name of a program");
	if (node->first->text[0] == '~' || node->first->text[0] == '$')
		return mistake_value(d->mistakes, node->first,
			"must be the name of a program or a whole path: ~ and $ mean nothing here");
	*argv = texts(d, node);
	return true;
}

/* All of its placeholders; *room_r is what they may need, filled in. */
static bool check_templates(struct decoder *d, struct yaml_node *first,
	size_t *room_r)
{
	static_assert(LIMIT_ACCOUNT_NAME <= LIMIT_SENDER,
		"a sender is the longest of the values");
	struct yaml_node *word;
	const char *why;
	bool ok = true;

	*room_r = 0;
	for (word = first; word != NULL; word = word->next) {
		if (!template_is(word->text))
			continue;
		why = template_mistake(word->text);
		if (why != NULL)
			ok = mistake_value(d->mistakes, word, "%s", why);
		*room_r += template_room(word->text, LIMIT_SENDER);
	}
	return ok;
}

bool value_pipe(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member)
{
	size_t room;

	if (!value_argv(d, node, f, member))
		return false;
	if (template_is(node->first->text))
		return mistake_value(d->mistakes, node->first,
			"the program itself cannot be a placeholder");
	if (!check_templates(d, node->first->next, &room))
		return false;
	if (room != 0 && node->count > LIMIT_MDA_WORDS)
		return mistake_value(d->mistakes, node,
			"with placeholders there may be at most %d words",
			LIMIT_MDA_WORDS);
	return room <= LIMIT_MDA_ARGUMENTS || mistake_value(d->mistakes, node,
		"the arguments with placeholders could be longer than %d bytes",
		LIMIT_MDA_ARGUMENTS);
}

static bool is_pin(const char *text)
{
	static const char base64[] = LETTERS DIGITS "+/";
	/* 43 letters are 258 bits: the last two of them must be zero. */
	static const char last[] = "AEIMQUYcgkosw048";
	const char *s = text + sizeof(PIN_PREFIX) - 1;

	return strncmp(text, PIN_PREFIX, sizeof(PIN_PREFIX) - 1) == 0
		&& strspn(s, base64) == PIN_LETTERS
		&& strchr(last, s[PIN_LETTERS - 1]) != NULL
		&& strcmp(s + PIN_LETTERS, "=") == 0;
}

static bool check_pin(struct decoder *d, struct yaml_node *node)
{
	if (is_pin(node->text))
		return true;
	return mistake_value(d->mistakes, node,
		"must be sha256: and the base64 of 32 bytes (44 characters)");
}

bool value_pins(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member)
{
	const char *const **pins = member;
	const char **one;
	struct yaml_node *pin;
	bool ok = true;

	(void)f;
	if (node->kind == YAML_TEXT) {
		one = arena_array(d->arena, 2, sizeof(*one));
		one[0] = node->text;
		*pins = one;
		return check_pin(d, node);
	}
	if (!texts_only(d, node))
		return false;
	if (node->count == 0)
		return mistake_value(d->mistakes, node, "must not be empty");
	for (pin = node->first; pin != NULL; pin = pin->next)
		ok = check_pin(d, pin) && ok;
	*pins = texts(d, node);
	return ok;
}

static bool add_auth(struct decoder *d, struct yaml_node *node,
	const struct field *f, struct account *account)
{
	int mech = value_name(d, node, f->names);
	size_t i;

	if (mech < 0)
		return false;
	for (i = 0; i < account->auth_count; i++)
		if (account->auth[i] == (enum auth_mech)mech)
			return mistake_value(d->mistakes, node,
				"given twice in this list");
	account->auth[account->auth_count++] = (enum auth_mech)mech;
	return true;
}

bool value_auth(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member)
{
	struct account *account = member;
	struct yaml_node *mech;
	bool ok = true;

	account->auth_count = 0;
	if (node->kind == YAML_TEXT)
		return strcmp(node->text, "auto") == 0 || add_auth(d, node, f, account);
	if (!texts_only(d, node))
		return false;
	if (node->count == 0)
		return mistake_value(d->mistakes, node,
			"must not be empty; auto is the word for all");
	for (mech = node->first; mech != NULL; mech = mech->next)
		ok = add_auth(d, mech, f, account) && ok;
	return ok;
}

bool value_secret(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member)
{
	struct secret_source *source = member;

	if (node->kind == YAML_MAP)
		return decode_choice(d, node, f, member);
	*source = (struct secret_source){ .kind = SECRET_TEXT,
		.text = node->text };
	return value_one_line(d, node, LIMIT_SECRET);
}
