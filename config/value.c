/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/value.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/num.h"
#include "config/chars.h"
#include "config/near.h"

static bool is(const struct yaml_node *node, const char *word)
{
	return strcmp(node->text, word) == 0;
}

static bool take_bool(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member)
{
	bool *b = member;

	(void)f;
	*b = is(node, "true");
	if (!node->quoted && (*b || is(node, "false")))
		return true;
	return mistake_value(d->mistakes, node,
		"must be true or false, without quotes");
}

/* 010 is ten to some programs and eight to others. */
static bool octal_looking(const struct yaml_node *node)
{
	return node->text[0] == '0' && node->text[1] >= '0'
		&& node->text[1] <= '9';
}

static bool take_number(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member)
{
	uint64_t *n = member;

	if (f->min == 0 && is(node, "none")) {
		*n = 0;
		return true;
	}
	if (!node->quoted && !octal_looking(node)
	    && num_u64(node->text, node->len, f->max, n) && *n >= f->min)
		return true;
	return mistake_value(d->mistakes, node,
		"must be a whole number from %" PRIu64 " to %" PRIu64
		", in plain digits without quotes%s", f->min, f->max,
		f->min == 0 ? ", or none" : "");
}

static bool take_size(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member)
{
	uint64_t *n = member;

	if (f->min == 0 && is(node, "none")) {
		*n = 0;
		return true;
	}
	if (octal_looking(node) || !num_size(node->text, node->len, n))
		return mistake_value(d->mistakes, node,
			"must be a size such as 64K, 50M or 2G%s",
			f->min == 0 ? ", or none" : "");
	if (*n < f->min || *n > f->max)
		return mistake_value(d->mistakes, node,
			"must be a size of at most %" PRIu64 "G",
			f->max >> 30);
	return true;
}

static bool take_seconds(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member)
{
	uint64_t *n = member;

	if (octal_looking(node) || !num_duration(node->text, node->len, n))
		return mistake_value(d->mistakes, node,
			"must be a duration such as 90s, 5m, 2h or 14d");
	if (*n < f->min || *n > f->max)
		return mistake_value(d->mistakes, node,
			"must be a duration from %" PRIu64 "s to %" PRIu64 "d",
			f->min, f->max / 86400);
	return true;
}

/* 14 would be 14 seconds, and the mail would be gone from the server. */
static bool take_keep(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member)
{
	struct keep *keep = member;
	uint64_t seconds;

	(void)f;
	*keep = (struct keep){ KEEP_ALWAYS, 0 };
	if (!node->quoted && is(node, "true"))
		return true;
	keep->kind = KEEP_NEVER;
	if (!node->quoted && is(node, "false"))
		return true;
	if (octal_looking(node)
	    || !num_duration(node->text, node->len, &seconds))
		return mistake_value(d->mistakes, node,
			"must be true, false or a duration such as 14d");
	if (strchr(DIGITS, node->text[node->len - 1]) != NULL)
		return mistake_value(d->mistakes, node,
			"needs a unit: s, m, h or d, as in 14d");
	if (seconds == 0)
		return mistake_value(d->mistakes, node,
			"must be longer than nothing; false keeps no message");
	*keep = (struct keep){ KEEP_FOR, seconds };
	return true;
}

/* One value stands for `mail` or for `after`, which says both. */
static bool take_notice(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member)
{
	struct notice *notice = member;

	if (node->kind == YAML_MAP)
		return decode_submap(d, node, f, member);
	memcpy(notice, f->fresh, f->size);
	if (is(node, "true") || is(node, "false"))
		return take_bool(d, node, f, &notice->mail);
	return take_seconds(d, node, field_find(f->fields, "after"),
		&notice->after);
}

static void list_names(const char *const *names, char *out, size_t cap)
{
	size_t i, n = 0;

	out[0] = '\0';
	for (i = 0; names[i] != NULL && n < cap; i++)
		n += (size_t)snprintf(out + n, cap - n, "%s%s",
			i == 0 ? "" : names[i + 1] == NULL ? " or " : ", ",
			names[i]);
}

int value_name(struct decoder *d, struct yaml_node *node,
	const char *const *names)
{
	struct near near;
	char list[200];
	int i;

	for (i = 0; names[i] != NULL; i++)
		if (is(node, names[i]))
			return i;
	near_start(&near, node->text);
	for (i = 0; names[i] != NULL; i++)
		near_offer(&near, names[i]);
	list_names(names, list, sizeof(list));
	if (near_best(&near) != NULL && names[1] != NULL)
		mistake_value(d->mistakes, node,
			"must be %s; did you mean \"%s\"?", list,
			near_best(&near));
	else
		mistake_value(d->mistakes, node, "must be %s", list);
	return -1;
}

static bool take_enum(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member)
{
	int i = value_name(d, node, f->names);

	if (i >= 0)
		memcpy(member, &i, sizeof(i));
	return i >= 0;
}

static bool take_word(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member)
{
	bool *b = member;

	*b = value_name(d, node, f->names) == 0;
	return *b;
}

static bool take_node(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member)
{
	struct yaml_node **out = member;

	(void)d;
	(void)f;
	if (*out == NULL)
		*out = node;
	return true;
}

#define TEXT (1u << YAML_TEXT)
#define LIST (1u << YAML_LIST)
#define MAP (1u << YAML_MAP)

/* `optional`: nothing at all is a value, too: an empty map. */
static const struct {
	unsigned kinds;
	bool optional;
	value_function *take;
	const char *wants;
} types[] = {
	[FIELD_BOOL] = { TEXT, false, take_bool, "true or false" },
	[FIELD_NUMBER] = { TEXT, false, take_number, "a number" },
	[FIELD_SIZE] = { TEXT, false, take_size, "a size such as 50M" },
	[FIELD_SECONDS] = { TEXT, false, take_seconds,
		"a duration such as 90s" },
	[FIELD_ENUM] = { TEXT, false, take_enum, "a word" },
	[FIELD_WORD] = { TEXT, false, take_word, "a word" },
	[FIELD_LINE] = { TEXT, false, value_line, "text" },
	[FIELD_HOST] = { TEXT, false, value_host, "a host name" },
	[FIELD_PATH] = { TEXT, false, value_path, "a path" },
	[FIELD_LOG_TO] = { TEXT, false, value_log_to,
		"stderr, syslog or a path" },
	[FIELD_VARIABLE] = { TEXT, false, value_variable,
		"the name of an environment variable" },
	[FIELD_CREDENTIAL] = { TEXT, false, value_credential,
		"the name of a credential" },
	[FIELD_NETRC] = { TEXT, false, value_netrc, "a path, or true" },
	[FIELD_ARGV] = { LIST, false, value_argv,
		"a list of a program and its arguments, as in [pass, show, mail]" },
	[FIELD_PIPE] = { LIST, false, value_pipe,
		"a list of a program and its arguments, as in [procmail, -f, \"%{sender}\"]" },
	[FIELD_AUTH] = { TEXT | LIST, false, value_auth,
		"auto, or a list of ways to log in" },
	[FIELD_PINS] = { TEXT | LIST, false, value_pins,
		"a pin or a list of pins" },
	[FIELD_CERT] = { TEXT, false, value_cert,
		"a path or a pkcs11: URI" },
	[FIELD_TUNNEL] = { LIST, false, value_tunnel,
		"a list of a program and its arguments, as in [ssh, -W, \"%h:%p\", bastion]" },
	[FIELD_PROXY] = { TEXT, false, value_proxy,
		"an address such as socks5://localhost:1080" },
	[FIELD_SOCKET] = { TEXT, false, value_socket, "a path" },
	[FIELD_ADDRESS] = { TEXT, false, value_address,
		"an IPv4 or IPv6 address" },
	[FIELD_KEEP] = { TEXT, false, take_keep,
		"true, false or a duration such as 14d" },
	[FIELD_NOTICE] = { TEXT | MAP, false, take_notice,
		"true, false, a duration, or a map with after and mail" },
	[FIELD_MAP] = { MAP, true, decode_submap, "a map of keys" },
	[FIELD_CHOICE] = { MAP, false, decode_choice, "a map of keys" },
	[FIELD_SECRET] = { TEXT | MAP, false, value_secret,
		"text, or a map with file, command, env, credential, netrc or prompt" },
	[FIELD_NODE] = { TEXT | LIST | MAP, true, take_node, "" },
};

static_assert(sizeof(types) / sizeof(types[0]) == FIELD_TYPES,
	"one row for each type");
static_assert(sizeof(enum tls_mode) == sizeof(int)
	&& sizeof(enum trust_kind) == sizeof(int)
	&& sizeof(enum log_level) == sizeof(int)
	&& sizeof(enum secret_kind) == sizeof(int)
	&& sizeof(enum deliver_kind) == sizeof(int),
	"an enum is written as an int");

bool value_take(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member)
{
	if (yaml_empty(node) && !types[f->type].optional)
		return mistake_value(d->mistakes, node,
			"the value is missing: %s is wanted",
			types[f->type].wants);
	if (!(types[f->type].kinds & 1u << node->kind)
	    && !yaml_empty(node))
		return mistake_value(d->mistakes, node, "%s is wanted here",
			types[f->type].wants);
	return types[f->type].take(d, node, f, member);
}
