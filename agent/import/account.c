/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/import/priv.h"
#include "config/chars.h"

/*
 * Accounts as they grow, setting by setting.
 */

static bool is_taken(const struct import *im, const char *name)
{
	const struct import_account *a;

	for (a = im->accounts; a != NULL; a = a->next)
		if (strcmp(a->name, name) == 0)
			return true;
	return false;
}

/* Accounts are named as the files below the state directory are. */
static const char *legal_name(struct import *im, const char *name)
{
	char *legal = arena_strndup(im->arena, name,
		strnlen(name, LIMIT_ACCOUNT_NAME - 4)), *c;
	const char *made = legal;
	unsigned int n;

	for (c = legal; *c != '\0'; c++)
		if (strchr(LETTERS DIGITS "._@+-", *c) == NULL)
			*c = '_';
	if (legal[0] == '\0')
		made = legal = arena_strdup(im->arena, im->program);
	if (legal[0] == '.')
		legal[0] = '_';
	for (n = 2; is_taken(im, made); n++)
		made = arena_printf(im->arena, "%s-%u", legal, n);
	return made;
}

struct import_account *import_add(struct import *im, const char *name,
	const char *host, const char *user)
{
	struct import_account *a = arena_alloc(im->arena, sizeof(*a));

	a->name = legal_name(im, name);
	a->host = host;
	a->user = user;
	a->last = &a->settings;
	a->seen.from = im->program;
	a->seen.time = clock_wall();
	*im->last = a;
	im->last = &a->next;
	im->count++;
	import_set_text(im, a, "host", host);
	if (user[0] != '\0')
		import_set_text(im, a, "user", user);
	return a;
}

void import_set(struct import *im, struct import_account *a, const char *key,
	const char *value)
{
	struct import_setting *s;

	for (s = a->settings; s != NULL; s = s->next)
		if (strcmp(s->key, key) == 0) {
			s->value = value;
			return;
		}
	s = arena_alloc(im->arena, sizeof(*s));
	s->key = key;
	s->value = value;
	*a->last = s;
	a->last = &s->next;
}

void import_set_text(struct import *im, struct import_account *a,
	const char *key, const char *text)
{
	import_set(im, a, key, text_yaml(im->arena, text));
}

void import_set_number(struct import *im, struct import_account *a,
	const char *key, uint64_t number, const char *unit)
{
	import_set(im, a, key, arena_printf(im->arena, "%" PRIu64 "%s", number,
		unit));
}

void import_set_pipe(struct import *im, struct import_account *a,
	const char *const *argv)
{
	import_set(im, a, "deliver", arena_printf(im->arena, "{pipe: %s}",
		text_yaml_list(im->arena, argv)));
}

void import_set_folder(struct import *im, struct import_account *a,
	const char *kind, const char *path)
{
	size_t len = strlen(path);
	char *copy = arena_strdup(im->arena, path);

	while (len > 1 && copy[len - 1] == '/')
		copy[--len] = '\0';
	import_set(im, a, "deliver", arena_printf(im->arena, "{%s: %s}", kind,
		text_yaml(im->arena, copy)));
}

void import_set_password_command(struct import *im, struct import_account *a,
	const char *command)
{
	import_set(im, a, "password", arena_printf(im->arena, "{command: %s}",
		text_yaml_list(im->arena, text_command(im->arena, command))));
}

void import_set_server(struct import *im, struct import_account *a,
	enum import_tls tls, uint64_t port)
{
	static const char *const names[] = { "implicit", "starttls", "none" };

	a->port = port;
	if (port != 0)
		import_set_number(im, a, "port", port, "");
	import_set(im, a, "tls", names[tls]);
	if (tls == IMPORT_PLAIN) {
		import_set(im, a, "accept_plaintext", "true");
		import_remark(im, 0,
			"account %s: no TLS, as before: everybody on the way can read the password and the mail; try tls: implicit, or starttls", a->name);
	}
}

void import_saw(struct import *im, struct import_account *a, const char *uid,
	size_t len)
{
	struct imported *seen = &a->seen;
	struct imported_uid *more;

	if (len == 0)
		return;
	/* Room for a power of two. */
	if ((seen->count & (seen->count - 1)) == 0) {
		more = arena_array(im->arena, seen->count == 0 ? 1
			: 2 * seen->count, sizeof(*more));
		if (seen->count != 0)
			memcpy(more, seen->uids, seen->count * sizeof(*more));
		seen->uids = more;
	}
	seen->uids[seen->count++] = (struct imported_uid){ uid, len };
}

void import_remark(struct import *im, unsigned int line, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	im->remarks++;
	im->tell(line == 0 ? text : arena_printf(im->arena, "%s:%u: %s",
		im->file, line, text));
}
