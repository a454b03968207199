/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/secret_priv.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "agent/base/arena.h"

/*
 * The file of ftp(1): words between blanks, "machine HOST login USER password
 * WORD". Host and user must both fit. A `default` entry is not used: it would
 * show its password to any host.
 */

struct netrc {
	char *at, *end;
};

struct entry {
	bool host, user;		/* they are ours */
	const char *password;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(struct netrc *n)
{
	while (n->at < n->end && is_blank(*n->at))
		n->at++;
}

/* The next word, unquoted in place and ended with a NUL; NULL at the end. */
static char *word(struct netrc *n)
{
	char *start, *out;
	bool quoted;

	skip_blanks(n);
	if (n->at >= n->end)
		return NULL;
	quoted = *n->at == '"';
	if (quoted)
		n->at++;
	for (start = out = n->at; n->at < n->end; n->at++) {
		if (quoted ? *n->at == '"' : is_blank(*n->at))
			break;
		if (quoted && *n->at == '\\' && n->at + 1 < n->end)
			n->at++;
		*out++ = *n->at;
	}
	if (n->at < n->end)
		n->at++;
	*out = '\0';
	return start;
}

/* Before a key: the end of a comment's line is the end of its last word. */
static void skip_comments(struct netrc *n)
{
	for (skip_blanks(n); n->at < n->end && *n->at == '#'; skip_blanks(n))
		while (n->at < n->end && *n->at != '\n')
			n->at++;
}

static char *next_key(struct netrc *n)
{
	skip_comments(n);
	return word(n);
}

/* A macro ends at an empty line. */
static void skip_macro(struct netrc *n)
{
	while (n->at < n->end
	       && !(n->at[0] == '\n' && n->at + 1 < n->end && n->at[1] == '\n'))
		n->at++;
}

/* The password of the first entry that fits, or NULL. */
static const char *find(struct netrc *n, const struct secret_query *query)
{
	struct entry e = { false, false, NULL };
	const char *value;
	char *key;

	while ((key = next_key(n)) != NULL) {
		if (strcmp(key, "macdef") == 0) {
			skip_macro(n);
			continue;
		}
		if (strcmp(key, "machine") == 0
		    || strcmp(key, "default") == 0) {
			if (e.host && e.user && e.password != NULL)
				return e.password;
			e = (struct entry){ false, false, NULL };
			if (key[0] == 'd')
				continue;
		}
		value = word(n);
		if (value == NULL)
			break;
		if (strcmp(key, "machine") == 0)
			e.host = strcasecmp(value, query->host) == 0;
		else if (strcmp(key, "login") == 0)
			e.user = strcmp(value, query->user) == 0;
		else if (strcmp(key, "password") == 0)
			e.password = value;
	}
	return e.host && e.user ? e.password : NULL;
}

static bool look_up(char *data, size_t len, const char *path,
	const struct secret_query *query, struct secret *secret,
	struct err *err)
{
	struct netrc n = { data, data + len };
	const char *password;

	if (len > LIMIT_NETRC_BYTES)
		return err_set(err, ERR_CONFIG, "%s is larger than %d bytes",
			path, LIMIT_NETRC_BYTES);
	if (memchr(data, '\0', len) != NULL)
		return err_set(err, ERR_CONFIG, "%s holds a NUL", path);
	password = find(&n, query);
	if (password == NULL)
		return err_set(err, ERR_CONFIG,
			"%s has no line: machine %s login %s password ...",
			path, query->host, query->user);
	secret_put(password, secret);
	return true;
}

bool secret_from_netrc(const struct secret_source *source,
	const struct secret_query *query, struct secret *secret,
	struct err *err)
{
	size_t len = 0, cap = LIMIT_NETRC_BYTES + 1;
	int fd = secret_open(source->text, err);
	char *data;
	bool ok;

	if (fd < 0)
		return false;
	data = mem_grow(NULL, cap + 1, 1);
	ok = secret_drain(fd, source->text, data, cap, &len, err)
		&& look_up(data, len, source->text, query, secret, err);
	close(fd);
	explicit_bzero(data, cap + 1);
	free(data);
	return ok;
}
