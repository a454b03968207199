#include "tests/server/login.h"
#include "tests/server/sasl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void
login_check(struct session *s, const char *name, const char *password)
{
	const struct account *a = options_account(s->opt, name);

	if (a && strcmp(a->password, password) == 0)
		login_open(s, name);
	else
		session_err(s, "AUTH", "wrong name or password");
}

void
login_open(struct session *s, const char *name)
{
	const struct account *a = options_account(s->opt, name);

	if (!a) {
		session_err(s, "AUTH", "no such user");
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
	login_check(s, name, arg);
	free(name);
}

void
login_auth(struct session *s, const char *arg)
{
	size_t n = strcspn(arg, " ");
	char *name;

	if (*arg == '\0') {
		session_ok(s, "mechanisms follow");
		for (const char *p = s->opt->sasl; *p; p += strcspn(p, " "), p += strspn(p, " "))
			session_line(s, "%.*s", (int)strcspn(p, " "), p);
		session_line(s, ".");
		return;
	}
	name = strndup(arg, n);
	if (name)
		sasl_begin(s, name, arg[n] == ' ' ? arg + n + 1 : NULL);
	free(name);
}

void
login_sasl(struct session *s, const char *arg)
{
	sasl_answer(s, arg);
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
		{ WITH_PIPELINING, "PIPELINING" },
		{ WITH_RESP_CODES, "RESP-CODES" }, { WITH_RESP_CODES, "AUTH-RESP-CODE" },
	};

	(void)arg;
	session_ok(s, "capabilities follow");
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		if (s->opt->features & lines[i].feature)
			session_line(s, "%s", lines[i].line);
	}
	if (s->opt->features & WITH_SASL)
		session_line(s, "SASL %s", s->opt->sasl);
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
