/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/value.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/un.h>

#include "agent/base/num.h"
#include "config/chars.h"

#define SOCKS_PORT 1080
/* RFC 1928 and 1929: names, users and passwords have one octet of length. */
#define SOCKS_LONGEST 255

bool value_tunnel(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member)
{
	struct yaml_node *word;
	const char *mark;

	if (!value_argv(d, node, f, member))
		return false;
	for (word = node->first; word != NULL; word = word->next)
		for (mark = strchr(word->text, '%'); mark != NULL;
		     mark = strchr(mark + 2, '%'))
			if (mark[1] == '\0'
			    || strchr("hp%", mark[1]) == NULL)
				return mistake_value(d->mistakes, word,
					"%% stands before h (the host), p (the port) or another %%");
	return true;
}

bool value_socket(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member)
{
	const char **path = member;
	size_t room = sizeof(((struct sockaddr_un *)NULL)->sun_path);

	return value_path(d, node, f, member) && (strlen(*path) < room
		|| mistake_value(d->mistakes, node,
			"the path of a socket has at most %zu characters on this system", room - 1));
}

bool value_address(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member)
{
	unsigned char address[16];
	const char **text = member;

	(void)f;
	*text = node->text;
	return inet_pton(AF_INET, node->text, address) == 1
		|| inet_pton(AF_INET6, node->text, address) == 1
		|| mistake_value(d->mistakes, node,
			"must be an IPv4 or IPv6 address of this machine");
}

/* %40 becomes @. NULL if it makes no sense, or is too long or empty. */
static const char *decode_percent(struct arena *arena, const char *text,
	size_t len)
{
	char *out = arena_strndup(arena, text, len);
	size_t i, n = 0;
	uint64_t code;

	for (i = 0; i < len; i++) {
		if (text[i] != '%') {
			out[n++] = text[i];
			continue;
		}
		if (len - i < 3 || !num_hex(text + i + 1, 2, &code)
		    || code == 0)
			return NULL;
		out[n++] = (char)code;
		i += 2;
	}
	out[n] = '\0';
	return n != 0 && n <= SOCKS_LONGEST ? out : NULL;
}

static bool take_login(struct decoder *d, struct proxy *proxy,
	const char *text, size_t len)
{
	const char *colon = memchr(text, ':', len);
	size_t user = colon != NULL ? (size_t)(colon - text) : len;

	proxy->user = decode_percent(d->arena, text, user);
	if (proxy->user != NULL && colon != NULL)
		proxy->password = decode_percent(d->arena, colon + 1,
			len - user - 1);
	return proxy->user != NULL
		&& (colon == NULL || proxy->password != NULL);
}

/* "host", "host:1080", "[2001:db8::1]:1080". */
static bool take_place(struct decoder *d, struct proxy *proxy,
	const char *text)
{
	unsigned char address[16];
	bool six = text[0] == '[';
	size_t len = six ? strcspn(++text, "]") : strcspn(text, ":");
	const char *rest = text + len;

	if (six && *rest++ != ']')
		return false;
	proxy->host = arena_strndup(d->arena, text, len);
	proxy->port = SOCKS_PORT;
	if (len == 0 || len > SOCKS_LONGEST || (six
		? inet_pton(AF_INET6, proxy->host, address) != 1
		: strspn(text, LETTERS DIGITS ".-_") < len))
		return false;
	return rest[0] == '\0' || (rest[0] == ':' && num_u64(rest + 1,
		strlen(rest + 1), 65535, &proxy->port) && proxy->port != 0);
}

bool value_proxy(struct decoder *d, struct yaml_node *node,
	const struct field *f, void *member)
{
	static const char *const schemes[] = { "socks5://", "socks5h://" };
	struct proxy *proxy = member;
	const char *text = NULL, *at;
	size_t i;

	(void)f;
	*proxy = (struct proxy){ .host = NULL };
	for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strncmp(node->text, schemes[i], strlen(schemes[i])) == 0)
			text = node->text + strlen(schemes[i]);
	if (text == NULL)
		return mistake_value(d->mistakes, node,
			"must begin with socks5://, no other kind of proxy is known");
	at = strrchr(text, '@');
	if (at != NULL && !take_login(d, proxy, text, (size_t)(at - text)))
		return mistake_value(d->mistakes, node,
			"before the @ stands USER or USER:PASSWORD, each of 1 to 255 bytes, other characters as %%40");
	return take_place(d, proxy, at != NULL ? at + 1 : text)
		|| mistake_value(d->mistakes, node,
			"must be socks5://HOST or socks5://HOST:PORT, an IPv6 address in brackets");
}
