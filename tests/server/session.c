#include "tests/server/session.h"
#include "tests/server/fault.h"
#include "tests/server/login.h"
#include "tests/server/sasl.h"
#include "tests/server/transaction.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LINE_SIZE = 1024, AHEAD_MS = 2 };

enum state { AUTHORIZATION = 1, TRANSACTION = 2, EITHER = 3 };

enum multi { SINGLE, LISTING, BODY };	/* LISTING: when there is no argument */

struct command {
	const char *name;
	enum event event;
	enum state state;
	enum multi multi;
	unsigned feature;		/* 0: always there */
	session_verb *verb;
};

static const struct command commands[] = {
	{ "USER", EV_USER, AUTHORIZATION, SINGLE, WITH_USER, login_user },
	{ "PASS", EV_PASS, AUTHORIZATION, SINGLE, WITH_USER, login_pass },
	{ "AUTH", EV_AUTH, AUTHORIZATION, LISTING, WITH_SASL, login_auth },
	{ "STLS", EV_STLS, AUTHORIZATION, SINGLE, 0, login_stls },
	{ "CAPA", EV_CAPA, EITHER, LISTING, WITH_CAPA, login_capa },
	{ "STAT", EV_STAT, TRANSACTION, SINGLE, 0, transaction_stat },
	{ "LIST", EV_LIST, TRANSACTION, LISTING, 0, transaction_list },
	{ "UIDL", EV_UIDL, TRANSACTION, LISTING, WITH_UIDL, transaction_uidl },
	{ "RETR", EV_RETR, TRANSACTION, BODY, 0, transaction_retr },
	{ "TOP", EV_TOP, TRANSACTION, BODY, WITH_TOP, transaction_top },
	{ "DELE", EV_DELE, TRANSACTION, SINGLE, 0, transaction_dele },
	{ "NOOP", EV_NOOP, TRANSACTION, SINGLE, 0, transaction_noop },
	{ "RSET", EV_RSET, TRANSACTION, SINGLE, 0, transaction_rset },
	{ "LAST", EV_LAST, TRANSACTION, SINGLE, WITH_LAST, transaction_last },
	{ "QUIT", EV_QUIT, EITHER, SINGLE, 0, transaction_quit },
};

/* ---- answers ---- */

void
session_status(struct session *s, const char *line, size_t len)
{
	bool sent = conn_put(s->conn, line, len);

	eventlog_bytes(&s->log, sent ? "reply" : "lost", line, len - 2);
}

static __attribute__((format(printf, 3, 0))) size_t
format_line(char *line, const char *start, const char *format, va_list args)
{
	size_t at = strlen(start), room = LINE_SIZE - 2;
	int n;

	memcpy(line, start, at);
	n = vsnprintf(line + at, room - at, format, args);
	if (n > 0)
		at = at + (size_t)n < room ? at + (size_t)n : room - 1;
	memcpy(line + at, "\r\n", 2);
	return at + 2;
}

void
session_ok(struct session *s, const char *format, ...)
{
	char line[LINE_SIZE];
	va_list args;
	size_t n;

	va_start(args, format);
	n = format_line(line, "+OK ", format, args);
	va_end(args);
	session_status(s, line, n);
}

void
session_err(struct session *s, const char *code, const char *text)
{
	bool coded = code && (s->opt->features & WITH_RESP_CODES);
	char *line;
	int n = asprintf(&line, "-ERR %s%s%s%s\r\n", coded ? "[" : "", coded ? code : "",
			 coded ? "] " : "", text);

	if (n < 0)
		return;
	session_status(s, line, (size_t)n);
	free(line);
}

void
session_line(struct session *s, const char *format, ...)
{
	char line[LINE_SIZE];
	va_list args;
	size_t n;

	va_start(args, format);
	n = format_line(line, "", format, args);
	va_end(args);
	conn_put(s->conn, line, n);
}

void
session_end(struct session *s, const char *why, enum conn_end how)
{
	s->why = why;
	s->how = how;
}

/* ---- one event ---- */

static void
play(struct session *s, enum event event, bool multi, session_verb *verb, const char *arg)
{
	struct fault fault;

	script_match(s->script, event, s->log.user, s->service->tally, &fault);
	if (fault.rule)
		fault_play(s, &fault, event, multi, verb, arg);
	else
		verb(s, arg);
	if ((event == EV_AUTH || event == EV_SASL) && fault.reply.data &&
	    fault.reply.data[0] == '+' &&
	    strncmp(fault.reply.data, "+OK", 3) != 0)
		s->sasl = true;
}

static void
greet(struct session *s, const char *arg)
{
	(void)arg;
	session_ok(s, "popd ready");
}

static void
log_handshake(const struct session *s)
{
	gnutls_session_t tls = conn_tls(s->conn);
	char name[256] = "-";
	size_t size = sizeof name;
	unsigned type;

	if (gnutls_server_name_get(tls, name, &size, &type, 0) != 0)
		strcpy(name, "-");
	eventlog_event(&s->log, "tls %s %s %s",
		       gnutls_protocol_get_name(gnutls_protocol_get_version(tls)),
		       gnutls_session_is_resumed(tls) ? "resumed" : "full", name);
}

static void
shake_hands(struct session *s)
{
	gnutls_session_t tls = tls_server_session(s->service->tls);
	const char *wrong = tls ? conn_handshake(s->conn, tls) : "no session";

	s->secure = wrong == NULL;
	if (s->secure) {
		log_handshake(s);
		return;
	}
	eventlog_event(&s->log, "tls-failed %s", wrong);
	session_end(s, "error", END_FIN);
}

void
session_handshake(struct session *s)
{
	struct fault fault;

	s->start_tls = false;
	script_match(s->script, EV_TLS, s->log.user, s->service->tally, &fault);
	if (conn_has_line(s->conn))
		eventlog_event(&s->log, "violation commands came along with STLS");
	if (!fault.rule) {
		shake_hands(s);
	} else if (fault_before_handshake(s, &fault)) {
		shake_hands(s);
		fault_after_handshake(s, &fault);
	}
}

/* ---- commands ---- */

static void
unknown(struct session *s, const char *arg)
{
	(void)arg;
	session_err(s, NULL, "unknown command");
}

static void
wrong_state(struct session *s, const char *arg)
{
	(void)arg;
	session_err(s, NULL, "not in this state");
}

static const struct command *
find(const char *line)
{
	size_t n = strcspn(line, " ");

	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		if (strlen(commands[i].name) == n &&
		    strncasecmp(commands[i].name, line, n) == 0)
			return &commands[i];
	}
	return NULL;
}

/* Log a command as it came, but no secret unless that was asked for. */
static void
log_command(const struct session *s, const struct command *c, const char *line, size_t len)
{
	size_t shown = len;
	char *masked;

	if (c && c->event == EV_PASS)
		shown = 5;
	else if (c && c->event == EV_AUTH)
		shown = 5 + (len > 5 ? strcspn(line + 5, " ") + 1 : 0);
	if (s->opt->log_secrets || shown >= len) {
		eventlog_bytes(&s->log, "command", line, len);
		return;
	}
	if (asprintf(&masked, "%.*s****", (int)shown, line) < 0)
		return;
	eventlog_bytes(&s->log, "command", masked, strlen(masked));
	free(masked);
}

/*
 * A server without PIPELINING may lose what a client sends ahead; a strict one
 * tells it.  The end of the connection may well come ahead of the answer to
 * QUIT.
 */
static bool
sent_ahead(struct session *s, enum event event)
{
	if (!s->opt->strict_lockstep || (s->opt->features & WITH_PIPELINING) ||
	    event == EV_QUIT || !conn_ahead(s->conn, AHEAD_MS))
		return false;
	eventlog_event(&s->log, "violation a command came before the answer to the last one");
	session_end(s, "violation", END_FIN);
	return true;
}

static void
run_command(struct session *s, const char *line, size_t len)
{
	const struct command *c = find(line);
	const char *space = strchr(line, ' ');
	const char *arg = space ? space + 1 : "";
	enum event event = c ? c->event : EV_ANY;
	session_verb *verb = c ? c->verb : unknown;

	log_command(s, c, line, len);
	if (sent_ahead(s, event))
		return;
	if (c && c->feature && !(s->opt->features & c->feature))
		verb = unknown;
	else if (c && !(c->state & (s->drop ? TRANSACTION : AUTHORIZATION)))
		verb = wrong_state;
	if (strlen(line) != len)
		verb = unknown;
	play(s, event, c && (c->multi == BODY || (c->multi == LISTING && !*arg)), verb, arg);
}

static void
run_answer(struct session *s, const char *line, size_t len)
{
	s->sasl = false;
	if (s->opt->log_secrets)
		eventlog_bytes(&s->log, "data", line, len);
	else
		eventlog_event(&s->log, "data ****");
	play(s, EV_SASL, false, login_sasl, line);
}

/* ---- the session ---- */

static void
send_early(struct session *s)
{
	struct text text;

	while (!conn_has_line(s->conn) && script_early(s->script, s->log.user, &text)) {
		conn_flush(s->conn);
		eventlog_bytes(&s->log, "reply", text.data, text.len);
		conn_put(s->conn, text.data, text.len);
		conn_flush(s->conn);
	}
}

static void
no_line(struct session *s, enum conn_line what)
{
	switch (what) {
	case LINE_EOF:
		session_end(s, "eof", END_POLITE);
		break;
	case LINE_IDLE:
		session_end(s, "idle", END_POLITE);
		break;
	case LINE_TOO_LONG:
		eventlog_event(&s->log, "violation a line is too long");
		session_end(s, "violation", END_FIN);
		break;
	default:
		session_end(s, "error", END_FIN);
		break;
	}
}

static void
next_line(struct session *s)
{
	enum conn_line what;
	char *line;
	size_t len;

	send_early(s);
	what = conn_read_line(s->conn, &line, &len);
	if (what != LINE_OK && what != LINE_BARE_LF) {
		no_line(s, what);
		return;
	}
	if (s->sasl)
		run_answer(s, line, len);
	else
		run_command(s, line, len);
	if (what == LINE_BARE_LF)
		eventlog_event(&s->log, "bare-lf");
	if (!(s->opt->features & WITH_PIPELINING))
		conn_flush(s->conn);
	if (s->start_tls && !s->why)
		session_handshake(s);
	if (!s->why && !conn_alive(s->conn))
		session_end(s, "error", END_FIN);
}

static void
converse(struct session *s)
{
	if (s->opt->tls == TLS_IMPLICIT)
		session_handshake(s);
	if (!s->why)
		play(s, EV_GREETING, false, greet, "");
	while (!s->why)
		next_line(s);
}

/* The lock goes first: the client sees the end of the connection. */
static void
finish(struct session *s)
{
	uint64_t in, out;

	maildrop_close(s->drop);
	conn_counts(s->conn, &in, &out);
	if (conn_error(s->conn))
		eventlog_event(&s->log, "error %s", conn_error(s->conn));
	eventlog_event(&s->log, "disconnect %s %" PRIu64 " %" PRIu64, s->why, in, out);
	conn_close(s->conn, s->how);
	script_free(s->script);
	sasl_end(s);
	free(s->claimed);
}

void
session_run(const struct service *service, int fd, unsigned long connection, const char *peer)
{
	const struct options *opt = service->opt;
	struct session s = {
		.service = service, .opt = opt, .log = service->log,
		.conn = conn_new(fd, opt->idle),
		.script = script_load(opt->script, opt->rules.item, opt->rules.n,
				      opt->seed + connection),
	};

	s.log.connection = connection;
	eventlog_event(&s.log, "connect %s", peer);
	if (!s.conn)
		return;
	conn_witness(s.conn, &s.log);
	if (s.script)
		converse(&s);
	else
		session_end(&s, "script", END_FIN);
	finish(&s);
}
