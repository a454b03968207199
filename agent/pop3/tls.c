/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pop3/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/arena.h"
#include "agent/base/digest.h"
#include "agent/base/log.h"

/* GnuTLS's own selection, less what RFC 8996 and RFC 9325 rule out. */
#define PRIORITY "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%PROFILE_MEDIUM"
/* "sha256:" and 32 bytes in base64. */
#define PIN 64

struct tls_trust {
	gnutls_certificate_credentials_t cred;
	int count;		/* certificates, or a negative GnuTLS error */
};

struct tls {
	gnutls_session_t session;
	const struct net *net;
	gnutls_certificate_credentials_t own;	/* ca_file; else NULL */
};

static bool tls_error(struct err *err, int rc, const char *what)
{
	enum err_class class = ERR_RETRY;

	if (rc == GNUTLS_E_PREMATURE_TERMINATION)
		return err_set(err, ERR_RETRY,
			"the connection ended without a TLS close: it may have been cut");
	if (rc == GNUTLS_E_UNEXPECTED_PACKET_LENGTH
	    || rc == GNUTLS_E_UNSUPPORTED_VERSION_PACKET)
		return err_set(err, ERR_PROTO,
			"the server does not speak TLS on this port (tls: implicit wants port 995, tls: starttls port 110)");
	if (rc != GNUTLS_E_PUSH_ERROR && rc != GNUTLS_E_PULL_ERROR)
		class = ERR_PROTO;
	return err_set(err, class, "%s: %s", what, gnutls_strerror(rc));
}

struct tls_trust *tls_trust_new(bool load)
{
	struct tls_trust *trust = mem_grow(NULL, 1, sizeof(*trust));

	trust->cred = NULL;
	trust->count = gnutls_certificate_allocate_credentials(&trust->cred);
	if (trust->count == 0 && load)
		trust->count = gnutls_certificate_set_x509_system_trust(
			trust->cred);
	if (load)
		log_debug("%d certificates in the system's trust store",
			trust->count);
	return trust;
}

void tls_trust_free(struct tls_trust *trust)
{
	if (trust == NULL)
		return;
	gnutls_certificate_free_credentials(trust->cred);
	free(trust);
}

static bool load_ca_file(struct tls *tls, const char *file, struct err *err)
{
	int rc = gnutls_certificate_allocate_credentials(&tls->own);

	if (rc >= 0)
		rc = gnutls_certificate_set_x509_trust_file(tls->own, file,
			GNUTLS_X509_FMT_PEM);
	if (rc > 0)
		return true;
	return err_set(err, ERR_CONFIG, "ca_file %s: %s", file, rc == 0
		? "no certificate in it" : gnutls_strerror(rc));
}

static bool is_address(const char *name)
{
	unsigned char addr[16];

	return inet_pton(AF_INET, name, addr) == 1
		|| inet_pton(AF_INET6, name, addr) == 1;
}

static bool set_up(struct tls *tls, const struct tls_trust *system,
	const struct tls_options *options, struct err *err)
{
	const gnutls_datum_t alpn = { (unsigned char[]){ "pop3" }, 4 };
	const char *where = NULL;
	int rc;

	if (options->ca_file != NULL
	    && !load_ca_file(tls, options->ca_file, err))
		return false;
	rc = gnutls_init(&tls->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK
		| GNUTLS_NO_SIGNAL);
	if (rc < 0)
		return tls_error(err, rc, "TLS");
	rc = gnutls_priority_set_direct(tls->session,
		options->priority != NULL ? options->priority : PRIORITY,
		&where);
	if (rc < 0)
		return err_set(err, ERR_CONFIG,
			"priority: GnuTLS does not understand \"%s\"", where);
	rc = gnutls_credentials_set(tls->session, GNUTLS_CRD_CERTIFICATE,
		tls->own != NULL ? tls->own : system->cred);
	/* Against servers of other protocols that share the name (ALPACA). */
	if (rc >= 0)
		rc = gnutls_alpn_set_protocols(tls->session, &alpn, 1, 0);
	if (rc >= 0 && !is_address(options->name))
		rc = gnutls_server_name_set(tls->session, GNUTLS_NAME_DNS,
			options->name, strlen(options->name));
	if (rc < 0)
		return tls_error(err, rc, "TLS");
	gnutls_transport_set_int(tls->session, tls->net->fd);
	return true;
}

/* After an error that is not fatal: wait, if GnuTLS would have blocked; else
 * only make sure that a server cannot keep us here with warnings. */
static bool go_on(struct tls *tls, int rc, clock_ms deadline, struct err *err)
{
	if (rc != GNUTLS_E_AGAIN && rc != GNUTLS_E_INTERRUPTED)
		return net_check(tls->net, deadline, err);
	return net_wait(tls->net, gnutls_record_get_direction(tls->session)
		? POLLOUT : POLLIN, deadline, err);
}

static bool handshake(struct tls *tls, clock_ms deadline, struct err *err)
{
	int rc;

	while ((rc = gnutls_handshake(tls->session)) < 0) {
		if (rc == GNUTLS_E_FATAL_ALERT_RECEIVED)
			return err_set(err, ERR_PROTO, "TLS: the server refused the handshake (%s)",
				gnutls_alert_get_name(gnutls_alert_get(
				tls->session)));
		if (gnutls_error_is_fatal(rc))
			return tls_error(err, rc, "TLS handshake");
		if (!go_on(tls, rc, deadline, err))
			return false;
	}
	/* `priority` may choose ciphers, not a version that is broken. */
	return gnutls_protocol_get_version(tls->session) >= GNUTLS_TLS1_2
		|| err_set(err, ERR_PROTO,
			"the server speaks %s only, which is not safe", gnutls_protocol_get_name(
			gnutls_protocol_get_version(tls->session)));
}

static gnutls_x509_crt_t server_cert(struct tls *tls)
{
	const gnutls_datum_t *chain;
	gnutls_x509_crt_t cert;
	unsigned int count;

	chain = gnutls_certificate_get_peers(tls->session, &count);
	if (chain == NULL || count == 0 || gnutls_x509_crt_init(&cert) < 0)
		return NULL;
	if (gnutls_x509_crt_import(cert, chain, GNUTLS_X509_FMT_DER) >= 0)
		return cert;
	gnutls_x509_crt_deinit(cert);
	return NULL;
}

void tls_pin(struct tls *tls, char *out, size_t cap)
{
	gnutls_x509_crt_t cert = server_cert(tls);
	unsigned char id[32];
	size_t len = sizeof(id);

	out[0] = '\0';
	if (cert == NULL)
		return;
	/* SHA-256 of the SubjectPublicKeyInfo, as in RFC 7469. */
	if (cap >= PIN && gnutls_x509_crt_get_key_id(cert,
		GNUTLS_KEYID_USE_SHA256, id, &len) >= 0) {
		memcpy(out, "sha256:", 7);
		digest_base64(id, len, out + 7, cap - 7);
	}
	gnutls_x509_crt_deinit(cert);
}

static bool pin_matches(struct tls *tls, const char *const *pin)
{
	char ours[PIN];

	tls_pin(tls, ours, sizeof(ours));
	for (; *pin != NULL && ours[0] != '\0'; pin++)
		if (strcmp(*pin, ours) == 0)
			return true;
	return false;
}

/* The names in a certificate, comma-separated, escaped. */
static void cert_names(struct tls *tls, char *out, size_t cap)
{
	gnutls_x509_crt_t cert = server_cert(tls);
	char name[256], list[400] = "";
	unsigned int i;
	size_t len, n = 0;
	int rc;

	for (i = 0; cert != NULL && i < 8; i++) {
		len = sizeof(name);
		rc = gnutls_x509_crt_get_subject_alt_name(cert, i, name, &len,
			NULL);
		if (rc < 0)
			break;
		if (rc != GNUTLS_SAN_DNSNAME)
			continue;
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%.*s",
			n != 0 ? ", " : "", (int)len, name);
		if (n >= sizeof(list))
			break;
	}
	if (cert != NULL)
		gnutls_x509_crt_deinit(cert);
	log_escape(out, cap, list, strlen(list));
}

static void cert_dates(struct tls *tls, char *out, size_t cap)
{
	gnutls_x509_crt_t cert = server_cert(tls);
	char from[24] = "?", until[24] = "?";
	struct tm tm;
	time_t t;

	if (cert != NULL) {
		t = gnutls_x509_crt_get_activation_time(cert);
		if (gmtime_r(&t, &tm) != NULL)
			strftime(from, sizeof(from), "%Y-%m-%d", &tm);
		t = gnutls_x509_crt_get_expiration_time(cert);
		if (gmtime_r(&t, &tm) != NULL)
			strftime(until, sizeof(until), "%Y-%m-%d", &tm);
		gnutls_x509_crt_deinit(cert);
	}
	snprintf(out, cap, "valid from %s until %s", from, until);
}

/* One sentence on what is wrong, one on what would mend it. */
static bool distrust(struct tls *tls, unsigned int status,
	const struct tls_options *options, const struct tls_trust *system,
	struct err *err)
{
	char pin[PIN], words[320];

	tls_pin(tls, pin, sizeof(pin));
	if (status & GNUTLS_CERT_EXPIRED || status & GNUTLS_CERT_NOT_ACTIVATED) {
		cert_dates(tls, words, sizeof(words));
		return err_set(err, ERR_PROTO,
			"the server's certificate %s: %s. Check this machine's clock; else the server's owner must renew it",
			status & GNUTLS_CERT_EXPIRED
			? "has expired" : "is not valid yet", words);
	}
	if (status & GNUTLS_CERT_UNEXPECTED_OWNER) {
		cert_names(tls, words, sizeof(words));
		return err_set(err, ERR_PROTO,
			"the server's certificate is for %s, not for %s. If that is the right server, set host or tls_name to a name in the certificate",
			words[0] != '\0' ? words : "no host name",
			options->name);
	}
	if (status & GNUTLS_CERT_SIGNER_NOT_FOUND && options->ca_file == NULL
	    && system->count <= 0)
		return err_set(err, ERR_PROTO,
			"this system has no trusted certificates: install its ca-certificates package, or set ca_file");
	if (status & GNUTLS_CERT_SIGNER_NOT_FOUND)
		return err_set(err, ERR_PROTO,
			"the server's certificate is not signed by an authority in %s (self-signed, unknown authority, or an intermediate is missing). If you know it is the right server, set ca_file to its authority, or pin: [%s]",
			options->ca_file != NULL
			? options->ca_file : "the system's trust store", pin);
	if (status & GNUTLS_CERT_REVOKED)
		return err_set(err, ERR_PROTO,
			"the server's certificate has been revoked. The server's owner must replace it");
	if (status & GNUTLS_CERT_INSECURE_ALGORITHM)
		return err_set(err, ERR_PROTO,
			"the server's certificate uses an algorithm that is no longer secure. The server's owner must replace it, or set pin: [%s]",
			pin);
	return err_set(err, ERR_PROTO,
		"the server's certificate cannot be verified (GnuTLS status 0x%x). If you know it is the right server, set pin: [%s]",
		status, pin);
}

static bool verify(struct tls *tls, const struct tls_trust *system,
	const struct tls_options *options, struct err *err)
{
	/* GnuTLS takes these without const and does not change them. */
	gnutls_typed_vdata_st expect[2] = {
		{ GNUTLS_DT_DNS_HOSTNAME,
			(unsigned char *)(uintptr_t)options->name, 0 },
		{ GNUTLS_DT_KEY_PURPOSE_OID,
			(unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_SERVER, 0 },
	};
	unsigned int status = 0;
	char pin[PIN];
	int rc;

	if (options->pin != NULL) {
		if (pin_matches(tls, options->pin))
			return true;
		tls_pin(tls, pin, sizeof(pin));
		return err_set(err, ERR_PROTO,
			"the server's key is none of those in pin. If the server has a new key, and you know it is the right server, set pin: [%s]",
			pin);
	}
	rc = gnutls_certificate_verify_peers(tls->session, expect, 2, &status);
	if (rc < 0)
		return tls_error(err, rc, "the server's certificate");
	return status == 0 || distrust(tls, status, options, system, err);
}

struct tls *tls_start(const struct net *net, const struct tls_trust *system,
	const struct tls_options *options, clock_ms deadline, struct err *err)
{
	struct tls *tls = mem_grow(NULL, 1, sizeof(*tls));

	memset(tls, 0, sizeof(*tls));
	tls->net = net;
	if (set_up(tls, system, options, err)
	    && handshake(tls, deadline, err)
	    && verify(tls, system, options, err))
		return tls;
	tls_free(tls);
	return NULL;
}

bool tls_read(struct tls *tls, char *buf, size_t cap, size_t *len_r,
	clock_ms deadline, struct err *err)
{
	ssize_t n;

	for (;;) {
		n = gnutls_record_recv(tls->session, buf, cap);
		if (n >= 0) {
			*len_r = (size_t)n;
			return true;
		}
		if (n == GNUTLS_E_REHANDSHAKE)
			return err_set(err, ERR_PROTO,
				"the server asks for a new TLS handshake, which is not allowed");
		if (gnutls_error_is_fatal((int)n))
			return tls_error(err, (int)n, "TLS");
		if (!go_on(tls, (int)n, deadline, err))
			return false;
	}
}

bool tls_write(struct tls *tls, const char *data, size_t len,
	clock_ms deadline, struct err *err)
{
	ssize_t n;

	while (len != 0) {
		n = gnutls_record_send(tls->session, data, len);
		if (n >= 0) {
			data += n;
			len -= (size_t)n;
			continue;
		}
		if (gnutls_error_is_fatal((int)n))
			return tls_error(err, (int)n, "TLS");
		if (!go_on(tls, (int)n, deadline, err))
			return false;
	}
	return true;
}

void tls_describe(struct tls *tls, char *out, size_t cap)
{
	char *desc = gnutls_session_get_desc(tls->session);
	char names[320], dates[80];

	cert_names(tls, names, sizeof(names));
	cert_dates(tls, dates, sizeof(dates));
	snprintf(out, cap, "%s, certificate for %s, %s",
		desc != NULL ? desc : "TLS", names, dates);
	gnutls_free(desc);
}

bool tls_channel_binding(struct tls *tls, char *out, size_t cap,
	bool *exporter_r)
{
	gnutls_channel_binding_t type = GNUTLS_CB_TLS_UNIQUE;
	gnutls_datum_t data = { NULL, 0 };
	bool ok;

	*exporter_r = gnutls_protocol_get_version(tls->session)
		>= GNUTLS_TLS1_3;
#if GNUTLS_VERSION_NUMBER >= 0x030702
	if (*exporter_r)
		type = GNUTLS_CB_TLS_EXPORTER;
#endif
	/* Without it another session can be made to have the same value, as
	 * in the triple handshake attack. */
	if (type == GNUTLS_CB_TLS_UNIQUE && (*exporter_r
		|| !gnutls_session_ext_master_secret_status(tls->session)))
		return false;
	ok = gnutls_session_channel_binding(tls->session, type, &data) >= 0
		&& data.size != 0 && cap > 4 * (data.size / 3 + 1);
	if (ok)
		digest_base64(data.data, data.size, out, cap);
	gnutls_free(data.data);
	return ok;
}

void tls_free(struct tls *tls)
{
	if (tls == NULL)
		return;
	if (tls->session != NULL) {
		/* Non-blocking: whether it leaves or not, we do not wait. */
		gnutls_bye(tls->session, GNUTLS_SHUT_WR);
		gnutls_deinit(tls->session);
	}
	if (tls->own != NULL)
		gnutls_certificate_free_credentials(tls->own);
	free(tls);
}

const char *tls_version(void)
{
	return gnutls_check_version(NULL);
}
