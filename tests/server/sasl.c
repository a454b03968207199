#include "tests/server/sasl.h"
#include "tests/server/login.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#ifdef HAVE_GSASL
#include <gsasl.h>
#endif

/* What a mechanism makes of one message of the client. */
typedef void step(struct session *s, const char *text, size_t len);

struct sasl {
	const struct mechanism *mech;
	int turn;			/* of the client, from 0 */
#ifdef HAVE_GSASL
	Gsasl *gsasl;
	Gsasl_session *gs;
	char *user;
#endif
};

static step plain, login, external, xoauth2, oauthbearer;
#ifdef HAVE_GSASL
static step library;
#endif

static const struct mechanism {
	const char *name;
	bool server_first;
	step *step;			/* gets the message decoded, ... */
	bool encoded;			/* ... or as it came */
} mechanisms[] = {
	{ "PLAIN", false, plain, false },
	{ "LOGIN", true, login, false },
	{ "EXTERNAL", false, external, false },
	{ "XOAUTH2", false, xoauth2, false },
	{ "OAUTHBEARER", false, oauthbearer, false },
#ifdef HAVE_GSASL
	{ "SCRAM-SHA-1", false, library, true },
	{ "SCRAM-SHA-256", false, library, true },
	{ "SCRAM-SHA-1-PLUS", false, library, true },
	{ "SCRAM-SHA-256-PLUS", false, library, true },
	{ "CRAM-MD5", true, library, true },
#endif
};

/* ---- base64 ---- */

/* What base64 stands for, with a NUL after it; the caller frees it. */
static char *
decode(const char *base64, size_t *len_r)
{
	const gnutls_datum_t in = { .data = (unsigned char *)(uintptr_t)base64,
				    .size = (unsigned)strlen(base64) };
	gnutls_datum_t out = { NULL, 0 };
	char *text;

	*len_r = 0;
	if (in.size == 0)
		return calloc(1, 1);
	if (gnutls_base64_decode2(&in, &out) < 0)
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

static char *
encode(const void *data, size_t len)
{
	const gnutls_datum_t in = { .data = (unsigned char *)(uintptr_t)data,
				    .size = (unsigned)len };
	gnutls_datum_t out = { NULL, 0 };
	char *text = NULL;

	if (gnutls_base64_encode2(&in, &out) >= 0)
		text = strndup((const char *)out.data, out.size);
	gnutls_free(out.data);
	return text;
}

static void
challenge(struct session *s, const char *text)
{
	char *base64 = encode(text, strlen(text));

	session_line(s, "+ %s", base64 ? base64 : "");
	free(base64);
	s->sasl = true;
}

/* ---- the simple ones ---- */

/* RFC 4616: authzid NUL authcid NUL password. */
static void
plain(struct session *s, const char *text, size_t len)
{
	size_t at = strlen(text) + 1;
	const char *name = text + (at <= len ? at : len);

	at += strlen(name) + 1;
	if (at <= len && at + strlen(text + at) == len)
		login_check(s, name, text + at);
	else
		session_err(s, NULL, "that is not a PLAIN message");
}

static void
login(struct session *s, const char *text, size_t len)
{
	(void)len;
	switch (s->exchange->turn) {
	case 0:
		challenge(s, "Username:");
		break;
	case 1:
		free(s->claimed);
		s->claimed = strdup(text);
		challenge(s, "Password:");
		break;
	default:
		login_check(s, s->claimed ? s->claimed : "", text);
		break;
	}
}

/* RFC 4422: the certificate was looked at in the handshake, if at all. */
static void
external(struct session *s, const char *text, size_t len)
{
	(void)len;
	login_open(s, text);
}

/* ---- tokens ---- */

/* The answer to the fault, whatever it is, ends the exchange. */
static void
refuse_token(struct session *s, const char *status)
{
	char json[256];

	snprintf(json, sizeof json,
		 "{\"status\":\"%s\",\"schemes\":\"bearer\",\"scope\":\"mail\"}", status);
	challenge(s, json);
}

/* START, the user, a ^A, perhaps more fields, "auth=Bearer TOKEN", ^A^A. */
static void
bearer(struct session *s, const char *text, const char *start, const char *end_of_user,
       const char *status)
{
	const char *from = text + strlen(start), *token = strstr(text, "\001auth=Bearer ");
	const struct account *a;
	char *user;

	if (s->exchange->turn > 1) {
		session_err(s, "AUTH", "the token was refused");
		return;
	}
	if (strncmp(text, start, strlen(start)) != 0 || !token) {
		session_err(s, NULL, "that is not a message with a token");
		return;
	}
	user = strndup(from, strcspn(from, end_of_user));
	a = user ? options_account(s->opt, user) : NULL;
	token += strlen("\001auth=Bearer ");
	if (a && strcspn(token, "\001") == strlen(a->password) &&
	    strncmp(token, a->password, strlen(a->password)) == 0 &&
	    strcmp(token + strlen(a->password), "\001\001") == 0)
		login_open(s, user);
	else
		refuse_token(s, status);
	free(user);
}

static void
xoauth2(struct session *s, const char *text, size_t len)
{
	(void)len;
	bearer(s, text, "user=", "\001", "401");
}

static void
oauthbearer(struct session *s, const char *text, size_t len)
{
	(void)len;
	bearer(s, text, "n,a=", ",", "invalid_token");
}

/* ---- those of the library ---- */

#ifdef HAVE_GSASL

static int
give_password(struct session *s, Gsasl_session *gs)
{
	const char *user = gsasl_property_fast(gs, GSASL_AUTHID);
	const struct account *a = user ? options_account(s->opt, user) : NULL;

	if (!a)
		return GSASL_AUTHENTICATION_ERROR;
	free(s->exchange->user);
	s->exchange->user = strdup(user);
	return gsasl_property_set(gs, GSASL_PASSWORD, a->password);
}

static int
give_binding(struct session *s, Gsasl_session *gs, Gsasl_property property,
	     gnutls_channel_binding_t type)
{
	gnutls_datum_t data = { NULL, 0 };
	char *base64;
	int rc = GSASL_NO_CB_TLS_UNIQUE;

	if (!s->secure ||
	    gnutls_session_channel_binding(conn_tls(s->conn), type, &data) < 0)
		return rc;
	base64 = encode(data.data, data.size);
	if (base64)
		rc = gsasl_property_set(gs, property, base64);
	free(base64);
	gnutls_free(data.data);
	return rc;
}

static int
give(Gsasl *gsasl, Gsasl_session *gs, Gsasl_property property)
{
	struct session *s = gsasl_callback_hook_get(gsasl);
	const char *mech = gsasl_mechanism_name(gs);

	switch (property) {
	case GSASL_PASSWORD:
		return give_password(s, gs);
	case GSASL_CB_TLS_UNIQUE:
		/* A server that does not offer it does not support it. */
		if (!strstr(mech, "-PLUS") && !strstr(s->opt->sasl, "-PLUS"))
			return GSASL_NO_CALLBACK;
		return give_binding(s, gs, property, GNUTLS_CB_TLS_UNIQUE);
#if GSASL_VERSION_NUMBER >= 0x020100 && GNUTLS_VERSION_NUMBER >= 0x030702
	case GSASL_CB_TLS_EXPORTER:
		if (!strstr(mech, "-PLUS") && !strstr(s->opt->sasl, "-PLUS"))
			return GSASL_NO_CALLBACK;
		return give_binding(s, gs, property, GNUTLS_CB_TLS_EXPORTER);
#endif
	default:
		return GSASL_NO_CALLBACK;
	}
}

static bool
start_library(struct session *s)
{
	struct sasl *x = s->exchange;

	if (gsasl_init(&x->gsasl) != GSASL_OK)
		return false;
	gsasl_callback_set(x->gsasl, give);
	gsasl_callback_hook_set(x->gsasl, s);
	return gsasl_server_start(x->gsasl, x->mech->name, &x->gs) == GSASL_OK;
}

/* Log what says whether the login is tied to this connection. */
static void
log_binding(struct session *s, const char *text)
{
	size_t len;
	char *first = decode(text, &len);

	if (first && s->exchange->turn == 1 && strncmp(s->exchange->mech->name, "SCRAM", 5) == 0)
		eventlog_event(&s->log, "gs2 %.*s", (int)strcspn(first, ","), first);
	free(first);
}

static void
library(struct session *s, const char *text, size_t len)
{
	struct sasl *x = s->exchange;
	char *out = NULL;
	int rc;

	(void)len;
	if (!x->gs && !start_library(s)) {
		session_err(s, NULL, "GNU SASL will not");
		return;
	}
	log_binding(s, text);
	rc = x->turn == -1 ? GSASL_OK : gsasl_step64(x->gs, text, &out);
	if (rc == GSASL_NEEDS_MORE || (rc == GSASL_OK && out && *out)) {
		session_line(s, "+ %s", out);
		s->sasl = true;
		if (rc == GSASL_OK)
			x->turn = -2;	/* the client has nothing to add */
	} else if (rc == GSASL_OK) {
		login_open(s, x->user ? x->user : "");
	} else {
		eventlog_event(&s->log, "sasl %s", gsasl_strerror_name(rc));
		session_err(s, "AUTH", "wrong name or password");
	}
	gsasl_free(out);
}

static void
end_library(struct sasl *x)
{
	if (x->gs)
		gsasl_finish(x->gs);
	if (x->gsasl)
		gsasl_done(x->gsasl);
	free(x->user);
}

#else

static void
end_library(struct sasl *x)
{
	(void)x;
}

#endif

/* ---- the exchange ---- */

bool
sasl_offered(const struct session *s, const char *name)
{
	const char *p = s->opt->sasl;
	size_t n = strlen(name);

	for (; *p; p += strcspn(p, " "), p += strspn(p, " ")) {
		if (strcspn(p, " ") == n && strncasecmp(p, name, n) == 0)
			return true;
	}
	return false;
}

void
sasl_end(struct session *s)
{
	if (!s->exchange)
		return;
	end_library(s->exchange);
	free(s->exchange);
	s->exchange = NULL;
}

static void
take(struct session *s, const char *base64)
{
	struct sasl *x = s->exchange;
	size_t len = strlen(base64);
	char *text = x->mech->encoded ? strdup(base64) : decode(base64, &len);

	s->sasl = false;
	x->turn++;
	if (text)
		x->mech->step(s, text, len);
	else
		session_err(s, NULL, "that is not base64");
	free(text);
	if (!s->sasl)
		sasl_end(s);
}

void
sasl_begin(struct session *s, const char *name, const char *initial)
{
	const struct mechanism *m = NULL;

	for (size_t i = 0; i < sizeof mechanisms / sizeof mechanisms[0]; i++) {
		if (strcasecmp(mechanisms[i].name, name) == 0)
			m = &mechanisms[i];
	}
	sasl_end(s);
	if (!m || !sasl_offered(s, name)) {
		session_err(s, NULL, "unknown mechanism");
		return;
	}
	s->exchange = calloc(1, sizeof *s->exchange);
	if (!s->exchange)
		return;
	s->exchange->mech = m;
	if (m->server_first) {
		s->exchange->turn = -1;
		take(s, "");
	} else if (initial) {
		take(s, strcmp(initial, "=") == 0 ? "" : initial);
	} else {
		session_line(s, "+ ");
		s->sasl = true;
	}
}

void
sasl_answer(struct session *s, const char *line)
{
	if (strcmp(line, "*") == 0) {
		session_err(s, NULL, "cancelled");
		sasl_end(s);
	} else if (s->exchange) {
		take(s, line);
	} else {
		/* The script has asked for it. */
		sasl_begin(s, "PLAIN", line);
	}
}
