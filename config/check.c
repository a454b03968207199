/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/check.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/limits.h"
#include "config/chars.h"
#include "config/path.h"
#include "config/source.h"

struct judged {
	struct mistakes *m;
	const struct account *account;
	struct yaml_node *node;
	const struct yaml_node *defaults;
};

/* The account's own key, else the one in the defaults, else NULL. */
static struct yaml_node *given(const struct judged *j, const char *key)
{
	struct yaml_node *own = yaml_find(j->node, key);

	return own != NULL ? own : yaml_find(j->defaults, key);
}

/* Not wrong in itself, so it can be compared with others. */
static bool sound(const struct judged *j, const char *key)
{
	const struct yaml_node *node = given(j, key);

	return node == NULL || !node->bad;
}

static void required(const struct judged *j)
{
	static const char *const keys[] = { "host", "user", "deliver" };
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (given(j, keys[i]) == NULL)
			mistake_key(j->m, j->node, "%s is missing: %s", keys[i],
				field_find(account_fields, keys[i])->help);
}

static const char *const needs[] = {
	[NEEDS_PASSWORD] = "password", [NEEDS_TOKEN] = "token",
	[NEEDS_CERTIFICATE] = "client_cert", [NEEDS_TICKET] = "",
};

/* Without a way to log in there is no use in connecting. */
static void login(const struct judged *j)
{
	const struct account *account = j->account;
	int mech;

	if (!sound(j, "password") || !sound(j, "token") || !sound(j, "auth")
	    || !sound(j, "client_cert"))
		return;
	for (mech = 0; mech < AUTH_MECHS; mech++)
		if (config_auth_possible(account, (enum auth_mech)mech))
			return;
	if (account->auth_count > 0
	    && (account->password.kind != SECRET_NONE
	    || account->token.kind != SECRET_NONE
	    || config_auth_need(account->auth[0]) == NEEDS_CERTIFICATE))
		mistake_value(j->m, given(j, "auth"),
			"%s needs %s, which the account does not have",
			config_auth_name(account->auth[0]),
			needs[config_auth_need(account->auth[0])]);
	else
		mistake_key(j->m, j->node, "password is missing: %s (or token)",
			field_find(account_fields, "password")->help);
}

static void compress(const struct judged *j)
{
	struct yaml_node *deliver = given(j, "deliver");
	struct yaml_node *node = deliver != NULL
		? yaml_find(deliver, "compress") : NULL;

	if (node != NULL && !deliver->bad
	    && j->account->deliver.kind == DELIVER_PIPE)
		mistake_key(j->m, node,
			"only maildir and mbox can be compressed");
}

static void plaintext(const struct judged *j)
{
	/* What goes over a local socket does not leave this machine. */
	if (!sound(j, "tls") || !sound(j, "accept_plaintext")
	    || given(j, "socket") != NULL || j->account->tls != TLS_NONE || j->account->accept_plaintext)
		return;
	mistake_value(j->m, given(j, "tls"),
		"without TLS everybody on the way can read the mail and perhaps the password; if that is meant, add accept_plaintext: true");
}

/* The key to blame when two exclude each other: the account's own before the
 * defaults', which other accounts may need as they are. */
static struct yaml_node *blamed(const struct judged *j, const char *a,
	const char *b)
{
	if (yaml_find(j->node, a) == NULL && yaml_find(j->node, b) != NULL)
		return yaml_find(j->node, b);
	return given(j, a);
}

static void port(const struct judged *j)
{
	bool implicit = j->account->tls == TLS_IMPLICIT;

	if (given(j, "port") == NULL || !sound(j, "port") || !sound(j, "tls"))
		return;
	if (j->account->port == PORT_TLS && !implicit)
		mistake_value(j->m, blamed(j, "port", "tls"),
			"port 995 speaks TLS from the first byte: use tls: implicit, or port 110 with tls: %s",
			config_tls_name(j->account->tls));
	if (j->account->port == PORT_PLAIN && implicit)
		mistake_value(j->m, blamed(j, "port", "tls"),
			"port 110 begins without TLS: use tls: starttls, or port 995 with tls: implicit");
}

static void trust(const struct judged *j)
{
	struct yaml_node *node = given(j, "trust");

	if (node == NULL || !sound(j, "trust") || !sound(j, "pin"))
		return;
	if (j->account->trust == TRUST_CHAIN && j->account->pin != NULL)
		mistake_value(j->m, blamed(j, "trust", "pin"),
			"trust: chain looks at no pin; use trust: both");
	if (j->account->trust > TRUST_CHAIN && j->account->pin == NULL)
		mistake_value(j->m, node, "trust: %s needs a pin",
			trust_names[j->account->trust]);
}

static void client_key(const struct judged *j)
{
	if (given(j, "client_key") != NULL && given(j, "client_cert") == NULL)
		mistake_key(j->m, given(j, "client_key"),
			"client_key needs client_cert");
	if (given(j, "client_cert") != NULL && sound(j, "client_cert")
	    && sound(j, "tls") && j->account->tls == TLS_NONE)
		mistake_key(j->m, blamed(j, "client_cert", "tls"),
			"a client_cert is shown in TLS only, not with tls: none");
}

/* There is one way to a server. */
static void ways(const struct judged *j)
{
	static const char *const rivals[][2] = {
		{ "tunnel", "proxy" }, { "tunnel", "socket" },
		{ "proxy", "socket" }, { "source_address", "tunnel" },
		{ "source_address", "socket" },
	};
	const char *a, *b;
	size_t i;

	for (i = 0; i < sizeof(rivals) / sizeof(rivals[0]); i++) {
		a = rivals[i][0];
		b = rivals[i][1];
		if (given(j, a) != NULL && given(j, b) != NULL
		    && sound(j, a) && sound(j, b))
			mistake_key(j->m, blamed(j, a, b),
				"%s and %s exclude each other", a, b);
	}
}

void check_account(struct mistakes *m, const struct account *account,
	struct yaml_node *node, const struct yaml_node *defaults)
{
	const struct judged j = { m, account, node, defaults };

	required(&j);
	login(&j);
	compress(&j);
	plaintext(&j);
	port(&j);
	trust(&j);
	client_key(&j);
	ways(&j);
}

bool check_name(struct mistakes *m, struct yaml_node *account)
{
	const char *name = account->key;

	if (strlen(name) > LIMIT_ACCOUNT_NAME)
		return mistake_key(m, account,
			"the name is longer than %d characters",
			LIMIT_ACCOUNT_NAME);
	if (name[0] == '\0' || name[0] == '.'
	    || name[strspn(name, LETTERS DIGITS "._@+-")] != '\0')
		return mistake_key(m, account,
			"a name may hold letters, digits and . _ @ + - and must not begin with a dot");
	return true;
}

static int by_name(const void *a, const void *b)
{
	const struct yaml_node *x = *(struct yaml_node *const *)a;
	const struct yaml_node *y = *(struct yaml_node *const *)b;
	int order = strcmp(x->key, y->key);

	if (order == 0)
		order = strcmp(x->file, y->file);
	if (order == 0 && x->key_line != y->key_line)
		order = x->key_line < y->key_line ? -1 : 1;
	return order;
}

void check_unique(struct mistakes *m, struct yaml_node *const *accounts,
	size_t count)
{
	struct yaml_node **sorted = mem_grow(NULL, count + 1,
		sizeof(*sorted));
	size_t i;

	if (count != 0)
		memcpy(sorted, accounts, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), by_name);
	/* Twins in one file were found when the file was read. */
	for (i = 1; i < count; i++)
		if (strcmp(sorted[i]->key, sorted[i - 1]->key) == 0
		    && sorted[i]->file != sorted[i - 1]->file)
			mistake_key(m, sorted[i],
				"another account of this name is in %s, line %u",
				sorted[i - 1]->file, sorted[i - 1]->key_line);
	free(sorted);
}

static void private_file(struct decoder *d, struct yaml_node *node,
	const char *path)
{
	const char *why;
	struct stat st;

	/* A file that is not there yet is a matter for this account's pass,
	 * not a reason to refuse all accounts. */
	if (stat(path, &st) < 0)
		return;
	why = source_not_private(d->arena, &st, path);
	if (why != NULL)
		mistake_value(d->mistakes, node, "%s", why);
}

static void private_here(struct decoder *d, struct yaml_node *node,
	const struct stat *st, bool *told)
{
	const char *why = source_not_private(d->arena, st, node->file);

	if (why == NULL || *told)
		return;
	*told = true;
	mistake_value(d->mistakes, node, "%s", why);
}

void check_one_secret(struct mistakes *m, struct account *account,
	const struct yaml_node *map)
{
	const struct secret_source none = { .kind = SECRET_NONE };
	struct yaml_node *password = yaml_find(map, "password");
	struct yaml_node *token = yaml_find(map, "token");

	if (password != NULL && token != NULL)
		mistake_key(m, token,
			"an account logs in with a password or with a token, not with both");
	else if (password != NULL)
		account->token = none;
	else if (token != NULL)
		account->password = none;
}

static void check_secret(struct decoder *d, struct yaml_node *node,
	const struct secret_source *source, const struct stat *st,
	bool enabled, bool *told)
{
	if (node == NULL || node->bad)
		return;
	if (source->kind == SECRET_TEXT)
		private_here(d, node, st, told);
	else if (source->kind == SECRET_FILE && enabled)
		private_file(d, yaml_find(node, "file"), source->text);
	else if (source->kind == SECRET_NETRC && enabled)
		private_file(d, yaml_find(node, "netrc"), source->text);
}

void check_secrets(struct decoder *d, struct yaml_node *map,
	const struct account *account, const struct stat *st, bool *told)
{
	check_secret(d, yaml_find(map, "password"), &account->password, st,
		account->enabled, told);
	check_secret(d, yaml_find(map, "token"), &account->token, st,
		account->enabled, told);
}

void check_proxy(struct decoder *d, struct yaml_node *map,
	const struct account *account, const struct stat *st, bool *told)
{
	struct yaml_node *node = yaml_find(map, "proxy");

	if (node != NULL && !node->bad && account->proxy.password != NULL)
		private_here(d, node, st, told);
}

void check_client_key(struct decoder *d, struct yaml_node *map,
	const struct account *account, const struct stat *st, bool *told)
{
	const char *path = account->client_key;
	struct yaml_node *node = yaml_find(map, "client_key");
	struct stat key;

	if (node == NULL) {
		path = account->client_cert;
		node = yaml_find(map, "client_cert");
	}
	if (node == NULL || node->bad || !account->enabled)
		return;
	if (strstr(path, "pin-value=") != NULL)
		private_here(d, node, st, told);
	if (path[0] == '/' && stat(path, &key) == 0
	    && (key.st_mode & 077) != 0)
		mistake_value(d->mistakes, node,
			"others can read or change %s, which holds a key; run: chmod 600 %s",
			path, path_quote(d->arena, path));
}
