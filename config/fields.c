/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/fields.h"

#include <assert.h>
#include <string.h>

#include "agent/base/limits.h"
#include "config/config.h"

#define MINUTE 60u
#define HOUR (60u * MINUTE)
#define DAY (24u * HOUR)
#define MIB (1ull << 20)

/* Far more than any mailbox, far less than an overflow. */
#define SIZE_LARGEST (1ull << 50)
#define COUNT_LARGEST 1000000000ull
#define TIMEOUT_LARGEST (7u * DAY)
#define INTERVAL_LARGEST (30u * DAY)

/* The address space of names: a longer one is a mistake. */
#define HOST_LONGEST 253
#define USER_LONGEST 1000
#define PRIORITY_LONGEST 1000

const char *const auth_names[] = {
	[AUTH_SCRAM_SHA_256_PLUS] = "scram-sha-256-plus",
	[AUTH_SCRAM_SHA_256] = "scram-sha-256",
	[AUTH_SCRAM_SHA_1_PLUS] = "scram-sha-1-plus",
	[AUTH_SCRAM_SHA_1] = "scram-sha-1",
	[AUTH_CRAM_MD5] = "cram-md5",
	[AUTH_GSSAPI] = "gssapi",
	[AUTH_EXTERNAL] = "external",
	[AUTH_OAUTHBEARER] = "oauthbearer",
	[AUTH_XOAUTH2] = "xoauth2",
	[AUTH_PLAIN] = "plain",
	[AUTH_LOGIN] = "login",
	[AUTH_USER] = "user",
	[AUTH_APOP] = "apop",
	[AUTH_MECHS] = NULL,
};

const char *const tls_names[] = {
	[TLS_IMPLICIT] = "implicit",
	[TLS_STARTTLS] = "starttls",
	[TLS_NONE] = "none",
	NULL,
};

const char *const trust_names[] = {
	[TRUST_AUTO] = "auto",
	[TRUST_CHAIN] = "chain",
	[TRUST_PIN] = "pin",
	[TRUST_BOTH] = "both",
	NULL,
};

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
	NULL,
};

static const char *const format_names[] = {
	[LOG_FORMAT_TEXT] = "text",
	[LOG_FORMAT_JSON] = "json",
	NULL,
};

static const char *const compress_names[] = { "gzip", NULL };
static const char *const prompt_names[] = { "true", NULL };

#define ROWS(names) (sizeof(names) / sizeof((names)[0]) - 1)
static_assert(ROWS(auth_names) == AUTH_MECHS, "one name for each mechanism");
static_assert(ROWS(tls_names) == TLS_NONE + 1, "one name for each mode");
static_assert(ROWS(trust_names) == TRUST_BOTH + 1, "one name for each kind");
static_assert(ROWS(level_names) == LOG_LEVEL_DEBUG + 1, "one for each level");
static_assert(ROWS(format_names) == LOG_FORMAT_JSON + 1, "one for each form");
/* A choice writes the kind without knowing the struct. */
static_assert(offsetof(struct secret_source, kind) == 0, "kind comes first");
static_assert(offsetof(struct deliver, kind) == 0, "kind comes first");

const struct config config_fresh = {
	.parallel = 32,
	.per_host = 4,
	.log_level = LOG_LEVEL_INFO,
	.log_format = LOG_FORMAT_TEXT,
	.log_to = "stderr",
};

const struct account account_fresh = {
	.enabled = true,
	.tls = TLS_IMPLICIT,
	.keep = { KEEP_ALWAYS, 0 },
	.interval = 5 * MINUTE,
	.limits = { .message = 1024 * MIB },
	.timeouts = {
		.connect = 30, .tls = 30, .greeting = 2 * MINUTE,
		.command = MINUTE, .login = 5 * MINUTE, .body = MINUTE,
		.quit = 3 * MINUTE, .session = 6 * HOUR,
	},
	.notice = { .after = DAY },
};

#define AT(type, member) .offset = offsetof(struct type, member)

static const struct field log_fields[] = {
	{ "level", FIELD_ENUM, AT(config, log_level), .names = level_names,
	  .help = "the least important event that is logged" },
	{ "format", FIELD_ENUM, AT(config, log_format), .names = format_names,
	  .help = "text lines for people or JSON lines for programs" },
	{ "to", FIELD_LOG_TO, AT(config, log_to),
	  .help = "where the log goes" },
	{ .key = NULL }
};

const struct field top_fields[] = {
	{ "state", FIELD_PATH, AT(file_top, config.state),
	  .help = "the folder of ledgers and staged mail" },
	{ "parallel", FIELD_NUMBER, AT(file_top, config.parallel),
	  1, LIMIT_PARALLEL, .help = "accounts fetched at once" },
	{ "per_host", FIELD_NUMBER, AT(file_top, config.per_host),
	  1, LIMIT_PARALLEL, .help = "connections to one host at once" },
	{ "log", FIELD_MAP, AT(file_top, config), .fields = log_fields,
	  .help = "what is logged, how and where" },
	{ "metrics", FIELD_PATH, AT(file_top, config.metrics),
	  .help = "a file that the daemon keeps metrics in" },
	{ "include", FIELD_NODE, AT(file_top, include),
	  .help = "patterns of files with more accounts" },
	{ "defaults", FIELD_NODE, AT(file_top, defaults),
	  .help = "account keys for all accounts" },
	{ "accounts", FIELD_NODE, AT(file_top, accounts),
	  .help = "the accounts, by name" },
	{ .key = NULL }
};

const struct field included_fields[] = {
	{ "accounts", FIELD_NODE, AT(file_top, accounts),
	  .help = "the accounts, by name" },
	{ .key = NULL }
};

const struct field secret_fields[] = {
	{ "file", FIELD_PATH, AT(secret_source, text), .choice = SECRET_FILE,
	  .help = "a private file that holds it" },
	{ "env", FIELD_VARIABLE, AT(secret_source, text), .choice = SECRET_ENV,
	  .help = "an environment variable that holds it" },
	{ "command", FIELD_ARGV, AT(secret_source, argv),
	  .choice = SECRET_COMMAND,
	  .help = "a program that prints it" },
	{ "credential", FIELD_CREDENTIAL, AT(secret_source, text),
	  .choice = SECRET_CREDENTIAL, .help = "a credential of systemd" },
	{ "netrc", FIELD_NETRC, AT(secret_source, text),
	  .choice = SECRET_NETRC, .help = "a file as ftp(1) reads it" },
	{ "prompt", FIELD_WORD, AT(secret_source, prompt),
	  .names = prompt_names, .choice = SECRET_PROMPT,
	  .help = "ask for it on the terminal" },
	{ .key = NULL }
};

static const struct field deliver_fields[] = {
	{ "maildir", FIELD_PATH, AT(deliver, path), .choice = DELIVER_MAILDIR,
	  .help = "a Maildir" },
	{ "mbox", FIELD_PATH, AT(deliver, path), .choice = DELIVER_MBOX,
	  .help = "an mbox file" },
	{ "pipe", FIELD_PIPE, AT(deliver, argv), .choice = DELIVER_PIPE,
	  .help = "a program that reads one message" },
	{ "compress", FIELD_WORD, AT(deliver, gzip), .names = compress_names,
	  .help = "how messages are stored" },
	{ .key = NULL }
};

#define SIZE(name, what) { #name, FIELD_SIZE, AT(account_limits, name), \
	0, SIZE_LARGEST, .help = what }

static const struct field limit_fields[] = {
	SIZE(message, "the largest message to fetch"),
	{ "messages", FIELD_NUMBER, AT(account_limits, messages),
	  0, COUNT_LARGEST, .help = "messages fetched in one pass" },
	SIZE(bytes, "bytes fetched in one pass"),
	{ .key = NULL }
};

#define WAIT(name, what) { #name, FIELD_SECONDS, AT(account_timeouts, name), \
	1, TIMEOUT_LARGEST, .help = what }

static const struct field timeout_fields[] = {
	WAIT(connect, "to look up the host and connect"),
	WAIT(tls, "for the TLS handshake"),
	WAIT(greeting, "for the server's greeting"),
	WAIT(command, "for the reply to a command"),
	WAIT(login, "for the reply to a login"),
	WAIT(body, "for the next bytes of a message"),
	WAIT(quit, "for the server to remove messages at the end"),
	WAIT(session, "for a whole pass"),
	{ .key = NULL }
};

static const struct field hook_fields[] = {
	{ "mail", FIELD_ARGV, AT(account_hooks, mail),
	  .help = "a program to run when mail was delivered" },
	{ "failing", FIELD_ARGV, AT(account_hooks, failing),
	  .help = "a program to run when the account has failed for a while" },
	{ "recovered", FIELD_ARGV, AT(account_hooks, recovered),
	  .help = "a program to run when it works again" },
	{ .key = NULL }
};

/* Who writes the key wants a message. */
static const struct notice notice_fresh = { .after = DAY, .mail = true };

static const struct field notice_fields[] = {
	{ "after", FIELD_SECONDS, AT(notice, after), MINUTE, 365 * DAY,
	  .help = "how long the account has failed" },
	{ "mail", FIELD_BOOL, AT(notice, mail),
	  .help = "whether a message tells of it" },
	{ .key = NULL }
};

const struct field account_fields[] = {
	{ "host", FIELD_HOST, AT(account, host), .max = HOST_LONGEST,
	  .help = "the name or address of the POP3 server" },
	{ "port", FIELD_NUMBER, AT(account, port), 1, 65535,
	  .help = "995 with tls: implicit, 110 otherwise" },
	{ "tls", FIELD_ENUM, AT(account, tls), .names = tls_names,
	  .help = "how the connection is protected" },
	{ "user", FIELD_LINE, AT(account, user), .max = USER_LONGEST,
	  .help = "the name to log in with" },
	{ "password", FIELD_SECRET, AT(account, password),
	  .fields = secret_fields, .size = sizeof(struct secret_source),
	  .help = "the password, or where it is" },
	{ "token", FIELD_SECRET, AT(account, token),
	  .fields = secret_fields, .size = sizeof(struct secret_source),
	  .help = "an OAuth 2.0 access token, or where it is" },
	{ "auth", FIELD_AUTH, .offset = 0, .names = auth_names,
	  .help = "ways to log in, the preferred one first" },
	{ "keep", FIELD_KEEP, AT(account, keep),
	  .help = "how long messages stay on the server" },
	{ "interval", FIELD_SECONDS, AT(account, interval), 1, INTERVAL_LARGEST,
	  .help = "how often the daemon polls it" },
	{ "jitter", FIELD_SECONDS, AT(account, jitter), 0, INTERVAL_LARGEST,
	  .help = "how much later, at random, that may be" },
	{ "deliver", FIELD_CHOICE, AT(account, deliver),
	  .fields = deliver_fields, .size = sizeof(struct deliver),
	  .help = "where messages go" },
	{ "limits", FIELD_MAP, AT(account, limits), .fields = limit_fields,
	  .fresh = &account_fresh.limits, .size = sizeof(struct account_limits),
	  .help = "what one pass may fetch" },
	{ "timeouts", FIELD_MAP, AT(account, timeouts),
	  .fields = timeout_fields, .fresh = &account_fresh.timeouts,
	  .size = sizeof(struct account_timeouts),
	  .help = "how long to wait" },
	{ "notice", FIELD_NOTICE, AT(account, notice), .fields = notice_fields,
	  .fresh = &notice_fresh, .size = sizeof(struct notice),
	  .help = "when to tell that the account fails" },
	{ "hooks", FIELD_MAP, AT(account, hooks), .fields = hook_fields,
	  .size = sizeof(struct account_hooks),
	  .help = "programs to run at an event" },
	{ "enabled", FIELD_BOOL, AT(account, enabled),
	  .help = "false: the account is checked but not fetched" },
	{ "ca_file", FIELD_PATH, AT(account, ca_file),
	  .help = "certificates to trust instead of the system's" },
	{ "pin", FIELD_PINS, AT(account, pin),
	  .help = "public keys the server may show" },
	{ "trust", FIELD_ENUM, AT(account, trust), .names = trust_names,
	  .help = "what tells that it is the right server" },
	{ "client_cert", FIELD_CERT, AT(account, client_cert),
	  .help = "a certificate of ours to show to the server" },
	{ "client_key", FIELD_CERT, AT(account, client_key),
	  .help = "the key of client_cert" },
	{ "tls_name", FIELD_HOST, AT(account, tls_name), .max = HOST_LONGEST,
	  .help = "the name the certificate must show" },
	{ "priority", FIELD_LINE, AT(account, priority),
	  .max = PRIORITY_LONGEST, .help = "a GnuTLS priority string" },
	{ "tunnel", FIELD_TUNNEL, AT(account, tunnel),
	  .help = "a program that is the connection to the server" },
	{ "proxy", FIELD_PROXY, AT(account, proxy),
	  .help = "a SOCKS 5 proxy to connect through" },
	{ "socket", FIELD_SOCKET, AT(account, socket),
	  .help = "a local socket to connect to" },
	{ "source_address", FIELD_ADDRESS, AT(account, source_address),
	  .help = "the local address to connect from" },
	{ "accept_plaintext", FIELD_BOOL, AT(account, accept_plaintext),
	  .help = "true: tls: none is meant" },
	{ .key = NULL }
};

const struct field *field_find(const struct field *fields, const char *key)
{
	for (; fields->key != NULL; fields++)
		if (strcmp(fields->key, key) == 0)
			return fields;
	return NULL;
}

const char *config_tls_name(enum tls_mode mode)
{
	return tls_names[mode];
}
