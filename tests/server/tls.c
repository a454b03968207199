#include "tests/server/tls.h"
#include "tests/server/cert.h"
#include "tests/tools/putfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tls_server {
	gnutls_certificate_credentials_t cred;
	gnutls_priority_t priority;
	gnutls_datum_t ticket_key;	/* .data NULL: no tickets */
	const char *client_ca;		/* NULL: clients need no certificate */
};

static bool
good(int e, const char *what)
{
	if (e >= 0)
		return true;
	fprintf(stderr, "popd: %s: %s\n", what, gnutls_strerror(e));
	return false;
}

static bool
put(const char *path, const char *text)
{
	if (!path || putfile_replace(path, text, strlen(text), 0644))
		return true;
	fprintf(stderr, "popd: %s: %s\n", path, strerror(errno));
	return false;
}

static gnutls_datum_t
datum(char *text)
{
	return (gnutls_datum_t){ .data = (unsigned char *)text, .size = (unsigned)strlen(text) };
}

static bool
use_throw_away(struct tls_server *tls, const struct options *opt)
{
	struct cert_bundle b;
	bool ok = cert_get(opt->key_cache, opt->cert_fault, opt->tls_name, &b);

	if (ok) {
		gnutls_datum_t key = datum(b.key), cert = datum(b.cert);

		ok = good(gnutls_certificate_set_x509_key_mem(tls->cred, &cert, &key,
							      GNUTLS_X509_FMT_PEM), "key") &&
		     put(opt->ca_out, b.ca) && put(opt->cert_out, b.cert);
	}
	cert_free(&b);
	return ok;
}

/* Unlike GnuTLS's own function this does not care what the response says. */
static int
staple(gnutls_session_t s, void *path, gnutls_datum_t *response)
{
	(void)s;
	return gnutls_load_file(path, response) < 0 ? GNUTLS_E_NO_CERTIFICATE_STATUS : 0;
}

static bool
use_certificate(struct tls_server *tls, const struct options *opt)
{
	tls->client_ca = opt->client_ca;
	if (opt->client_ca &&
	    !good(gnutls_certificate_set_x509_trust_file(tls->cred, opt->client_ca,
							 GNUTLS_X509_FMT_PEM), opt->client_ca))
		return false;
	if (opt->ocsp)
		gnutls_certificate_set_ocsp_status_request_function(tls->cred, staple,
								    (void *)(uintptr_t)opt->ocsp);
	if (!opt->cert_key)
		return use_throw_away(tls, opt);
	return good(gnutls_certificate_set_x509_key_file(tls->cred, opt->cert_key, opt->cert_key,
							 GNUTLS_X509_FMT_PEM), opt->cert_key);
}

struct tls_server *
tls_server_new(const struct options *opt)
{
	struct tls_server *tls = calloc(1, sizeof *tls);

	if (tls && good(gnutls_certificate_allocate_credentials(&tls->cred), "credentials") &&
	    good(gnutls_priority_init(&tls->priority, opt->priority, NULL), opt->priority) &&
	    (!(opt->features & WITH_TICKETS) ||
	     good(gnutls_session_ticket_key_generate(&tls->ticket_key), "ticket key")) &&
	    use_certificate(tls, opt))
		return tls;
	tls_server_free(tls);
	return NULL;
}

void
tls_server_free(struct tls_server *tls)
{
	if (!tls)
		return;
	gnutls_free(tls->ticket_key.data);
	if (tls->priority)
		gnutls_priority_deinit(tls->priority);
	if (tls->cred)
		gnutls_certificate_free_credentials(tls->cred);
	free(tls);
}

gnutls_session_t
tls_server_session(struct tls_server *tls)
{
	static unsigned char name[] = "pop3";
	const gnutls_datum_t alpn = { .data = name, .size = sizeof name - 1 };
	unsigned flags = GNUTLS_SERVER | GNUTLS_NO_SIGNAL;
	gnutls_session_t s;

	if (!tls->ticket_key.data)
		flags |= GNUTLS_NO_TICKETS;
	if (!good(gnutls_init(&s, flags), "session"))
		return NULL;
	if (tls->client_ca) {
		gnutls_certificate_server_set_request(s, GNUTLS_CERT_REQUIRE);
		gnutls_session_set_verify_cert(s, NULL, 0);
	}
	if (good(gnutls_priority_set(s, tls->priority), "priority") &&
	    good(gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, tls->cred), "credentials") &&
	    good(gnutls_alpn_set_protocols(s, &alpn, 1, 0), "ALPN") &&
	    (!tls->ticket_key.data ||
	     good(gnutls_session_ticket_enable_server(s, &tls->ticket_key), "tickets")))
		return s;
	gnutls_deinit(s);
	return NULL;
}
