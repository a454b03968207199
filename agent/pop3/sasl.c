/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pop3/sasl.h"

#ifdef HAVE_GSASL

#include <gsasl.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/arena.h"
#include "agent/base/num.h"

/* RFC 7677 asks for at least 4,096; more than this only burns our time. */
#define MOST_ITERATIONS 600000

struct sasl {
	Gsasl *gsasl;
	Gsasl_session *session;
	char *answer;
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

struct sasl *sasl_new(const char *mechanism, const char *user,
	const char *password, const char *host, struct err *err)
{
	struct sasl *sasl = mem_grow(NULL, 1, sizeof(*sasl));
	int rc;

	memset(sasl, 0, sizeof(*sasl));
	rc = gsasl_init(&sasl->gsasl);
	if (rc == GSASL_OK)
		rc = gsasl_client_start(sasl->gsasl, mechanism,
			&sasl->session);
	if (rc == GSASL_OK)
		rc = gsasl_property_set(sasl->session, GSASL_AUTHID, user);
	if (rc == GSASL_OK)
		rc = gsasl_property_set(sasl->session, GSASL_PASSWORD,
			password);
	if (rc == GSASL_OK)
		rc = gsasl_property_set(sasl->session, GSASL_HOSTNAME, host);
	if (rc == GSASL_OK)
		rc = gsasl_property_set(sasl->session, GSASL_SERVICE, "pop");
	if (rc == GSASL_OK)
		return sasl;
	err_set(err, ERR_CONFIG, "%s: %s", mechanism, gsasl_strerror(rc));
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

bool sasl_step(struct sasl *sasl, const char *challenge,
	const char **answer_r, struct err *err)
{
	if (!modest(challenge))
		return err_set(err, ERR_PROTO,
			"the server asks for more than %d rounds of hashing", MOST_ITERATIONS);
	if (sasl->answer != NULL)
		gsasl_free(sasl->answer);
	sasl->answer = NULL;
	sasl->last = gsasl_step64(sasl->session, challenge, &sasl->answer);
	if (sasl->last != GSASL_OK && sasl->last != GSASL_NEEDS_MORE)
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
	if (sasl->session != NULL)
		gsasl_finish(sasl->session);
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

struct sasl *sasl_new(const char *mechanism, const char *user,
	const char *password, const char *host, struct err *err)
{
	(void)user;
	(void)password;
	(void)host;
	err_set(err, ERR_CONFIG,
		"%s needs GNU SASL, which this postrider was built without", mechanism);
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
