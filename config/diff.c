/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/diff.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "config/fields.h"

static_assert(offsetof(struct file_top, config) == 0,
	"the rows of the top level fit struct config, too");

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_list(const char *const *a, const char *const *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	for (; *a != NULL && *b != NULL; a++, b++)
		if (strcmp(*a, *b) != 0)
			return false;
	return *a == *b;
}

static bool same_auth(const struct account *a, const struct account *b)
{
	return a->auth_count == b->auth_count && memcmp(a->auth, b->auth,
		a->auth_count * sizeof(a->auth[0])) == 0;
}

static bool same_keep(const struct keep *a, const struct keep *b)
{
	return a->kind == b->kind && a->seconds == b->seconds;
}

static bool same_proxy(const struct proxy *a, const struct proxy *b)
{
	return same_text(a->host, b->host) && a->port == b->port
		&& same_text(a->user, b->user)
		&& same_text(a->password, b->password);
}

static bool same(const struct field *field, const void *before,
	const void *after);

/* All rows of a map; of a choice the one that was chosen, and those that go
 * with each. */
static bool same_rows(const struct field *rows, int chosen,
	const void *before, const void *after)
{
	for (; rows->key != NULL; rows++)
		if ((rows->choice == 0 || rows->choice == chosen)
		    && !same(rows, before, after))
			return false;
	return true;
}

static bool same_choice(const struct field *field, const void *before,
	const void *after)
{
	int a = *(const int *)before, b = *(const int *)after;

	return a == b && same_rows(field->fields, a, before, after);
}

static bool same_secret(const struct field *field,
	const struct secret_source *before, const struct secret_source *after)
{
	if (before->kind == SECRET_TEXT && after->kind == SECRET_TEXT)
		return same_text(before->text, after->text);
	return same_choice(field, before, after);
}

static bool same(const struct field *field, const void *before,
	const void *after)
{
	const void *a = (const char *)before + field->offset;
	const void *b = (const char *)after + field->offset;

	switch (field->type) {
	case FIELD_BOOL:
	case FIELD_WORD:
		return *(const bool *)a == *(const bool *)b;
	case FIELD_NUMBER:
	case FIELD_SIZE:
	case FIELD_SECONDS:
		return *(const uint64_t *)a == *(const uint64_t *)b;
	case FIELD_ENUM:
		return *(const int *)a == *(const int *)b;
	case FIELD_LINE:
	case FIELD_HOST:
	case FIELD_PATH:
	case FIELD_LOG_TO:
	case FIELD_VARIABLE:
	case FIELD_CERT:
	case FIELD_SOCKET:
	case FIELD_ADDRESS:
	case FIELD_CREDENTIAL:
	case FIELD_NETRC:
		return same_text(*(const char *const *)a,
			*(const char *const *)b);
	case FIELD_ARGV:
	case FIELD_PIPE:
	case FIELD_PINS:
	case FIELD_TUNNEL:
		return same_list(*(const char *const *const *)a,
			*(const char *const *const *)b);
	case FIELD_AUTH:
		return same_auth(before, after);
	case FIELD_KEEP:
		return same_keep(a, b);
	case FIELD_PROXY:
		return same_proxy(a, b);
	case FIELD_MAP:
	case FIELD_NOTICE:
		return same_rows(field->fields, 0, a, b);
	case FIELD_CHOICE:
		return same_choice(field, a, b);
	case FIELD_SECRET:
		return same_secret(field, a, b);
	case FIELD_NODE:
	case FIELD_TYPES:
		break;
	}
	return true;
}

static bool list_changes(const struct field *rows, const void *before,
	const void *after, char *keys, size_t cap)
{
	size_t n = 0;

	keys[0] = '\0';
	for (; rows->key != NULL; rows++)
		if (!same(rows, before, after) && n < cap)
			n += (size_t)snprintf(keys + n, cap - n, "%s%s",
				n != 0 ? ", " : "", rows->key);
	return n != 0;
}

bool diff_account(const struct account *before, const struct account *after,
	char *keys, size_t cap)
{
	return list_changes(account_fields, before, after, keys, cap);
}

bool diff_top(const struct config *before, const struct config *after,
	char *keys, size_t cap)
{
	return list_changes(top_fields, before, after, keys, cap);
}
