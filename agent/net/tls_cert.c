/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <arpa/inet.h>
#include <gnutls/x509.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/base/digest.h"
#include "agent/base/log.h"
#include "agent/net/tls_priv.h"

/*
 * The server's certificates: what they say, in words that can be printed, and
 * whether they are to be trusted.
 */

#define NAMES_SHOWN 8
#define DAY_S 86400

/* Number `i` of the chain, or NULL; to be deinitialized. */
static gnutls_x509_crt_t get_cert(const struct tls *tls, unsigned int i)
{
	const gnutls_datum_t *chain;
	gnutls_x509_crt_t cert;
	unsigned int count = 0;

	chain = gnutls_certificate_get_peers(tls->session, &count);
	if (chain == NULL || i >= count || gnutls_x509_crt_init(&cert) < 0)
		return NULL;
	if (gnutls_x509_crt_import(cert, &chain[i], GNUTLS_X509_FMT_DER) >= 0)
		return cert;
	gnutls_x509_crt_deinit(cert);
	return NULL;
}

static void get_pin(gnutls_x509_crt_t cert, char *out, size_t cap)
{
	unsigned char id[32];
	size_t len = sizeof(id);

	out[0] = '\0';
	/* SHA-256 of the SubjectPublicKeyInfo, as in RFC 7469. */
	if (cap < TLS_PIN || gnutls_x509_crt_get_key_id(cert,
		GNUTLS_KEYID_USE_SHA256, id, &len) < 0)
		return;
	memcpy(out, "sha256:", 7);
	digest_base64(id, len, out + 7, cap - 7);
}

/* One name, escaped; "" for a kind that is none of a host. */
static void put_name(char *out, size_t cap, int kind, const char *raw,
	size_t len)
{
	out[0] = '\0';
	if (kind == GNUTLS_SAN_DNSNAME)
		log_escape(out, cap, raw, len);
	else if (kind == GNUTLS_SAN_IPADDRESS && (len == 4 || len == 16)
		 && inet_ntop(len == 4 ? AF_INET : AF_INET6, raw, out,
			(socklen_t)cap) == NULL)
		out[0] = '\0';
}

/* The host names and addresses, or, if there are none, the common name. */
static void get_names(gnutls_x509_crt_t cert, char *out, size_t cap)
{
	char raw[256], name[256];
	unsigned int i;
	size_t len, n = 0;
	int kind;

	out[0] = '\0';
	for (i = 0; i < NAMES_SHOWN && n < cap; i++) {
		len = sizeof(raw);
		kind = gnutls_x509_crt_get_subject_alt_name(cert, i, raw, &len,
			NULL);
		if (kind == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			break;
		put_name(name, sizeof(name), kind, raw, len);
		if (name[0] != '\0')
			n += (size_t)snprintf(out + n, cap - n, "%s%s",
				n != 0 ? ", " : "", name);
	}
	len = sizeof(raw);
	if (n == 0 && gnutls_x509_crt_get_dn_by_oid(cert,
		GNUTLS_OID_X520_COMMON_NAME, 0, 0, raw, &len) >= 0)
		log_escape(out, cap, raw, len);
}

typedef int get_dn(gnutls_x509_crt_t cert, gnutls_datum_t *dn,
	unsigned int flags);

static void put_dn(gnutls_x509_crt_t cert, get_dn *get, char *out, size_t cap)
{
	gnutls_datum_t dn = { NULL, 0 };

	out[0] = '\0';
	if (get(cert, &dn, 0) >= 0)
		log_escape(out, cap, (const char *)dn.data, dn.size);
	gnutls_free(dn.data);
}

static void get_key(gnutls_x509_crt_t cert, char *out, size_t cap)
{
	unsigned int bits = 0;
	int pk = gnutls_x509_crt_get_pk_algorithm(cert, &bits);
	int sign = gnutls_x509_crt_get_signature_algorithm(cert);
	const char *name = sign < 0 ? NULL
		: gnutls_sign_get_name((gnutls_sign_algorithm_t)sign);

	snprintf(out, cap, "%s %u bits, signed with %s", pk < 0 ? "?"
		: gnutls_pk_get_name((gnutls_pk_algorithm_t)pk), bits,
		name != NULL ? name : "?");
}

bool tls_cert(const struct tls *tls, unsigned int i, struct tls_cert *cert_r)
{
	gnutls_x509_crt_t cert = get_cert(tls, i);

	memset(cert_r, 0, sizeof(*cert_r));
	if (cert == NULL)
		return false;
	get_names(cert, cert_r->names, sizeof(cert_r->names));
	put_dn(cert, gnutls_x509_crt_get_dn3, cert_r->subject,
		sizeof(cert_r->subject));
	put_dn(cert, gnutls_x509_crt_get_issuer_dn3, cert_r->issuer,
		sizeof(cert_r->issuer));
	get_key(cert, cert_r->key, sizeof(cert_r->key));
	get_pin(cert, cert_r->pin, sizeof(cert_r->pin));
	cert_r->from = gnutls_x509_crt_get_activation_time(cert);
	cert_r->until = gnutls_x509_crt_get_expiration_time(cert);
	gnutls_x509_crt_deinit(cert);
	return true;
}

void tls_pin(const struct tls *tls, char *out, size_t cap)
{
	struct tls_cert cert;

	tls_cert(tls, 0, &cert);
	snprintf(out, cap, "%s", cert.pin);
}

bool tls_resumed(const struct tls *tls)
{
	return gnutls_session_is_resumed(tls->session) != 0;
}

int64_t tls_expiry(const struct tls *tls)
{
	gnutls_x509_crt_t cert;
	time_t until;

	if (tls_resumed(tls))
		return tls->note.expiry;
	cert = get_cert(tls, 0);
	if (cert == NULL)
		return 0;
	until = gnutls_x509_crt_get_expiration_time(cert);
	gnutls_x509_crt_deinit(cert);
	return until > 0 ? until : 0;
}

static void shorten(int64_t *until, gnutls_x509_crt_t cert)
{
	int64_t own = gnutls_x509_crt_get_expiration_time(cert);

	if (own < *until)
		*until = own;
}

/* The chain, and what vouches for each link of it. */
int64_t tls_good_until(const struct tls *tls)
{
	gnutls_certificate_credentials_t trusted = NULL;
	gnutls_x509_crt_t cert, issuer;
	int64_t until = INT64_MAX;
	void *cred = NULL;
	unsigned int i;

	/* What says that it has not been revoked ends by itself. */
	if (gnutls_ocsp_status_request_is_checked(tls->session,
		GNUTLS_OCSP_SR_IS_AVAIL)
	    || gnutls_credentials_get(tls->session, GNUTLS_CRD_CERTIFICATE,
		    &cred) < 0)
		return 0;
	trusted = cred;
	for (i = 0; (cert = get_cert(tls, i)) != NULL; i++) {
		shorten(&until, cert);
		if (gnutls_certificate_get_issuer(trusted, cert, &issuer, 0)
		    >= 0)
			shorten(&until, issuer);
		gnutls_x509_crt_deinit(cert);
	}
	return i != 0 ? until : 0;
}

bool tls_must_staple(const struct tls *tls)
{
	gnutls_x509_crt_t cert = get_cert(tls, 0);
	gnutls_x509_tlsfeatures_t features;
	unsigned int i, feature;
	bool found = false;

	if (cert != NULL && gnutls_x509_tlsfeatures_init(&features) >= 0) {
		if (gnutls_x509_crt_get_tlsfeatures(cert, features, 0, NULL)
		    == 0)
			for (i = 0; gnutls_x509_tlsfeatures_get(features, i,
				&feature) == 0; i++)
				/* status_request, RFC 6066 */
				found = found || feature == 5;
		gnutls_x509_tlsfeatures_deinit(features);
	}
	if (cert != NULL)
		gnutls_x509_crt_deinit(cert);
	return found;
}

static bool pin_matches(const char *pin, const char *const *pins)
{
	for (; *pins != NULL && pin[0] != '\0'; pins++)
		if (strcmp(*pins, pin) == 0)
			return true;
	return false;
}

/* "2026-05-01 (12 days ago)". */
static const char *put_date(char *out, size_t cap, int64_t when)
{
	int64_t days = (when - clock_wall()) / DAY_S;
	time_t t = (time_t)when;
	char date[24] = "?";
	struct tm tm;

	if (gmtime_r(&t, &tm) != NULL)
		strftime(date, sizeof(date), "%Y-%m-%d", &tm);
	if (days < 0)
		snprintf(out, cap, "%s (%" PRId64 " day%s ago)", date, -days,
			days == -1 ? "" : "s");
	else
		snprintf(out, cap, "%s", date);
	return out;
}

/* A certificate that is not trusted, and the line that would change that. */
struct distrust {
	struct tls_cert own;
	char remedy[80];
};

/* The first certificate of the chain that is out of its time: most often the
 * server's own, but that of an authority can be, too. */
static bool judge_dates(const struct tls *tls, const struct distrust *d,
	struct err *err)
{
	struct tls_cert cert;
	char date[64], whose[200] = "the server's certificate";
	int64_t now = clock_wall();
	unsigned int i = 0;
	bool found;

	while ((found = tls_cert(tls, i, &cert)) && cert.from <= now
	       && now <= cert.until)
		i++;
	if (!found)
		return err_set(err, ERR_PROTO,
			"the certificate of an authority behind the server's has expired or is not valid yet. The server's owner must renew it, or set %s", d->remedy);
	if (i != 0)
		snprintf(whose, sizeof(whose),
			"the authority's certificate \"%.100s\"",
			cert.subject);
	if (cert.from > now)
		return err_set(err, ERR_PROTO,
			"%s is not valid yet: from %s. Check this machine's clock; else the server's owner must replace it, or set %s",
			whose, put_date(date, sizeof(date), cert.from),
			d->remedy);
	return err_set(err, ERR_PROTO,
		"%s has expired since %s. Check this machine's clock; else the server's owner must renew it, or set %s",
		whose, put_date(date, sizeof(date), cert.until), d->remedy);
}

static bool judge_signer(const struct tls *tls, const struct distrust *d,
	struct err *err)
{
	const char *store = tls->options->ca_file != NULL
		? tls->options->ca_file : "the system's trust store";

	if (tls->trusted <= 0 && tls->options->ca_file == NULL)
		return err_set(err, ERR_PROTO,
			"this system has no trusted certificates: install its ca-certificates package, or set ca_file");
	if (strcmp(d->own.issuer, d->own.subject) == 0)
		return err_set(err, ERR_PROTO,
			"the server's certificate is self-signed, and not in %.200s. If you know that it is the right server, set %s",
			store, d->remedy);
	return err_set(err, ERR_PROTO,
		"the server's certificate is signed by \"%.80s\", and nothing in %.100s vouches for that (an unknown authority, or the server leaves an intermediate out). If you know that it is the right server, set ca_file to its authority, or %s",
		d->own.issuer, store, d->remedy);
}

static bool judge_name(const struct tls *tls, const struct distrust *d,
	struct err *err)
{
	return err_set(err, ERR_PROTO,
		"the server's certificate is for %.150s, not for %.100s. If that is the right server, set tls_name to a name in the certificate, or %s",
		d->own.names[0] != '\0' ? d->own.names : "no host",
		tls->options->name, d->remedy);
}

/* Faults that a sentence describes, and whether a pin may overrule them. */
static const struct {
	unsigned int status;
	bool pin;
	const char *words;
} faults[] = {
	{ GNUTLS_CERT_MISSING_OCSP_STATUS, false,
		"demands a proof that it has not been revoked (an OCSP staple), and the server sends none" },
	{ GNUTLS_CERT_INVALID_OCSP_STATUS, false,
		"comes with a proof that it has not been revoked (an OCSP staple), but that is invalid" },
	{ GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED
		| GNUTLS_CERT_REVOCATION_DATA_ISSUED_IN_FUTURE, false,
		"comes with a proof that it has not been revoked (an OCSP staple), but that is out of date" },
	{ GNUTLS_CERT_SIGNATURE_FAILURE, false,
		"has a signature that is wrong" },
	{ GNUTLS_CERT_INSECURE_ALGORITHM, true,
		"or one behind it uses an algorithm or key that is no longer secure" },
	{ GNUTLS_CERT_PURPOSE_MISMATCH, true, "is not meant for servers" },
	{ GNUTLS_CERT_SIGNER_NOT_CA | GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE,
		true, "is signed by one that may not sign it" },
	{ GNUTLS_CERT_UNKNOWN_CRIT_EXTENSIONS, true,
		"demands something that is not known here" },
};

/* One sentence on what is wrong, one on what would mend it: the fault that
 * only a person can judge comes first. */
static bool distrust(const struct tls *tls, unsigned int status,
	struct err *err)
{
	struct distrust d;
	size_t i;

	tls_cert(tls, 0, &d.own);
	/* With the pin in place already, the chain is what stands in the way. */
	if (tls->options->trust == TRUST_BOTH)
		snprintf(d.remedy, sizeof(d.remedy), "trust: pin");
	else
		snprintf(d.remedy, sizeof(d.remedy), "pin: [%s]", d.own.pin);
	if (status & GNUTLS_CERT_REVOKED)
		return err_set(err, ERR_PROTO,
			"the server's certificate has been revoked. The server's owner must replace it");
	if (status & GNUTLS_CERT_SIGNER_NOT_FOUND)
		return judge_signer(tls, &d, err);
	if (status & (GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED))
		return judge_dates(tls, &d, err);
	if (status & GNUTLS_CERT_UNEXPECTED_OWNER)
		return judge_name(tls, &d, err);
	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (status & faults[i].status)
			return err_set(err, ERR_PROTO,
				"the server's certificate %s. The server's owner must mend that%s%s",
				faults[i].words, faults[i].pin ? ", or set "
				: "", faults[i].pin ? d.remedy : "");
	return err_set(err, ERR_PROTO,
		"the server's certificate cannot be verified (GnuTLS status 0x%x). If you know that it is the right server, set %s",
		status, d.remedy);
}

static bool judge_pin(const struct tls *tls, struct err *err)
{
	char pin[TLS_PIN];

	tls_pin(tls, pin, sizeof(pin));
	return pin_matches(pin, tls->options->pin) || err_set(err, ERR_PROTO,
		"the server's key is none of those in pin. If the server has a new key, and you know that it is the right server, set pin: [%s]",
		pin);
}

static bool judge_chain(const struct tls *tls, struct err *err)
{
	/* GnuTLS takes these without const and does not change them. */
	gnutls_typed_vdata_st expect[2] = {
		{ GNUTLS_DT_DNS_HOSTNAME,
			(unsigned char *)(uintptr_t)tls->options->name, 0 },
		{ GNUTLS_DT_KEY_PURPOSE_OID,
			(unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_SERVER, 0 },
	};
	unsigned int status = 0;
	int rc;

	rc = gnutls_certificate_verify_peers(tls->session, expect, 2, &status);
	if (rc < 0)
		return err_set(err, ERR_PROTO,
			"the server's certificate cannot be verified: %s",
			gnutls_strerror(rc));
	return status == 0 || distrust(tls, status, err);
}

bool tls_judge(const struct tls *tls, struct err *err)
{
	enum trust_kind trust = tls->options->trust;

	return (trust == TRUST_CHAIN || judge_pin(tls, err))
		&& (trust == TRUST_PIN || judge_chain(tls, err));
}
