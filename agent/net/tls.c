/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/net/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/arena.h"
#include "agent/base/digest.h"
#include "agent/base/log.h"
#include "agent/net/tls_priv.h"

/* RFC 8446 section 5.1: the most a record carries. */
#define RECORD 16384

#ifndef MSG_MORE
#define MSG_MORE 0
#endif

static bool tls_error(struct err *err, int rc, const char *what)
{
	enum err_class class = ERR_RETRY;

	if (rc == GNUTLS_E_PREMATURE_TERMINATION)
		return err_set(err, ERR_RETRY,
			"the connection ended without a TLS close: it may have been cut");
	if (rc == GNUTLS_E_NO_APPLICATION_PROTOCOL)
		return err_set(err, ERR_PROTO,
			"the server answers for a protocol other than POP3 (ALPN): somebody may have led us to the wrong one");
	if (rc != GNUTLS_E_PUSH_ERROR && rc != GNUTLS_E_PULL_ERROR)
		class = ERR_PROTO;
	return err_set(err, class, "%s: %s", what, gnutls_strerror(rc));
}

/* For TLS that needs more than the system's trust store. */
static bool load_own(struct tls *tls, struct err *err)
{
	const char *file = tls->options->ca_file;
	int rc = gnutls_certificate_allocate_credentials(&tls->own);

	if (rc >= 0 && file != NULL)
		rc = gnutls_certificate_set_x509_trust_file(tls->own, file,
			GNUTLS_X509_FMT_PEM);
	else if (rc >= 0 && tls->options->trust != TRUST_PIN)
		rc = gnutls_certificate_set_x509_system_trust(tls->own);
	tls->trusted = rc;
	return rc > 0 || file == NULL || err_set(err, ERR_CONFIG,
		"ca_file %s: %s", file, rc == 0 ? "no certificate in it"
		: gnutls_strerror(rc));
}

/* How much of a file name or URI may be shown: not the PIN in it. */
static int shown(const char *token)
{
	const char *pin = strstr(token, "pin-value=");

	return (int)(pin != NULL ? (size_t)(pin - token) : strlen(token));
}

static bool load_client_cert(struct tls *tls, struct err *err)
{
	const struct tls_options *options = tls->options;
	int rc = gnutls_certificate_set_x509_key_file2(tls->own,
		options->client_cert, options->client_key, GNUTLS_X509_FMT_PEM,
		NULL, 0);

	if (rc >= 0)
		return true;
	return err_set(err, ERR_CONFIG, "client_cert %.*s, client_key %.*s: %s",
		shown(options->client_cert), options->client_cert,
		shown(options->client_key), options->client_key,
		rc == GNUTLS_E_DECRYPTION_FAILED
		? "the key is encrypted; decrypt it with openssl pkey"
		: gnutls_strerror(rc));
}

/* A session of its own kind needs credentials of its own. */
static const struct tls_store *find_store(const struct tls_options *options,
	const struct tls_trust *trust)
{
	if (options->client_cert != NULL)
		return NULL;
	return options->ca_file == NULL ? &trust->system
		: tls_trust_find(trust, options->ca_file);
}

static bool load_credentials(struct tls *tls, const struct tls_trust *trust,
	struct err *err)
{
	const struct tls_store *store = find_store(tls->options, trust);
	int rc;

	if (store != NULL) {
		tls->trusted = store->count;
		tls->judge = store->digest;
	} else if (!load_own(tls, err)) {
		return false;
	}
	if (tls->options->client_cert != NULL && !load_client_cert(tls, err))
		return false;
	rc = gnutls_credentials_set(tls->session, GNUTLS_CRD_CERTIFICATE,
		store != NULL ? store->cred : tls->own);
	return rc >= 0 || tls_error(err, rc, "TLS");
}

static bool is_address(const char *name)
{
	unsigned char addr[16];

	return inet_pton(AF_INET, name, addr) == 1
		|| inet_pton(AF_INET6, name, addr) == 1;
}

/* A server that does not know what TLS is answers in clear text, or has sent
 * its greeting already. */
static bool speaks_tls(struct tls *tls)
{
	/* ContentType of an alert and of a handshake, RFC 8446 section 5.1. */
	enum { ALERT = 21, HANDSHAKE = 22 };

	if (tls->ahead[0] == ALERT || tls->ahead[0] == HANDSHAKE)
		return tls->spoken = true;
	tls->clear_len = tls->ahead_end < sizeof(tls->clear) ? tls->ahead_end
		: sizeof(tls->clear);
	memcpy(tls->clear, tls->ahead, tls->clear_len);
	return false;
}

/* For GnuTLS, in place of its own function. It asks for the five bytes of a
 * record's head and then for its body: two system calls for a few kilobytes. */
static ssize_t pull(gnutls_transport_ptr_t ptr, void *buf, size_t len)
{
	struct tls *tls = ptr;
	ssize_t n;

	if (tls->ahead_at == tls->ahead_end) {
		n = recv(tls->net->fd, tls->ahead, sizeof(tls->ahead), 0);
		if (n <= 0)
			return n;
		tls->ahead_at = 0;
		tls->ahead_end = (size_t)n;
	}
	if (!tls->spoken && !speaks_tls(tls)) {
		errno = EPROTO;
		return -1;
	}
	if (len > tls->ahead_end - tls->ahead_at)
		len = tls->ahead_end - tls->ahead_at;
	memcpy(buf, tls->ahead + tls->ahead_at, len);
	tls->ahead_at += len;
	return (ssize_t)len;
}

/* For GnuTLS, in place of its own function. What is followed at once waits for
 * that: one packet instead of two. */
static ssize_t push(gnutls_transport_ptr_t ptr, const void *data, size_t len)
{
	/* ContentType, RFC 8446 section 5.1; Finished comes next. */
	enum { CHANGE_CIPHER_SPEC = 20 };
	const struct tls *tls = ptr;
	const unsigned char *record = data;
	bool more = len != 0 && record[0] == CHANGE_CIPHER_SPEC;

	return send(tls->net->fd, data, len, MSG_NOSIGNAL
		| (more ? MSG_MORE : 0));
}

/* A key for each kind of curve is made in advance unless we say that one will
 * do, and the server of a ticket has said which. */
static bool knows_group(const struct tls *tls)
{
	return tls->options->priority == NULL
		&& (tls->note.group == GNUTLS_GROUP_X25519
			|| tls->note.group == GNUTLS_GROUP_SECP256R1);
}

static bool set_priority(struct tls *tls, const struct tls_trust *trust,
	struct err *err)
{
	const char *own = tls->options->priority, *where = NULL;
	int rc = own != NULL
		? gnutls_priority_set_direct(tls->session, own, &where)
		: gnutls_priority_set(tls->session,
			tls->note.group == GNUTLS_GROUP_SECP256R1
			? trust->p256 : trust->priority);

	return rc >= 0 || err_set(err, ERR_CONFIG,
		"priority: GnuTLS does not understand \"%s\"",
		where != NULL && where[0] != '\0' ? where : own);
}

static bool set_names(struct tls *tls, struct err *err)
{
	const gnutls_datum_t alpn = { (unsigned char[]){ "pop3" }, 4 };
	const char *name = tls->options->name;
	/* Against servers of other protocols that share the name (ALPACA). A
	 * server that knows no ALPN is good; one that chooses another
	 * protocol is not, which GnuTLS ignores unless asked. */
	int rc = gnutls_alpn_set_protocols(tls->session, &alpn, 1,
		GNUTLS_ALPN_MANDATORY);

	if (rc >= 0 && !is_address(name))
		rc = gnutls_server_name_set(tls->session, GNUTLS_NAME_DNS,
			name, strlen(name));
	return rc >= 0 || tls_error(err, rc, "TLS");
}

static bool set_up(struct tls *tls, const struct tls_trust *trust,
	struct err *err)
{
	size_t len = 0;
	const void *ticket = tls_ticket_find(tls, &len);
	int rc = gnutls_init(&tls->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK
		| GNUTLS_NO_SIGNAL
		| (knows_group(tls) ? GNUTLS_KEY_SHARE_TOP : 0));

	if (rc < 0)
		return tls_error(err, rc, "TLS");
	if (!set_priority(tls, trust, err)
	    || !load_credentials(tls, trust, err) || !set_names(tls, err))
		return false;
	gnutls_transport_set_ptr(tls->session, tls);
	gnutls_transport_set_pull_function(tls->session, pull);
	gnutls_transport_set_push_function(tls->session, push);
	/* One that cannot be used does not matter. */
	if (ticket != NULL)
		gnutls_session_set_data(tls->session, ticket, len);
	return true;
}

/* After an error that is not fatal: wait, if GnuTLS would have blocked; else
 * only make sure that a server cannot keep us here with warnings. GnuTLS says
 * "again" also when it has dealt with a message of its own, and then the next
 * record may have been read ahead: the socket has nothing more to wait for. */
static bool go_on(struct tls *tls, int rc, clock_ms deadline, struct err *err)
{
	bool writing = gnutls_record_get_direction(tls->session) != 0;

	if ((rc != GNUTLS_E_AGAIN && rc != GNUTLS_E_INTERRUPTED)
	    || (!writing && tls->ahead_at != tls->ahead_end))
		return net_check(tls->net, deadline, err);
	return net_wait(tls->net, writing ? POLLOUT : POLLIN, deadline, err);
}

static bool clear_text(const struct tls *tls, struct err *err)
{
	err_set(err, ERR_PROTO, tls->options->first
		? "the server answers in clear text, it does not speak TLS on this port: set tls: starttls (with port 110 as a rule), or port: 995"
		: "the server answers in clear text after it agreed to begin TLS: somebody may be tampering with the connection");
	err_server(err, tls->clear, tls->clear_len);
	return false;
}

static bool handshake(struct tls *tls, clock_ms deadline, struct err *err)
{
	gnutls_protocol_t version;
	int rc;

	while ((rc = gnutls_handshake(tls->session)) < 0) {
		if (rc == GNUTLS_E_FATAL_ALERT_RECEIVED)
			return err_set(err, ERR_PROTO, "TLS: the server refused the handshake (%s)",
				gnutls_alert_get_name(gnutls_alert_get(
				tls->session)));
		if (tls->clear_len != 0)
			return clear_text(tls, err);
		if (gnutls_error_is_fatal(rc))
			return tls_error(err, rc, "TLS handshake");
		if (!go_on(tls, rc, deadline, err))
			return false;
	}
	version = gnutls_protocol_get_version(tls->session);
	/* `priority` may choose ciphers, not a version that is broken. */
	return version >= GNUTLS_TLS1_2 || err_set(err, ERR_PROTO,
		"the server speaks %s only, which is not safe",
		gnutls_protocol_get_name(version));
}

struct tls *tls_start(const struct net *net, const struct tls_trust *trust,
	const struct tls_options *options, clock_ms deadline, struct err *err)
{
	struct tls *tls = mem_head(sizeof(*tls), offsetof(struct tls, ahead));
	bool ok;

	tls->net = net;
	tls->options = options;
	ok = set_up(tls, trust, err) && handshake(tls, deadline, err);
	tls->vouched = ok && tls_ticket_vouches(tls);
	if (tls->vouched)
		log_debug("the server was judged when it gave the ticket");
	ok = ok && (tls->vouched || tls_judge(tls, err));
	tls->options = NULL;
	if (ok)
		return tls;
	tls_free(tls);
	return NULL;
}

/* Is the next record here as a whole? RFC 8446 section 5.1: five bytes, of
 * which the last two are the length of the rest. */
static bool record_waits(const struct tls *tls)
{
	const unsigned char *head =
		(const unsigned char *)tls->ahead + tls->ahead_at;
	size_t len = tls->ahead_end - tls->ahead_at;

	return len >= 5 && len >= 5 + ((size_t)head[3] << 8 | head[4]);
}

/* Takes as many records as are here. What ends the connection behind the first
 * of them is kept for the next call: GnuTLS would not say it again. */
static ssize_t receive(struct tls *tls, char *buf, size_t cap)
{
	ssize_t n = tls->failed;
	size_t got = 0;

	if (n != 0)
		return n;
	do {
		n = gnutls_record_recv(tls->session, buf + got, cap - got);
		if (n <= 0)
			break;
		got += (size_t)n;
	} while (cap - got >= RECORD && record_waits(tls));
	if (n < 0 && (n == GNUTLS_E_REHANDSHAKE
			|| gnutls_error_is_fatal((int)n)))
		tls->failed = (int)n;
	return got != 0 ? (ssize_t)got : n;
}

bool tls_read(struct tls *tls, char *buf, size_t cap, size_t *len_r,
	clock_ms deadline, struct err *err)
{
	ssize_t n;

	for (;;) {
		n = receive(tls, buf, cap);
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

bool tls_pending(const struct tls *tls)
{
	return gnutls_record_check_pending(tls->session) != 0;
}

void tls_describe(const struct tls *tls, char *out, size_t cap)
{
	char *desc = gnutls_session_get_desc(tls->session);
	gnutls_datum_t alpn = { NULL, 0 };

	gnutls_alpn_get_selected_protocol(tls->session, &alpn);
	snprintf(out, cap, "%s, %s, %s", desc != NULL ? desc : "?",
		alpn.size != 0 ? "ALPN pop3" : "no ALPN", tls_resumed(tls)
		? "resumed" : "full handshake");
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
		/* Non-blocking: whether it leaves or not, we do not wait. One
		 * that was not set up has nobody to say it to. */
		if (gnutls_transport_get_ptr(tls->session) == tls)
			gnutls_bye(tls->session, GNUTLS_SHUT_WR);
		gnutls_deinit(tls->session);
	}
	if (tls->own != NULL)
		gnutls_certificate_free_credentials(tls->own);
	free(tls);
}
