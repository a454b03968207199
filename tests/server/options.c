#include "tests/server/options.h"
#include "tests/server/script.h"
#include "tests/tools/putfile.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { FLAG, TEXT, NUMBER, WORDS, CALL };

struct row {
	const char *name;
	const char *arg;
	enum kind kind;
	size_t offset;
	bool (*call)(struct options *opt, const char *value);
	const char *help;
};

struct choice {
	const char *name;
	unsigned value;
};

static const struct choice tls_modes[] = {
	{ "implicit", TLS_IMPLICIT }, { "starttls", TLS_STARTTLS }, { "none", TLS_NONE },
	{ NULL, 0 }
};

static const struct choice cert_faults[] = {
	{ "none", CERT_GOOD }, { "expired", CERT_EXPIRED }, { "not-yet", CERT_NOT_YET },
	{ "wrong-host", CERT_WRONG_HOST }, { "self-signed", CERT_SELF_SIGNED },
	{ "unknown-ca", CERT_UNKNOWN_CA }, { NULL, 0 }
};
static_assert(sizeof cert_faults / sizeof cert_faults[0] == CERT_FAULTS + 1,
	      "every certificate fault has a name");

static const struct choice features[] = {
	{ "uidl", WITH_UIDL }, { "top", WITH_TOP }, { "capa", WITH_CAPA },
	{ "pipelining", WITH_PIPELINING }, { "sasl", WITH_SASL }, { "user", WITH_USER },
	{ "last", WITH_LAST }, { "resp-codes", WITH_RESP_CODES },
	{ "tickets", WITH_TICKETS }, { NULL, 0 }
};

static const struct choice priorities[] = {
	{ "1.0", 0 }, { "1.1", 1 }, { "1.2", 2 }, { "1.3", 3 }, { NULL, 0 }
};

static bool
choose(const struct choice *list, const char *text, size_t len, unsigned *value_r)
{
	for (; list->name; list++) {
		if (strlen(list->name) == len && strncmp(list->name, text, len) == 0) {
			*value_r = list->value;
			return true;
		}
	}
	fprintf(stderr, "popd: %.*s: unknown value\n", (int)len, text);
	return false;
}

static void *
grow(void *list, size_t n, size_t size)
{
	void *more = realloc(list, (n + 1) * size);

	if (!more) {
		perror("popd");
		exit(71);
	}
	return more;
}

static bool
set_tls(struct options *opt, const char *value)
{
	unsigned mode;

	if (!choose(tls_modes, value, strlen(value), &mode))
		return false;
	opt->tls = (enum tls_mode)mode;
	return true;
}

static bool
set_cert_fault(struct options *opt, const char *value)
{
	unsigned fault;

	if (!choose(cert_faults, value, strlen(value), &fault))
		return false;
	opt->cert_fault = (enum cert_fault)fault;
	return true;
}

static bool
set_tls_min(struct options *opt, const char *value)
{
	static const char *const strings[] = {
		"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:+VERS-TLS1.1:+VERS-TLS1.0",
		"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:+VERS-TLS1.1",
		"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2",
		"NORMAL:-VERS-ALL:+VERS-TLS1.3",
	};
	unsigned n;

	if (!choose(priorities, value, strlen(value), &n))
		return false;
	opt->priority = strings[n];
	return true;
}

static bool
switch_features(struct options *opt, const char *value, bool on)
{
	while (*value) {
		size_t len = strcspn(value, ",");
		unsigned bit;

		if (!choose(features, value, len, &bit))
			return false;
		opt->features = on ? opt->features | bit : opt->features & ~bit;
		value += len + (value[len] == ',');
	}
	return true;
}

static bool
set_with(struct options *opt, const char *value)
{
	return switch_features(opt, value, true);
}

static bool
set_without(struct options *opt, const char *value)
{
	return switch_features(opt, value, false);
}

static bool
add_account(struct options *opt, const char *text, size_t len)
{
	const char *one = memchr(text, ':', len);
	const char *two = one ? memchr(one + 1, ':', len - (size_t)(one + 1 - text)) : NULL;
	struct account *a;

	if (!two || one == text || two + 1 == text + len) {
		fprintf(stderr, "popd: %.*s: not of the form NAME:PASSWORD:DIR\n",
			one ? (int)(one - text) : 16, text);
		return false;
	}
	opt->accounts = grow(opt->accounts, opt->n_accounts, sizeof *opt->accounts);
	a = &opt->accounts[opt->n_accounts++];
	a->name = strndup(text, (size_t)(one - text));
	a->password = strndup(one + 1, (size_t)(two - one - 1));
	a->dir = strndup(two + 1, len - (size_t)(two + 1 - text));
	return a->name && a->password && a->dir;
}

static bool
set_user(struct options *opt, const char *value)
{
	return add_account(opt, value, strlen(value));
}

static bool
set_users(struct options *opt, const char *path)
{
	size_t len;
	char *data = putfile_read(path, &len), *at = data;
	bool ok = true;

	if (!data) {
		fprintf(stderr, "popd: %s: %s\n", path, strerror(errno));
		return false;
	}
	while (ok && *at) {
		size_t n = strcspn(at, "\n");

		ok = n == 0 || add_account(opt, at, n);
		at += n + (at[n] == '\n');
	}
	free(data);
	return ok;
}

#define AT(member) offsetof(struct options, member)

static const struct row rows[] = {
	{ "listen", "ADDR:PORT", WORDS, AT(listen), NULL,
	  "where to listen, may be repeated [127.0.0.1:0]; prints `listening ADDR PORT'" },
	{ "port-file", "FILE", TEXT, AT(port_file), NULL,
	  "write the ports, one a line, once all is ready" },
	{ "max-sessions", "N", NUMBER, AT(max_sessions), NULL, "exit after N sessions" },
	{ "until-eof", NULL, FLAG, AT(until_eof), NULL,
	  "exit at the end of standard input" },
	{ "tls", "MODE", CALL, 0, set_tls, "implicit | starttls | none [implicit]" },
	{ "tls-name", "NAME", TEXT, AT(tls_name), NULL,
	  "host name in the certificate, beside 127.0.0.1 and ::1 [localhost]" },
	{ "tls-min", "VERSION", CALL, 0, set_tls_min, "1.0 | 1.1 | 1.2 | 1.3" },
	{ "priority", "STRING", TEXT, AT(priority), NULL, "GnuTLS priority string" },
	{ "ca-out", "FILE", TEXT, AT(ca_out), NULL,
	  "write the certificate a client should trust (PEM)" },
	{ "cert-out", "FILE", TEXT, AT(cert_out), NULL, "write the server's own certificate" },
	{ "cert-fault", "KIND", CALL, 0, set_cert_fault,
	  "expired | not-yet | wrong-host | self-signed | unknown-ca" },
	{ "key-cache", "DIR", TEXT, AT(key_cache), NULL,
	  "keep key and certificates there between runs" },
	{ "cert-key", "FILE", TEXT, AT(cert_key), NULL,
	  "use this key and chain (PEM) instead of throw-away ones" },
	{ "ocsp", "FILE", TEXT, AT(ocsp), NULL,
	  "staple this OCSP response (DER) to the certificate" },
	{ "client-ca", "FILE", TEXT, AT(client_ca), NULL,
	  "demand a certificate signed by this one" },
	{ "user", "NAME:PASSWORD:DIR", CALL, 0, set_user,
	  "a maildrop: every regular file of DIR whose name has no leading dot" },
	{ "users", "FILE", CALL, 0, set_users, "the same, one a line" },
	{ "raw", NULL, FLAG, AT(raw), NULL,
	  "send files as they are; else LF becomes CRLF" },
	{ "generate", "N", NUMBER, AT(generate), NULL,
	  "fill each empty maildrop with N messages, the same ones each time" },
	{ "generate-size", "BYTES", NUMBER, AT(generate_size), NULL,
	  "their size, about [2000]" },
	{ "lock-wait", "MS", NUMBER, AT(lock_wait), NULL,
	  "how long a login waits for a maildrop in use [500]" },
	{ "with", "NAME,...", CALL, 0, set_with,
	  "uidl top capa pipelining sasl user last resp-codes tickets" },
	{ "without", "NAME,...", CALL, 0, set_without, "the same [last is off]" },
	{ "strict-lockstep", NULL, FLAG, AT(strict_lockstep), NULL,
	  "without pipelining: drop a client that sends ahead (waits 2 ms to see it)" },
	{ "capa-extra", "LINE", WORDS, AT(capa_extra), NULL,
	  "one more line of CAPA, may be repeated" },
	{ "sasl", "NAMES", TEXT, AT(sasl), NULL,
	  "what AUTH knows, as in \"PLAIN LOGIN\" [PLAIN]; also EXTERNAL (any user), XOAUTH2, "
	  "OAUTHBEARER and, with GNU SASL, SCRAM-SHA-1, SCRAM-SHA-256, the same with -PLUS, CRAM-MD5" },
	{ "idle", "SECONDS", NUMBER, AT(idle), NULL, "leave a silent client [600]" },
	{ "log", "FILE", TEXT, AT(log), NULL,
	  "append a line an event: SECONDS.MICROS CONNECTION USER EVENT..." },
	{ "log-secrets", NULL, FLAG, AT(log_secrets), NULL,
	  "show the arguments of PASS and AUTH in the log" },
	{ "script", "FILE", TEXT, AT(script), NULL,
	  "fault rules, one a line; read again for every connection" },
	{ "do", "RULE", WORDS, AT(rules), NULL, "one fault rule, may be repeated" },
	{ "seed", "N", NUMBER, AT(seed), NULL, "for rules with a chance [1]" },
};

static void
print_help(void)
{
	printf("usage: popd --user NAME:PASSWORD:DIR [OPTION]...\n"
	       "A throw-away POP3 server for tests and demonstrations.\n\n");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char left[64];

		snprintf(left, sizeof left, "--%s %s", rows[i].name,
			 rows[i].arg ? rows[i].arg : "");
		printf("  %-25s %s\n", left, rows[i].help);
	}
	printf("\n%s", script_help());
}

static bool
set_number(uint64_t *number_r, const char *value)
{
	char *end;

	errno = 0;
	*number_r = strtoull(value, &end, 10);
	if (*value >= '0' && *value <= '9' && *end == '\0' && errno == 0)
		return true;
	fprintf(stderr, "popd: %s: not a number\n", value);
	return false;
}

static bool
set(struct options *opt, const struct row *row, const char *value)
{
	char *at = (char *)opt + row->offset;
	struct words *w;

	switch (row->kind) {
	case FLAG:
		*(bool *)(void *)at = true;
		return true;
	case TEXT:
		*(const char **)(void *)at = value;
		return true;
	case NUMBER:
		return set_number((uint64_t *)(void *)at, value);
	case WORDS:
		w = (struct words *)(void *)at;
		w->item = grow(w->item, w->n, sizeof *w->item);
		w->item[w->n++] = value;
		return true;
	case CALL:
		return row->call(opt, value);
	}
	return false;
}

/* The row of "--NAME" or "--NAME=VALUE". */
static const struct row *
find(const char *arg)
{
	size_t len;

	if (strncmp(arg, "--", 2) != 0)
		return NULL;
	arg += 2;
	len = strcspn(arg, "=");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (strlen(rows[i].name) == len && strncmp(rows[i].name, arg, len) == 0)
			return &rows[i];
	}
	return NULL;
}

static bool
read_argument(struct options *opt, char **argv, int *i)
{
	const char *arg = argv[*i];
	const char *value = strchr(arg, '=');
	const struct row *row = find(arg);

	if (!row) {
		fprintf(stderr, "popd: %s: unknown option; see --help\n", arg);
		return false;
	}
	if (value)
		value++;
	else if (row->arg)
		value = argv[++*i];
	if ((value == NULL) != (row->arg == NULL)) {
		fprintf(stderr, "popd: --%s takes %s\n", row->name,
			row->arg ? row->arg : "no value");
		return false;
	}
	return set(opt, row, value);
}

enum options_result
options_read(int argc, char **argv, struct options *opt_r)
{
	*opt_r = (struct options){
		.tls_name = "localhost",
		.priority = "NORMAL",
		.generate_size = 2000,
		.lock_wait = 500,
		.features = ~(unsigned)WITH_LAST,
		.sasl = "PLAIN",
		.idle = 600,
		.seed = 1,
	};
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			print_help();
			return OPTIONS_HELP;
		}
		if (!read_argument(opt_r, argv, &i))
			return OPTIONS_BAD;
	}
	if (opt_r->n_accounts == 0) {
		fprintf(stderr, "popd: no --user NAME:PASSWORD:DIR; see --help\n");
		return OPTIONS_BAD;
	}
	return OPTIONS_RUN;
}

void
options_free(struct options *opt)
{
	for (size_t i = 0; i < opt->n_accounts; i++) {
		free(opt->accounts[i].name);
		free(opt->accounts[i].password);
		free(opt->accounts[i].dir);
	}
	free(opt->accounts);
	free(opt->listen.item);
	free(opt->capa_extra.item);
	free(opt->rules.item);
}

const struct account *
options_account(const struct options *opt, const char *name)
{
	for (size_t i = 0; i < opt->n_accounts; i++) {
		if (strcmp(opt->accounts[i].name, name) == 0)
			return &opt->accounts[i];
	}
	return NULL;
}
