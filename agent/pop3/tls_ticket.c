/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "agent/base/digest.h"
#include "agent/base/limits.h"
#include "agent/pop3/tls_priv.h"

/*
 * Session tickets. GnuTLS's session data hold the peer's certificates, so a
 * resumed session is judged as a full one is; the bond is there so that a
 * ticket of other settings is never even offered.
 */

#define MAGIC "PRT1"

struct header {
	char magic[4];
	struct digest check;		/* of bond, time and data */
	int64_t full_at;
};

struct digest tls_ticket_bond(const struct tls_options *options)
{
	struct digester *d = digest_new();
	const char *const *pin = options->pin;
	struct digest bond;

	digest_add_text(d, options->owner);
	digest_add_text(d, options->name);
	digest_add_text(d, options->ca_file);
	digest_add_text(d, options->priority);
	digest_add_text(d, options->client_cert);
	digest_add_text(d, options->client_key);
	digest_add(d, &options->trust, sizeof(options->trust));
	for (; pin != NULL && *pin != NULL; pin++)
		digest_add_text(d, *pin);
	bond = digest_take(d);
	digest_free(d);
	return bond;
}

static struct digest checksum(const struct digest *bond, int64_t full_at,
	const void *data, size_t len)
{
	struct digester *d = digest_new();
	struct digest sum;

	digest_add(d, bond->text, sizeof(bond->text));
	digest_add(d, &full_at, sizeof(full_at));
	digest_add(d, data, len);
	sum = digest_take(d);
	digest_free(d);
	return sum;
}

bool tls_ticket_seal(const struct digest *bond, int64_t full_at,
	const void *data, size_t len, void *out, size_t cap, size_t *len_r)
{
	struct header header;

	if (len == 0 || cap < sizeof(header) || len > cap - sizeof(header))
		return false;
	memset(&header, 0, sizeof(header));
	memcpy(header.magic, MAGIC, sizeof(header.magic));
	header.full_at = full_at;
	header.check = checksum(bond, full_at, data, len);
	memcpy(out, &header, sizeof(header));
	memcpy((char *)out + sizeof(header), data, len);
	*len_r = sizeof(header) + len;
	return true;
}

bool tls_ticket_open(const struct digest *bond, int64_t now,
	const void *ticket, size_t ticket_len, int64_t *full_at_r,
	const void **data_r, size_t *len_r)
{
	struct header header;
	struct digest sum;

	if (ticket_len <= sizeof(header) || ticket_len > LIMIT_TICKET)
		return false;
	memcpy(&header, ticket, sizeof(header));
	*data_r = (const char *)ticket + sizeof(header);
	*len_r = ticket_len - sizeof(header);
	*full_at_r = header.full_at;
	sum = checksum(bond, header.full_at, *data_r, *len_r);
	/* A time to come is that of a clock that was wrong. */
	return memcmp(header.magic, MAGIC, sizeof(header.magic)) == 0
		&& memcmp(&header.check, &sum, sizeof(sum)) == 0
		&& header.full_at <= now
		&& now - header.full_at < LIMIT_TICKET_S;
}

void tls_ticket_use(struct tls *tls)
{
	const struct tls_options *options = tls->options;
	const void *data;
	size_t len;

	tls->bond = tls_ticket_bond(options);
	tls->full_at = clock_wall();
	if (options->ticket != NULL && tls_ticket_open(&tls->bond,
		tls->full_at, options->ticket, options->ticket_len,
		&tls->full_at, &data, &len)
	    && gnutls_session_set_data(tls->session, data, len) < 0)
		tls->full_at = clock_wall();
}

bool tls_resumed(const struct tls *tls)
{
	return gnutls_session_is_resumed(tls->session) != 0;
}

/* With TLS 1.3 each session brings a ticket of its own, and without one GnuTLS
 * would wait for it; with TLS 1.2 that of the full handshake goes on. */
static bool may_resume(const struct tls *tls)
{
	return (gnutls_session_get_flags(tls->session)
			& GNUTLS_SFLAGS_SESSION_TICKET)
		|| (tls_resumed(tls) && gnutls_protocol_get_version(
			tls->session) < GNUTLS_TLS1_3);
}

bool tls_ticket(struct tls *tls, void *buf, size_t cap, size_t *len_r)
{
	gnutls_datum_t data = { NULL, 0 };
	bool ok;

	if (!may_resume(tls) || tls_must_staple(tls)
	    || gnutls_session_get_data2(tls->session, &data) < 0)
		return false;
	ok = tls_ticket_seal(&tls->bond, tls_resumed(tls) ? tls->full_at
		: clock_wall(), data.data, data.size, buf, cap, len_r);
	gnutls_memset(data.data, 0, data.size);
	gnutls_free(data.data);
	return ok;
}
