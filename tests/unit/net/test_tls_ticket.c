/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <string.h>

#include "agent/base/digest.h"
#include "agent/base/limits.h"
#include "agent/net/tls_priv.h"

/* Tickets: whole, of this account, of these settings, of today; or unused. */

#define NOW 1800000000

static const char *const pins[] = { "sha256:A", "sha256:B", NULL };
static const char *const one_pin[] = { "sha256:A", NULL };
static const char *const other_pins[] = { "sha256:B", "sha256:A", NULL };
static const char *const joined_pins[] = { "sha256:Asha256:B", NULL };

#define SET(a, h, t, ca, p, prio, c, k) { .owner = a, .name = h, .trust = t, \
	.ca_file = ca, .pin = p, .priority = prio, .client_cert = c, \
	.client_key = k }

static const struct tls_options settings =
	SET("a", "h", TRUST_BOTH, "/ca", pins, "NORMAL", "/c", "/k");

static const struct {
	const char *what;
	struct tls_options options;
} others[] = {
	{ "another account",
	  SET("b", "h", TRUST_BOTH, "/ca", pins, "NORMAL", "/c", "/k") },
	{ "another name",
	  SET("a", "g", TRUST_BOTH, "/ca", pins, "NORMAL", "/c", "/k") },
	{ "account and name exchanged",
	  SET("h", "a", TRUST_BOTH, "/ca", pins, "NORMAL", "/c", "/k") },
	{ "account and name run together",
	  SET("ah", "", TRUST_BOTH, "/ca", pins, "NORMAL", "/c", "/k") },
	{ "the chain alone",
	  SET("a", "h", TRUST_CHAIN, "/ca", pins, "NORMAL", "/c", "/k") },
	{ "the pin alone",
	  SET("a", "h", TRUST_PIN, "/ca", pins, "NORMAL", "/c", "/k") },
	{ "another ca_file",
	  SET("a", "h", TRUST_BOTH, "/cb", pins, "NORMAL", "/c", "/k") },
	{ "the system's trust",
	  SET("a", "h", TRUST_BOTH, NULL, pins, "NORMAL", "/c", "/k") },
	{ "no pin",
	  SET("a", "h", TRUST_BOTH, "/ca", NULL, "NORMAL", "/c", "/k") },
	{ "a pin less",
	  SET("a", "h", TRUST_BOTH, "/ca", one_pin, "NORMAL", "/c", "/k") },
	{ "pins in another order",
	  SET("a", "h", TRUST_BOTH, "/ca", other_pins, "NORMAL", "/c", "/k") },
	{ "pins run together",
	  SET("a", "h", TRUST_BOTH, "/ca", joined_pins, "NORMAL", "/c", "/k") },
	{ "another priority",
	  SET("a", "h", TRUST_BOTH, "/ca", pins, "SECURE256", "/c", "/k") },
	{ "no priority",
	  SET("a", "h", TRUST_BOTH, "/ca", pins, NULL, "/c", "/k") },
	{ "no client certificate",
	  SET("a", "h", TRUST_BOTH, "/ca", pins, "NORMAL", NULL, "/k") },
	{ "another client key",
	  SET("a", "h", TRUST_BOTH, "/ca", pins, "NORMAL", "/c", "/l") },
};

static const struct tls_note note = { .full_at = NOW, .expiry = NOW + 2,
	.good_until = NOW + 1, .judge = { "abcdefghijklmnop" }, .group = 6 };
static char ticket[LIMIT_TICKET + 1];
static size_t len;

static bool opens(const struct tls_options *options, int64_t now, size_t n)
{
	const struct digest bond = tls_ticket_bond(options);
	struct tls_note got;
	const void *data;
	size_t data_len;

	return tls_ticket_open(&bond, now, ticket, n, &got, &data,
		&data_len) && memcmp(&got, &note, sizeof(got)) == 0
		&& data_len == 7 && memcmp(data, "session", 7) == 0;
}

static void ages(void)
{
	struct tls_options same = settings;

	same.first = true;
	same.ticket = ticket;
	same.ticket_len = len;
	tap_ok(opens(&settings, NOW, len), "at once");
	tap_ok(opens(&same, NOW, len), "what is no setting does not matter");
	tap_ok(opens(&settings, NOW + LIMIT_TICKET_S - 1, len),
		"at the end of its day");
	tap_ok(!opens(&settings, NOW + LIMIT_TICKET_S, len), "after it");
	tap_ok(!opens(&settings, NOW - 1, len), "from a time to come");
}

static void damage(void)
{
	bool ok = true;
	size_t i;

	for (i = 0; i < len; i++) {
		ok = ok && !opens(&settings, NOW, i);
		ticket[i] ^= 1;
		/* Padding is not looked at. */
		if (opens(&settings, NOW, len) && i != 21 && i != 22
		    && i != 23)
			ok = false;
		ticket[i] ^= 1;
	}
	tap_ok(ok, "each byte cut off or changed");
	tap_ok(!opens(&settings, NOW, len + 1), "a byte more");
	tap_ok(!opens(&settings, NOW, sizeof(ticket)), "more than any has");
	tap_ok(opens(&settings, NOW, len), "the whole is still good");
}

int main(void)
{
	const struct digest bond = tls_ticket_bond(&settings);
	size_t i, n = 0;

	tap_ok(!tls_ticket_seal(&bond, &note, "session", 7, ticket, 8, &n)
		&& n == 0, "no room");
	tap_ok(!tls_ticket_seal(&bond, &note, "", 0, ticket, sizeof(ticket), &n),
		"nothing to keep");
	tap_ok(tls_ticket_seal(&bond, &note, "session", 7, ticket,
		sizeof(ticket), &len), "sealed");
	ages();
	damage();
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		tap_ok(!opens(&others[i].options, NOW, len), "not for %s",
			others[i].what);
	return tap_done();
}
