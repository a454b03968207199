#include "tests/server/login.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Check the password, open the maildrop, answer. */
static void
log_in(struct session *s, const char *name, const char *password)
{
	const struct account *a = options_account(s->opt, name);

	if (!a || strcmp(a->password, password) != 0) {
		session_err(s, "AUTH", "wrong name or password");
		return;
	}
	s->drop = maildrop_open(a->dir, s->opt->raw, s->opt->lock_wait);
	if (s->drop) {
		s->log.user = a->name;
		eventlog_event(&s->log, "login %s %zu", a->name, maildrop_count(s->drop));
		session_ok(s, "%zu messages", maildrop_count(s->drop));
	} else if (errno == EWOULDBLOCK) {
		session_err(s, "IN-USE", "the maildrop is in use by another session");
	} else {
		session_err(s, "SYS/TEMP", strerror(errno));
	}
}

void
login_user(struct session *s, const char *arg)
{
	if (*arg == '\0') {
		session_err(s, NULL, "USER needs a name");
		return;
	}
	free(s->claimed);
	s->claimed = strdup(arg);
	session_ok(s, "now the password");
}

void
login_pass(struct session *s, const char *arg)
{
	char *name = s->claimed;

	if (!name) {
		session_err(s, NULL, "USER comes first");
		return;
	}
	s->claimed = NULL;
	log_in(s, name, arg);
	free(name);
}

/* What base64 stands for, with a NUL after it; the caller frees it. */
static char *
decode(const char *base64, size_t *len_r)
{
	const gnutls_datum_t in = { .data = (unsigned char *)(uintptr_t)base64,
				    .size = (unsigned)strlen(base64) };
	gnutls_datum_t out = { NULL, 0 };
	char *text;

	if (in.size == 0 || gnutls_base64_decode2(&in, &out) < 0)
		return NULL;
	text = malloc(out.size + 1);
	if (text) {
		memcpy(text, out.data, out.size);
		text[out.size] = '\0';
		*len_r = out.size;
	}
	gnutls_free(out.data);
	return text;
}

/* PLAIN (RFC 4616): authzid NUL authcid NUL password, in base64. */
static void
plain(struct session *s, const char *base64)
{
	size_t len = 0, at;
	char *text = decode(base64, &len), *name;

	if (!text) {
		session_err(s, NULL, "that is not base64");
		return;
	}
	at = strlen(text) + 1;
	name = text + (at <= len ? at : len);
	at += strlen(name) + 1;
	if (at <= len && at + strlen(text + at) == len)
		log_in(s, name, text + at);
	else
		session_err(s, NULL, "that is not a PLAIN message");
	free(text);
}

void
login_auth(struct session *s, const char *arg)
{
	size_t n = strcspn(arg, " ");

	if (*arg == '\0') {
		session_ok(s, "mechanisms follow");
		session_line(s, "PLAIN");
		session_line(s, ".");
	} else if (n != 5 || strncasecmp(arg, "PLAIN", 5) != 0) {
		session_err(s, NULL, "unknown mechanism");
	} else if (arg[n] == ' ') {
		plain(s, arg + n + 1);
	} else {
		s->sasl = true;
		session_line(s, "+ ");
	}
}

void
login_sasl(struct session *s, const char *arg)
{
	if (strcmp(arg, "*") == 0)
		session_err(s, NULL, "cancelled");
	else
		plain(s, arg);
}

void
login_stls(struct session *s, const char *arg)
{
	if (s->opt->tls != TLS_STARTTLS || s->secure || *arg) {
		session_err(s, NULL, "STLS is not possible now");
		return;
	}
	session_ok(s, "begin the handshake");
	s->start_tls = true;
}

void
login_capa(struct session *s, const char *arg)
{
	static const struct {
		unsigned feature;
		const char *line;
	} lines[] = {
		{ WITH_TOP, "TOP" }, { WITH_UIDL, "UIDL" }, { WITH_USER, "USER" },
		{ WITH_SASL, "SASL PLAIN" }, { WITH_PIPELINING, "PIPELINING" },
		{ WITH_RESP_CODES, "RESP-CODES" }, { WITH_RESP_CODES, "AUTH-RESP-CODE" },
	};

	(void)arg;
	session_ok(s, "capabilities follow");
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		if (s->opt->features & lines[i].feature)
			session_line(s, "%s", lines[i].line);
	}
	if (s->opt->tls == TLS_STARTTLS && !s->secure)
		session_line(s, "STLS");
	for (size_t i = 0; i < s->opt->capa_extra.n; i++) {
		const char *line = s->opt->capa_extra.item[i];

		conn_put(s->conn, line, strlen(line));
		session_line(s, "%s", "");
	}
	session_line(s, "IMPLEMENTATION popd");
	session_line(s, ".");
}
