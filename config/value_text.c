/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/value.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>

#include "config/chars.h"
#include "config/path.h"

/* A file name of systemd. */
#define CREDENTIAL_LONGEST 255
/* More attributes than any token has. */
#define CERT_LONGEST 2000

/* A line break in a name or password would be a second POP3 command. */
bool value_one_line(struct decoder *d, struct yaml_node *node, uint64_t max)
{
	if (node->len == 0)
		return mistake_value(d->mistakes, node, "must not be empty");
	if (strpbrk(node->text, "\r\n") != NULL)
		return mistake_value(d->mistakes, node,
			"must be one line, without CR and LF");
	if (node->len > max)
		return mistake_value(d->mistakes, node,
			"must be at most %" PRIu64 " bytes long", max);
	return true;
}

bool value_line(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member)
{
	const char **text = member;

	*text = node->text;
	return value_one_line(d, node, f->max);
}

static bool is_address(const char *text)
{
	unsigned char address[sizeof(struct in6_addr)];

	return inet_pton(AF_INET6, text, address) == 1;
}

bool value_host(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member)
{
	const char **text = member, *colon = strchr(node->text, ':');

	*text = node->text;
	if (!value_one_line(d, node, f->max))
		return false;
	if (is_address(node->text))
		return true;
	if (node->text[0] == '[')
		return mistake_value(d->mistakes, node,
			"must be an IPv6 address without the brackets");
	if (strstr(node->text, "://") != NULL)
		return mistake_value(d->mistakes, node,
			"must be a host name, not a URL");
	if (colon != NULL && colon[1 + strspn(colon + 1, DIGITS)] == '\0')
		return mistake_value(d->mistakes, node,
			"must be a host name alone; the port has a key of its own, port");
	if (node->text[strspn(node->text, LETTERS DIGITS ".-_")] != '\0'
	    || strchr(".-", node->text[0]) != NULL)
		return mistake_value(d->mistakes, node,
			"must be a host name of letters, digits, dots and hyphens (other letters in their xn-- form), or an address");
	return true;
}

bool value_path(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member)
{
	const char **path = member, *why;

	(void)f;
	*path = path_expand(d->arena, node->text, &why);
	if (*path == NULL)
		return mistake_value(d->mistakes, node, "%s", why);
	if ((*path)[0] != '/')
		return mistake_value(d->mistakes, node,
			"must be a path that begins with /, ~/ or a $VARIABLE");
	return true;
}

bool value_cert(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member)
{
	const char **cert = member;

	/* RFC 7512. */
	if (strncmp(node->text, "pkcs11:", 7) != 0)
		return value_path(d, node, f, member);
	*cert = node->text;
	return value_one_line(d, node, CERT_LONGEST);
}

bool value_log_to(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member)
{
	const char **to = member;

	*to = node->text;
	if (strcmp(node->text, "stderr") == 0
	    || strcmp(node->text, "syslog") == 0)
		return true;
	if (strpbrk(node->text, "/$~") == NULL)
		return mistake_value(d->mistakes, node,
			"must be stderr, syslog or the path of a file");
	return value_path(d, node, f, member);
}

bool value_variable(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member)
{
	const char **name = member;

	(void)f;
	*name = node->text;
	if (node->len != 0 && strchr(DIGITS, node->text[0]) == NULL
	    && node->text[strspn(node->text, LETTERS DIGITS "_")] == '\0')
		return true;
	return mistake_value(d->mistakes, node,
		"must be the name of an environment variable, without the $");
}

bool value_credential(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member)
{
	const char **name = member;

	(void)f;
	*name = node->text;
	if (!value_one_line(d, node, CREDENTIAL_LONGEST))
		return false;
	if (node->text[0] != '.' && strchr(node->text, '/') == NULL)
		return true;
	return mistake_value(d->mistakes, node,
		"must be the name of a credential, without a slash or a dot before it");
}

bool value_netrc(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member)
{
	struct yaml_node usual = *node;
	static char home[] = "~/.netrc";

	if (node->quoted || strcmp(node->text, "true") != 0)
		return value_path(d, node, f, member);
	usual.text = home;
	usual.len = sizeof(home) - 1;
	return value_path(d, &usual, f, member);
}
