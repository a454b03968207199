/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/config.h"

#include <string.h>

#include "config/advise.h"
#include "config/check.h"
#include "config/decode.h"
#include "config/fields.h"
#include "config/files.h"
#include "config/mistake.h"
#include "config/near.h"
#include "config/path.h"

struct loader {
	struct decoder d;
	struct files files;
	struct file_top top;
	struct account fresh;		/* with the defaults of the file */
};

static void read_top(struct loader *l)
{
	struct file *top = &l->files.list[0];

	l->top.config = config_fresh;
	l->top.config.file = top->path;
	if (top->root != NULL && !top->broken)
		decode_map(&l->d, top->root, top_fields, &l->top);
	top->accounts = l->top.accounts;
}

static void read_includes(struct loader *l)
{
	struct file_top top = { .accounts = NULL };
	struct file *file;
	size_t i;

	if (l->top.include == NULL)
		return;
	if (!l->files.list[0].loaded) {
		mistake_key(l->d.mistakes, l->top.include,
			"nothing can be included here");
		return;
	}
	files_include(&l->files, &l->d, l->top.include);
	for (i = 1; i < l->files.count; i++) {
		file = &l->files.list[i];
		top.accounts = NULL;
		if (file->root != NULL && !file->broken)
			decode_map(&l->d, file->root, included_fields, &top);
		file->accounts = top.accounts;
	}
}

static void judge_secrets(struct loader *l, struct file *file,
	struct yaml_node *map, const struct account *account)
{
	if (!file->loaded)
		return;
	check_secrets(&l->d, map, account, &file->st, &file->told);
	check_proxy(&l->d, map, account, &file->st, &file->told);
	check_client_key(&l->d, map, account, &file->st, &file->told);
}

static void read_defaults(struct loader *l)
{
	struct yaml_node *defaults = l->top.defaults;

	l->fresh = account_fresh;
	if (defaults == NULL)
		return;
	decode_map(&l->d, defaults, account_fields, &l->fresh);
	check_one_secret(l->d.mistakes, &l->fresh, defaults);
	judge_secrets(l, &l->files.list[0], defaults, &l->fresh);
}

static void finish_account(struct account *account)
{
	if (account->port == 0)
		account->port = account->tls == TLS_IMPLICIT ? PORT_TLS
			: PORT_PLAIN;
	if (account->tls_name == NULL)
		account->tls_name = account->host;
	if (account->trust == TRUST_AUTO)
		account->trust = account->pin != NULL ? TRUST_PIN
			: TRUST_CHAIN;
	/* One file may hold both. */
	if (account->client_key == NULL)
		account->client_key = account->client_cert;
}

static void judge_program(struct loader *l, const struct file *file,
	const struct yaml_node *map, const struct account *account)
{
	struct yaml_node *deliver = yaml_find(map, "deliver");
	struct yaml_node *node;

	if (deliver == NULL)
		deliver = yaml_find(l->top.defaults, "deliver");
	node = yaml_find(deliver, "pipe");
	if (account->enabled && account->deliver.kind == DELIVER_PIPE
	    && node != NULL && !node->bad)
		advise_pipe(l->d.mistakes, node, account->deliver.argv,
			file->loaded);
}

static void read_account(struct loader *l, struct file *file,
	struct yaml_node *node, struct account *account)
{
	*account = l->fresh;
	account->name = arena_strdup(l->d.arena, node->key);
	if (node->bad || !check_name(l->d.mistakes, node))
		return;
	decode_map(&l->d, node, account_fields, account);
	check_one_secret(l->d.mistakes, account, node);
	if (node->kind == YAML_MAP || yaml_empty(node))
		check_account(l->d.mistakes, account, node, l->top.defaults);
	judge_secrets(l, file, node, account);
	judge_program(l, file, node, account);
	finish_account(account);
}

/* How many there are; what is no map of accounts is reported. */
static size_t count_accounts(struct loader *l)
{
	struct yaml_node *accounts;
	size_t i, count = 0;

	for (i = 0; i < l->files.count; i++) {
		accounts = l->files.list[i].accounts;
		if (accounts == NULL || accounts->bad)
			continue;
		if (accounts->kind == YAML_MAP)
			count += accounts->count;
		else if (!yaml_empty(accounts))
			mistake_value(l->d.mistakes, accounts,
				"accounts by name are wanted here");
	}
	return count;
}

static void read_accounts(struct loader *l)
{
	struct yaml_node **nodes, *node;
	size_t i, n = 0, count = count_accounts(l);
	struct file *file;

	nodes = arena_array(l->d.tree, count + 1, sizeof(*nodes));
	l->top.config.accounts = arena_array(l->d.arena, count + 1,
		sizeof(*l->top.config.accounts));
	l->top.config.count = count;
	for (i = 0; i < l->files.count; i++) {
		file = &l->files.list[i];
		if (file->accounts == NULL || file->accounts->bad)
			continue;
		for (node = file->accounts->first; node != NULL;
		     node = node->next) {
			read_account(l, file, node,
				&l->top.config.accounts[n]);
			nodes[n++] = node;
		}
	}
	check_unique(l->d.mistakes, nodes, count);
}

static void require_account(struct loader *l)
{
	const struct yaml_node *at = l->top.accounts;
	const char *path = l->files.list[0].path;

	/* Without a tree, or with another mistake, nobody knows. */
	if (l->top.config.count != 0 || mistakes_count(l->d.mistakes) != 0)
		return;
	mistake_at(l->d.mistakes, path, at, at != NULL ? at->key_line : 1,
		at != NULL ? at->key_column : 1, "no account is given");
}

static void list_secret_env(struct loader *l)
{
	struct config *config = &l->top.config;
	const char **names = arena_array(l->d.arena, 2 * config->count + 1,
		sizeof(*names));
	const struct account *a;
	size_t i, n = 0;

	for (i = 0; i < config->count; i++) {
		a = &config->accounts[i];
		if (a->password.kind == SECRET_ENV)
			names[n++] = a->password.text;
		if (a->token.kind == SECRET_ENV)
			names[n++] = a->token.text;
	}
	config->secret_env = names;
}

static void read_all(struct loader *l)
{
	read_top(l);
	read_includes(l);
	read_defaults(l);
	read_accounts(l);
	require_account(l);
	list_secret_env(l);
}

static bool finish(struct loader *l, config_report *report, void *arg,
	const struct config **config_r, struct err *err)
{
	size_t count = mistakes_count(l->d.mistakes);
	struct config *config;

	if (count != 0) {
		mistakes_report(l->d.mistakes, report, arg);
		return err_set(err, ERR_CONFIG, "%s: %zu mistake%s",
			l->top.config.file, count, count == 1 ? "" : "s");
	}
	if (l->top.config.state == NULL && !path_default_state(l->d.arena,
		&l->top.config.state, err))
		return false;
	config = arena_alloc(l->d.arena, sizeof(*config));
	*config = l->top.config;
	config->advice = mistakes_advice(l->d.mistakes, l->d.arena);
	*config_r = config;
	return true;
}

/* A tree is several times as large as what it says. */
static void begin(struct loader *l, struct arena *arena)
{
	memset(l, 0, sizeof(*l));
	l->d.arena = arena;
	l->d.tree = arena_new();
	l->d.mistakes = mistakes_new(l->d.tree);
}

static bool end(struct loader *l, bool ok)
{
	files_free(&l->files);
	arena_free(l->d.tree);
	return ok;
}

bool config_load(const char *path, struct arena *arena,
	config_report *report, void *arg, const struct config **config_r,
	struct err *err)
{
	struct loader l;

	if (path == NULL && !path_find_config(arena, &path, err))
		return false;
	begin(&l, arena);
	if (!files_load(&l.files, &l.d, path, err))
		return end(&l, false);
	read_all(&l);
	return end(&l, finish(&l, report, arg, config_r, err));
}

bool config_parse(const char *name, const char *data, size_t len,
	struct arena *arena, config_report *report, void *arg,
	const struct config **config_r, struct err *err)
{
	struct loader l;

	begin(&l, arena);
	files_parse(&l.files, &l.d, name, data, len);
	read_all(&l);
	return end(&l, finish(&l, report, arg, config_r, err));
}

const struct account *config_account(const struct config *config,
	const char *name)
{
	size_t i;

	for (i = 0; i < config->count; i++)
		if (strcmp(config->accounts[i].name, name) == 0)
			return &config->accounts[i];
	return NULL;
}

const char *config_nearest_account(const struct config *config,
	const char *name)
{
	struct near near;
	size_t i;

	near_start(&near, name);
	for (i = 0; i < config->count; i++)
		near_offer(&near, config->accounts[i].name);
	return near_best(&near);
}
