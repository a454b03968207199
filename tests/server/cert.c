#include "tests/server/cert.h"
#include "tests/tools/putfile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { DAY = 86400, YEAR = 365 * DAY, CACHE_DAYS = 180 };

/* One certificate and its key while it is being made. */
struct maker {
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
};

static bool
good(int e)
{
	if (e >= 0)
		return true;
	fprintf(stderr, "popd: certificate: %s\n", gnutls_strerror(e));
	return false;
}

static bool
set_serial(gnutls_x509_crt_t crt)
{
	unsigned char serial[16];

	if (!good(gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof serial)))
		return false;
	serial[0] = (serial[0] & 0x3f) | 0x40;
	return good(gnutls_x509_crt_set_serial(crt, serial, sizeof serial));
}

/* What every certificate has: a fresh key, a name, a serial, a time. */
static bool
make(struct maker *m, const char *cn, time_t from, time_t to)
{
	unsigned bits = GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1);

	return good(gnutls_x509_privkey_init(&m->key)) &&
	       good(gnutls_x509_privkey_generate(m->key, GNUTLS_PK_ECDSA, bits, 0)) &&
	       good(gnutls_x509_crt_init(&m->crt)) &&
	       good(gnutls_x509_crt_set_version(m->crt, 3)) &&
	       good(gnutls_x509_crt_set_key(m->crt, m->key)) &&
	       good(gnutls_x509_crt_set_dn_by_oid(m->crt, GNUTLS_OID_X520_COMMON_NAME, 0, cn,
						  (unsigned)strlen(cn))) &&
	       good(gnutls_x509_crt_set_activation_time(m->crt, from)) &&
	       good(gnutls_x509_crt_set_expiration_time(m->crt, to)) && set_serial(m->crt);
}

static void
unmake(struct maker *m)
{
	if (m->crt)
		gnutls_x509_crt_deinit(m->crt);
	if (m->key)
		gnutls_x509_privkey_deinit(m->key);
}

static bool
sign(struct maker *m, struct maker *by)
{
	return good(gnutls_x509_crt_sign2(m->crt, by->crt, by->key, GNUTLS_DIG_SHA256, 0));
}

/* No two have the same name, as with CAs that know nothing of each other. */
static bool
make_ca(struct maker *m)
{
	time_t now = time(NULL);
	uint64_t number;
	char cn[64];

	if (!good(gnutls_rnd(GNUTLS_RND_NONCE, &number, sizeof number)))
		return false;
	snprintf(cn, sizeof cn, "popd throw-away CA %016" PRIx64, number);
	return make(m, cn, now - YEAR, now + 2 * (time_t)YEAR) &&
	       good(gnutls_x509_crt_set_ca_status(m->crt, 1)) &&
	       good(gnutls_x509_crt_set_key_usage(m->crt, GNUTLS_KEY_KEY_CERT_SIGN |
							  GNUTLS_KEY_CRL_SIGN)) &&
	       sign(m, m);
}

static bool
add_address(gnutls_x509_crt_t crt, int family, const char *text)
{
	unsigned char addr[16];

	if (inet_pton(family, text, addr) != 1)
		return false;
	return good(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, addr,
							 family == AF_INET ? 4 : 16,
							 GNUTLS_FSAN_APPEND));
}

static bool
add_names(gnutls_x509_crt_t crt, enum cert_fault fault, const char *name)
{
	if (fault == CERT_WRONG_HOST)
		name = "wrong-host.invalid";
	if (!good(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, name,
						       (unsigned)strlen(name),
						       GNUTLS_FSAN_SET)))
		return false;
	return fault == CERT_WRONG_HOST ||
	       (add_address(crt, AF_INET, "127.0.0.1") && add_address(crt, AF_INET6, "::1"));
}

static bool
make_leaf(struct maker *m, enum cert_fault fault, const char *name, struct maker *ca)
{
	time_t now = time(NULL), from = now - DAY, to = now + YEAR;
	const char *cn = fault == CERT_WRONG_HOST ? "wrong-host.invalid" : name;

	if (fault == CERT_EXPIRED) {
		from = now - 30 * DAY;
		to = now - DAY;
	} else if (fault == CERT_NOT_YET) {
		from = now + YEAR;
		to = now + 2 * (time_t)YEAR;
	}
	return make(m, cn, from, to) &&
	       good(gnutls_x509_crt_set_key_purpose_oid(m->crt, GNUTLS_KP_TLS_WWW_SERVER, 0)) &&
	       good(gnutls_x509_crt_set_key_usage(m->crt, GNUTLS_KEY_DIGITAL_SIGNATURE)) &&
	       add_names(m->crt, fault, name) &&
	       sign(m, fault == CERT_SELF_SIGNED ? m : ca);
}

static char *
copy(gnutls_datum_t *pem)
{
	char *text = strndup((const char *)pem->data, pem->size);

	gnutls_free(pem->data);
	return text;
}

static char *
crt_text(struct maker *m)
{
	gnutls_datum_t pem;

	return good(gnutls_x509_crt_export2(m->crt, GNUTLS_X509_FMT_PEM, &pem)) ? copy(&pem)
										: NULL;
}

static char *
key_text(struct maker *m)
{
	gnutls_datum_t pem;

	return good(gnutls_x509_privkey_export2(m->key, GNUTLS_X509_FMT_PEM, &pem)) ? copy(&pem)
										    : NULL;
}

static bool
make_bundle(enum cert_fault fault, const char *name, struct cert_bundle *b)
{
	struct maker ca = { NULL, NULL }, other = ca, leaf = ca;
	bool stranger = fault == CERT_SELF_SIGNED || fault == CERT_UNKNOWN_CA;

	if (make_ca(&ca) && make_ca(&other) && make_leaf(&leaf, fault, name, &ca)) {
		b->key = key_text(&leaf);
		b->cert = crt_text(&leaf);
		b->ca = crt_text(stranger ? &other : &ca);
	}
	unmake(&leaf);
	unmake(&other);
	unmake(&ca);
	return b->key && b->cert && b->ca;
}

/* Cut the cached file, which is the three texts one after the other. */
static bool
cut_bundle(const char *text, struct cert_bundle *b)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----";
	const char *cert = strstr(text, begin);
	const char *ca = cert ? strstr(cert + 1, begin) : NULL;

	if (!ca)
		return false;
	b->key = strndup(text, (size_t)(cert - text));
	b->cert = strndup(cert, (size_t)(ca - cert));
	b->ca = strdup(ca);
	return b->key && b->cert && b->ca;
}

static bool
load_bundle(const char *path, struct cert_bundle *b)
{
	struct stat st;
	size_t len;
	char *text;
	bool ok;

	if (stat(path, &st) != 0 || st.st_mtime < time(NULL) - CACHE_DAYS * DAY)
		return false;
	text = putfile_read(path, &len);
	ok = text && cut_bundle(text, b);
	free(text);
	return ok;
}

static bool
save_bundle(const char *path, const struct cert_bundle *b)
{
	char *text;
	int n = asprintf(&text, "%s%s%s", b->key, b->cert, b->ca);
	bool ok;

	if (n < 0)
		return false;
	ok = putfile_replace(path, text, (size_t)n, 0600);
	if (!ok)
		fprintf(stderr, "popd: %s: %s\n", path, strerror(errno));
	free(text);
	return ok;
}

bool
cert_get(const char *cache, enum cert_fault fault, const char *name, struct cert_bundle *b_r)
{
	char path[PATH_MAX];
	int n;

	*b_r = (struct cert_bundle){ NULL, NULL, NULL };
	if (!cache)
		return make_bundle(fault, name, b_r);
	n = snprintf(path, sizeof path, "%s/%d-%s.pem", cache, (int)fault, name);
	if (n < 0 || (size_t)n >= sizeof path)
		return false;
	if (load_bundle(path, b_r))
		return true;
	cert_free(b_r);
	if (mkdir(cache, 0700) != 0 && errno != EEXIST) {
		fprintf(stderr, "popd: %s: %s\n", cache, strerror(errno));
		return false;
	}
	return make_bundle(fault, name, b_r) && save_bundle(path, b_r);
}

void
cert_free(struct cert_bundle *b)
{
	free(b->key);
	free(b->cert);
	free(b->ca);
	*b = (struct cert_bundle){ NULL, NULL, NULL };
}
