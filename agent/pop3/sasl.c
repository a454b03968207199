/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pop3/sasl.h"

#ifdef HAVE_GSASL

#include <gsasl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/arena.h"
#include "agent/base/num.h"

/* RFC 7677 asks for at least 4,096; more than this only burns our time. */
#define MOST_ITERATIONS 600000

struct sasl {
	struct sasl_login login;
	Gsasl *gsasl;
	Gsasl_session *session;
	char *answer;
	bool gssapi, begun;
	int last;
};

bool sasl_available(const char *mechanism)
{
	Gsasl *gsasl;
	bool yes;

	if (gsasl_init(&gsasl) != GSASL_OK)
		return false;
	yes = gsasl_client_support_p(gsasl, mechanism) != 0;
	gsasl_done(gsasl);
	return yes;
}

bool sasl_prepares(const char *password)
{
	static const Gsasl_saslprep_flags flags[] = {
		(Gsasl_saslprep_flags)0, GSASL_ALLOW_UNASSIGNED };
	char *prepared;
	size_t i;

	/* Its mechanisms ask in one of these ways, and its versions differ in
	 * which of them allows more. */
	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		prepared = NULL;
		if (gsasl_saslprep(password, flags[i], &prepared, NULL)
		    != GSASL_OK)
			return false;
		explicit_bzero(prepared, strlen(prepared));
		gsasl_free(prepared);
	}
	return true;
}

bool sasl_binds(bool exporter)
{
#if GSASL_VERSION_NUMBER >= 0x020100
	(void)exporter;
	return true;
#else
	return !exporter;
#endif
}

static Gsasl_property binding_property(bool exporter)
{
#if GSASL_VERSION_NUMBER >= 0x020100
	if (exporter)
		return GSASL_CB_TLS_EXPORTER;
#else
	(void)exporter;
#endif
	return GSASL_CB_TLS_UNIQUE;
}

static int describe(struct sasl *sasl)
{
	const struct sasl_login *login = &sasl->login;
	const struct {
		Gsasl_property property;
		const char *value;
	} all[] = {
		{ GSASL_AUTHID, login->user },
		{ GSASL_PASSWORD, login->password },
		/* The ticket says who we are, this says whose mail we want. */
		{ GSASL_AUTHZID, sasl->gssapi ? login->user : NULL },
		{ GSASL_HOSTNAME, login->host },
		{ GSASL_SERVICE, "pop" },
		{ binding_property(login->exporter), login->binding },
	};
	int rc = GSASL_OK;
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]) && rc == GSASL_OK; i++)
		if (all[i].value != NULL)
			rc = gsasl_property_set(sasl->session, all[i].property,
				all[i].value);
	return rc;
}

/* The library frees its copy as it is. */
static void forget_password(Gsasl_session *session)
{
	const char *copy = gsasl_property_fast(session, GSASL_PASSWORD);

	if (copy != NULL)
		explicit_bzero((char *)(uintptr_t)copy, strlen(copy));
}

static void end_session(struct sasl *sasl)
{
	if (sasl->session == NULL)
		return;
	forget_password(sasl->session);
	gsasl_finish(sasl->session);
	sasl->session = NULL;
}

static int start_session(struct sasl *sasl)
{
	int rc = gsasl_client_start(sasl->gsasl, sasl->login.mechanism,
		&sasl->session);

	return rc == GSASL_OK ? describe(sasl) : rc;
}

struct sasl *sasl_new(const struct sasl_login *login, struct err *err)
{
	struct sasl *sasl = mem_grow(NULL, 1, sizeof(*sasl));
	int rc;

	memset(sasl, 0, sizeof(*sasl));
	sasl->login = *login;
	sasl->last = GSASL_NEEDS_MORE;
	sasl->gssapi = strcmp(login->mechanism, "GSSAPI") == 0;
	rc = gsasl_init(&sasl->gsasl);
	if (rc == GSASL_OK)
		rc = start_session(sasl);
	if (rc == GSASL_OK)
		return sasl;
	err_set(err, ERR_CONFIG, "%s: %s", login->mechanism,
		gsasl_strerror(rc));
	sasl_free(sasl);
	return NULL;
}

/* "i=4096" in a SCRAM challenge. */
static bool modest(const char *challenge)
{
	char *text = NULL, *i, *comma;
	uint64_t count = 0;
	size_t len = 0;
	bool ok = true;

	if (gsasl_base64_from(challenge, strlen(challenge), &text, &len)
	    != GSASL_OK)
		return true;	/* gsasl_step64() says it better */
	i = memmem(text, len, ",i=", 3);
	if (i != NULL) {
		/* It has a length, but no NUL at its end. */
		i += 3;
		comma = memchr(i, ',', len - (size_t)(i - text));
		ok = num_u64(i, comma != NULL ? (size_t)(comma - i)
			: len - (size_t)(i - text), MOST_ITERATIONS, &count);
	}
	gsasl_free(text);
	return ok;
}

static bool good(const struct sasl *sasl)
{
	return sasl->last == GSASL_OK || sasl->last == GSASL_NEEDS_MORE;
}

/* GNU SASL 2.1 and 2.2 cannot say "y": with a binding at hand, but without
 * -PLUS, they refuse to begin. Then it is "n". */
static int restart_unbound(struct sasl *sasl)
{
	size_t len = strlen(sasl->login.mechanism);

	if (len > 5 && strcmp(sasl->login.mechanism + len - 5, "-PLUS") == 0)
		return sasl->last;
	end_session(sasl);
	sasl->login.binding = NULL;
	return start_session(sasl);
}

bool sasl_step(struct sasl *sasl, const char *challenge,
	const char **answer_r, struct err *err)
{
	if (!sasl->gssapi && !modest(challenge))
		return err_set(err, ERR_PROTO,
			"the server asks for more than %d rounds of hashing", MOST_ITERATIONS);
	if (sasl->answer != NULL)
		gsasl_free(sasl->answer);
	sasl->answer = NULL;
	sasl->last = gsasl_step64(sasl->session, challenge, &sasl->answer);
	if (!good(sasl) && !sasl->begun && sasl->login.binding != NULL
	    && (sasl->last = restart_unbound(sasl)) == GSASL_OK)
		sasl->last = gsasl_step64(sasl->session, challenge,
			&sasl->answer);
	sasl->begun = true;
	if (sasl->last == GSASL_GSSAPI_INIT_SEC_CONTEXT_ERROR)
		return err_set(err, ERR_CONFIG,
			"GSSAPI: no Kerberos ticket for this server; kinit gets one, klist shows it");
	if (!good(sasl))
		return err_set(err, ERR_PROTO, "the server's challenge: %s",
			gsasl_strerror(sasl->last));
	*answer_r = sasl->answer != NULL ? sasl->answer : "";
	return true;
}

bool sasl_done(const struct sasl *sasl)
{
	return sasl->last == GSASL_OK;
}

void sasl_free(struct sasl *sasl)
{
	if (sasl == NULL)
		return;
	if (sasl->answer != NULL)
		gsasl_free(sasl->answer);
	end_session(sasl);
	if (sasl->gsasl != NULL)
		gsasl_done(sasl->gsasl);
	free(sasl);
}

const char *sasl_version(void)
{
	return gsasl_check_version(NULL);
}

#else

bool sasl_available(const char *mechanism)
{
	(void)mechanism;
	return false;
}

bool sasl_prepares(const char *password)
{
	(void)password;
	return true;
}

bool sasl_binds(bool exporter)
{
	(void)exporter;
	return false;
}

struct sasl *sasl_new(const struct sasl_login *login, struct err *err)
{
	err_set(err, ERR_CONFIG,
		"%s needs GNU SASL, which this postrider was built without",
		login->mechanism);
	return NULL;
}

bool sasl_step(struct sasl *sasl, const char *challenge,
	const char **answer_r, struct err *err)
{
	(void)sasl;
	(void)challenge;
	*answer_r = "";
	return err_set(err, ERR_CONFIG, "built without GNU SASL");
}

bool sasl_done(const struct sasl *sasl)
{
	(void)sasl;
	return false;
}

void sasl_free(struct sasl *sasl)
{
	(void)sasl;
}

const char *sasl_version(void)
{
	return NULL;
}

#endif
