/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/digest.h"
#include "agent/base/limits.h"
#include "agent/net/tls_priv.h"

/*
 * Session tickets. GnuTLS's session data hold the peer's certificates, so a
 * resumed session can be judged as a full one is. The bond is there so that a
 * ticket of other settings is never even offered, the note so that the same
 * certificates are not judged by the same measure over and over.
 */

#define MAGIC "PRT2"

struct header {
	char magic[4];
	struct digest check;		/* of bond, note and data */
	struct tls_note note;
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

static struct digest checksum(const struct digest *bond,
	const struct tls_note *note, const void *data, size_t len)
{
	struct digester *d = digest_new();
	struct digest sum;

	digest_add(d, bond->text, sizeof(bond->text));
	digest_add(d, note, sizeof(*note));
	digest_add(d, data, len);
	sum = digest_take(d);
	digest_free(d);
	return sum;
}

bool tls_ticket_seal(const struct digest *bond, const struct tls_note *note,
	const void *data, size_t len, void *out, size_t cap, size_t *len_r)
{
	struct header header;

	if (len == 0 || cap < sizeof(header) || len > cap - sizeof(header))
		return false;
	memset(&header, 0, sizeof(header));
	memcpy(header.magic, MAGIC, sizeof(header.magic));
	/* With its padding, which is summed up too. */
	memcpy(&header.note, note, sizeof(*note));
	header.check = checksum(bond, &header.note, data, len);
	memcpy(out, &header, sizeof(header));
	memcpy((char *)out + sizeof(header), data, len);
	*len_r = sizeof(header) + len;
	return true;
}

bool tls_ticket_open(const struct digest *bond, int64_t now,
	const void *ticket, size_t ticket_len, struct tls_note *note_r,
	const void **data_r, size_t *len_r)
{
	struct header header;
	struct digest sum;

	if (ticket_len <= sizeof(header) || ticket_len > LIMIT_TICKET)
		return false;
	memcpy(&header, ticket, sizeof(header));
	*data_r = (const char *)ticket + sizeof(header);
	*len_r = ticket_len - sizeof(header);
	memcpy(note_r, &header.note, sizeof(*note_r));
	sum = checksum(bond, &header.note, *data_r, *len_r);
	/* A time to come is that of a clock that was wrong. */
	return memcmp(header.magic, MAGIC, sizeof(header.magic)) == 0
		&& memcmp(&header.check, &sum, sizeof(sum)) == 0
		&& header.note.full_at <= now
		&& now - header.note.full_at < LIMIT_TICKET_S;
}

const void *tls_ticket_find(struct tls *tls, size_t *len_r)
{
	const struct tls_options *options = tls->options;
	const void *data;

	tls->bond = tls_ticket_bond(options);
	if (options->ticket != NULL && tls_ticket_open(&tls->bond,
		clock_wall(), options->ticket, options->ticket_len,
		&tls->note, &data, len_r))
		return data;
	memset(&tls->note, 0, sizeof(tls->note));
	return NULL;
}

bool tls_ticket_vouches(const struct tls *tls)
{
	return tls_resumed(tls) && tls->judge.text[0] != '\0'
		&& digest_equal(&tls->judge, &tls->note.judge)
		&& clock_wall() < tls->note.good_until;
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

static void make_note(const struct tls *tls, struct tls_note *note_r)
{
	memset(note_r, 0, sizeof(*note_r));
	if (tls_resumed(tls))
		memcpy(note_r, &tls->note, sizeof(*note_r));
	else
		note_r->full_at = clock_wall();
	note_r->group = (int32_t)gnutls_group_get(tls->session);
	if (tls->vouched)
		return;
	note_r->expiry = tls_expiry(tls);
	note_r->judge = tls->judge;
	note_r->good_until = tls->judge.text[0] != '\0'
		? tls_good_until(tls) : 0;
}

bool tls_ticket(struct tls *tls, void *buf, size_t cap, size_t *len_r)
{
	gnutls_datum_t data = { NULL, 0 };
	struct tls_note note;
	bool ok;

	/* One that was used is not of a certificate that must staple. */
	if (!may_resume(tls) || (!tls_resumed(tls) && tls_must_staple(tls))
	    || gnutls_session_get_data2(tls->session, &data) < 0)
		return false;
	make_note(tls, &note);
	ok = tls_ticket_seal(&tls->bond, &note, data.data, data.size, buf,
		cap, len_r);
	gnutls_memset(data.data, 0, data.size);
	gnutls_free(data.data);
	return ok;
}
