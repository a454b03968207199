/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/config/help.h"

#include "agent/base/fsx.h"
#include "config/fields.h"

/* What is right, and what comes out of it. */

static void check_fresh(void)
{
	const struct config *c = load(put("c", 0644,
		"accounts: {a: " ACCOUNT "}\n"));
	const struct account *a = c != NULL ? &c->accounts[0] : NULL;

	if (!accepted(a != NULL, "the least"))
		return;
	tap_ok(same(c->file, in_folder("c")) && c->parallel == 32
		&& c->per_host == 4 && c->log_level == LOG_LEVEL_INFO
		&& c->log_format == LOG_FORMAT_TEXT
		&& same(c->log_to, "stderr"), "defaults of the top level");
	tap_ok(a->enabled && a->port == 995 && a->tls == TLS_IMPLICIT
		&& same(a->tls_name, "h") && a->ca_file == NULL
		&& a->pin == NULL && a->priority == NULL
		&& !a->accept_plaintext && a->auth_count == 0
		&& a->keep.kind == KEEP_ALWAYS && !a->deliver.gzip,
		"defaults of an account");
	tap_ok(a->limits.message == 1u << 30 && a->limits.messages == 0
		&& a->limits.bytes == 0, "defaults of limits");
	tap_ok(a->timeouts.connect == 30 && a->timeouts.tls == 30
		&& a->timeouts.greeting == 120 && a->timeouts.command == 60
		&& a->timeouts.login == 300 && a->timeouts.body == 60
		&& a->timeouts.quit == 180 && a->timeouts.session == 21600,
		"defaults of timeouts");
	tap_ok(same(c->secret_env[0], "P") && c->secret_env[1] == NULL,
		"the variables with passwords are listed");
}

static void check_full(void)
{
	const struct config *c;
	const struct account *a;

	setenv("TEST_DIR", "/srv", 1);
	c = load(put("c", 0600,
		"state: ${TEST_DIR}/$TEST_DIR/a$/$5\n"
		"parallel: 1000\nper_host: 1\n"
		"log: {level: debug, format: json, to: ~/log}\n"
		"accounts:\n  jane@x.org:\n"
		"    host: \"2001:db8::1\"\n    port: 1995\n"
		"    tls: starttls\n    user: 007\n    password: 0123\n"
		"    auth: [user, scram-sha-1]\n    keep: 14d\n"
		"    deliver: {pipe: [x, ~/y, $Z, \"\", 5]}\n"
		"    limits: {message: 64K, messages: 5, bytes: 2G}\n"
		"    timeouts:\n      session: 90\n      login: \"2h\"\n"
		"    enabled: false\n    ca_file: ~\n"
		"    pin: sha256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
		"    tls_name: pop.x.org\n    priority: NORMAL\n"
		"    accept_plaintext: false\n"));
	a = c != NULL ? &c->accounts[0] : NULL;
	if (!accepted(a != NULL, "every key"))
		return;
	tap_ok(same(c->state, "/srv//srv/a$/$5") && c->parallel == 1000
		&& c->per_host == 1 && c->log_level == LOG_LEVEL_DEBUG
		&& c->log_format == LOG_FORMAT_JSON
		&& same(c->log_to, "/home/jane/log"), "top level");
	tap_ok(same(a->name, "jane@x.org") && same(a->host, "2001:db8::1")
		&& a->port == 1995 && a->tls == TLS_STARTTLS
		&& same(a->user, "007") && a->password.kind == SECRET_TEXT
		&& same(a->password.text, "0123"), "digits are text");
	tap_ok(a->auth_count == 2 && a->auth[0] == AUTH_USER
		&& a->auth[1] == AUTH_SCRAM_SHA_1, "auth in order");
	tap_ok(a->keep.kind == KEEP_FOR && a->keep.seconds == 14 * 86400,
		"keep");
	tap_ok(a->deliver.kind == DELIVER_PIPE && same(a->deliver.argv[1],
		"~/y") && same(a->deliver.argv[2], "$Z")
		&& same(a->deliver.argv[3], "") && same(a->deliver.argv[4],
		"5") && a->deliver.argv[5] == NULL,
		"arguments stay as they are");
	tap_ok(a->limits.message == 65536 && a->limits.messages == 5
		&& a->limits.bytes == 2ull << 30, "limits");
	tap_ok(a->timeouts.session == 90 && a->timeouts.login == 7200
		&& a->timeouts.connect == 30, "timeouts");
	tap_ok(!a->enabled && same(a->ca_file, "/home/jane")
		&& same(a->tls_name, "pop.x.org") && same(a->priority,
		"NORMAL") && a->pin[0] != NULL && a->pin[1] == NULL, "TLS");
}

static const struct way {
	const char *text;
	struct proxy proxy;
} ways[] = {
	{ "socks5://h", { "h", 1080, NULL, NULL } },
	{ "socks5h://proxy.x.org:9050", { "proxy.x.org", 9050, NULL, NULL } },
	{ "socks5://[2001:db8::1]:9", { "2001:db8::1", 9, NULL, NULL } },
	{ "socks5://[::1]", { "::1", 1080, NULL, NULL } },
	{ "socks5://u@h", { "h", 1080, "u", NULL } },
	{ "socks5://u:p@h:1", { "h", 1, "u", "p" } },
	{ "socks5://u%40x:p%3Aq@@h", { "h", 1080, "u@x", "p:q@" } },
};

static const struct {
	const char *text;
	struct notice notice;
} notices[] = {
	{ "limits: {}", { 86400, false } },
	{ "notice: true", { 86400, true } },
	{ "notice: false", { 86400, false } },
	{ "notice: 90m", { 5400, true } },
	{ "notice: {}", { 86400, true } },
	{ "notice: {after: 2d}", { 2 * 86400, true } },
	{ "notice: {mail: false}", { 86400, false } },
	{ "notice: {after: 1m, mail: false}", { 60, false } },
};

static void check_notices(void)
{
	const struct notice *n;
	const struct config *c;
	char text[300];
	size_t i;

	for (i = 0; i < sizeof(notices) / sizeof(notices[0]); i++) {
		snprintf(text, sizeof(text), "defaults: {%s}\n"
			"accounts: {a: " ACCOUNT "}\n", notices[i].text);
		c = load(put("c", 0600, text));
		n = c != NULL ? &c->accounts[0].notice : NULL;
		tap_ok(n != NULL && n->after == notices[i].notice.after
			&& n->mail == notices[i].notice.mail, "%s",
			notices[i].text);
	}
}

static bool same_or_none(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : same(a, b);
}

static void check_ways(void)
{
	char text[300];
	const struct config *c;
	const struct proxy *p;
	size_t i;

	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		snprintf(text, sizeof(text), "defaults: {proxy: '%s'}\n"
			"accounts: {a: " ACCOUNT "}\n", ways[i].text);
		c = load(put("c", 0600, text));
		p = c != NULL ? &c->accounts[0].proxy : &ways[i].proxy;
		tap_ok(c != NULL && same(p->host, ways[i].proxy.host)
			&& p->port == ways[i].proxy.port
			&& same_or_none(p->user, ways[i].proxy.user)
			&& same_or_none(p->password, ways[i].proxy.password),
			"%s", ways[i].text);
	}
	tap_ok(load(put("c", 0644, "accounts: {a: {host: h, user: u, "
		"password: {env: P}, deliver: {maildir: /m}, "
		"proxy: 'socks5://u:hunter2@h'}}\n")) == NULL
		&& strstr(said, ".proxy: ") != NULL
		&& strstr(said, "chmod 600") != NULL
		&& strstr(said, "hunter2") == NULL,
		"a proxy's password in a file that others can read");
	tap_ok(load(put("c", 0644, "accounts: {a: {host: h, user: u, "
		"password: {env: P}, deliver: {maildir: /m}, "
		"client_cert: 'pkcs11:a', "
		"client_key: 'pkcs11:a;pin-value=hunter2'}}\n")) == NULL
		&& strstr(said, ".client_key: ") != NULL
		&& strstr(said, "chmod 600") != NULL
		&& strstr(said, "hunter2") == NULL,
		"a token's PIN in a file that others can read");
	c = load(put("c", 0644, "accounts: {a: {host: h, user: u, "
		"password: {env: P}, deliver: {maildir: /m}, tls: none, "
		"socket: ~/s}}\n"));
	tap_ok(c != NULL && same(c->accounts[0].socket, "/home/jane/s")
		&& c->accounts[0].proxy.host == NULL
		&& c->accounts[0].tunnel == NULL,
		"tls: none over a local socket");
}

static void check_defaults(void)
{
	const struct config *c = load(put("c", 0600,
		"defaults:\n  limits: {message: 5M, messages: 7}\n"
		"  tls: starttls\n  deliver: {mbox: /b, compress: gzip}\n"
		"  password: {command: [pass]}\n  keep: false\n  auth: [plain]\n"
		"accounts:\n  a: {host: h, user: u, tls: implicit}\n"
		"  b: {host: h, user: u, limits: {bytes: 1K}, auth: auto,\n"
		"      deliver: {maildir: /m}, password: \"{x}\", keep: true}\n"
		"  c: {host: h, user: u, limits: }\n"));
	const struct account *a, *b;

	if (!accepted(c != NULL && c->count == 3, "defaults"))
		return;
	a = config_account(c, "a");
	b = config_account(c, "b");
	tap_ok(a->limits.message == 5u << 20 && a->limits.messages == 7
		&& a->tls == TLS_IMPLICIT && a->port == 995
		&& a->deliver.gzip && a->auth_count == 1
		&& a->keep.kind == KEEP_NEVER, "an account inherits");
	tap_ok(b->limits.message == 1u << 30 && b->limits.messages == 0
		&& b->limits.bytes == 1024 && b->auth_count == 0
		&& b->port == 110 && b->keep.kind == KEEP_ALWAYS,
		"its own key replaces the whole key");
	tap_ok(b->deliver.kind == DELIVER_MAILDIR && !b->deliver.gzip
		&& b->password.kind == SECRET_TEXT && b->password.argv == NULL
		&& same(b->password.text, "{x}"), "and nothing is left of it");
	tap_ok(config_account(c, "c")->limits.message == 1u << 30,
		"an empty map is a map");
	tap_ok(config_account(c, "d") == NULL
		&& config_nearest_account(c, "dddd") == NULL
		&& same(config_nearest_account(c, "aa"), "a"),
		"accounts are found by name");
}

static char *document(const char *name)
{
	const char *top = getenv("srcdir");
	char *text;
	size_t len;

	if (fsx_read_file(arena_printf(arena, "%s/config/%s",
		top != NULL ? top : ".", name), 1 << 20, &text, &len, &err))
		return text;
	tap_note("%s", err.text);
	return NULL;
}

/* The text of the man page's example, its escapes undone. */
static void cut_example(char *page)
{
	static const char begin[] = ".Sh EXAMPLES\n.Bd -literal\n";
	char *from = strstr(page, begin), *to, *out = page;

	to = from != NULL ? strstr(from, "\n.Ed") : NULL;
	if (to == NULL)
		from = to = page;
	else
		from += sizeof(begin) - 1;
	for (; from < to; from++)
		if (*from != '\\')
			*out++ = *from;
	*out = '\0';
}

static void check_keys(const char *page, const struct field *fields)
{
	const struct field *f;

	for (f = fields; f->key != NULL; f++) {
		const char *plain = arena_printf(arena, "Ic %s", f->key);
		const char *brace = arena_printf(arena, "Ic {%s", f->key);

		tap_ok((strstr(page, plain) || strstr(page, brace))
			&& f->help != NULL, "%s is in the man page", f->key);
		if (f->fields != NULL)
			check_keys(page, f->fields);
	}
}

static void check_documents(void)
{
	char *page = document("postrider.yaml.5");
	char *example = document("example.yaml");
	const struct config *c;

	setenv("LISTS_PASSWORD", "x", 1);
	if (!tap_ok(page != NULL && example != NULL, "the documents"))
		return;
	check_keys(page, top_fields);
	check_keys(page, account_fields);
	cut_example(page);
	c = load(put("c", 0600, page));
	accepted(c != NULL && c->count == 3, "the example of the man page");
	c = load(put("c", 0644, example));
	accepted(c != NULL && c->count == 1, "config/example.yaml");
	free(page);
	free(example);
}

static void check_many(void)
{
	FILE *file = fopen(put("c", 0600, ""), "w");
	const struct config *c;
	int i;

	if (file == NULL)
		abort();
	fputs("accounts:\n", file);
	for (i = 0; i < 10000; i++)
		fprintf(file, " a%d: " ACCOUNT "\n", i);
	fclose(file);
	c = load(in_folder("c"));
	accepted(c != NULL && c->count == 10000
		&& config_account(c, "a9999") == &c->accounts[9999],
		"10,000 accounts");
}

int main(void)
{
	begin();
	check_fresh();
	check_full();
	check_defaults();
	check_ways();
	check_notices();
	check_documents();
	check_many();
	end();
	return tap_done();
}
