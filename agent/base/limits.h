/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_BASE_LIMITS_H
#define AGENT_BASE_LIMITS_H

/*
 * Every bound of the program, with its reason. A hostile server, a broken
 * configuration or a runaway MDA meets one of these numbers first.
 */

/* Addresses of a host that are tried. No mail provider has more; at 250 ms
 * each the last one still gets its turn within timeouts.connect. */
#define LIMIT_ADDRESSES		16
/* How long a verified server is sought where it was found, as many a zone asks
 * for; and for how long each time: a lost packet is sent again within that. */
#define LIMIT_FOUND_S		1800
#define LIMIT_FOUND_MS		1500
/* Lines of a tunnel's standard error that are logged: ssh has a few. */
#define LIMIT_TUNNEL_LINES	20
/* Wire. RFC 1939 allows 512 octets a reply; real servers exceed it, none
 * needs more than 8 KiB. Longer lines outside a body end the session. */
#define LIMIT_REPLY_LINE	8192
/* One TLS record is at most 16 KiB, so a larger buffer gains nothing. */
#define LIMIT_WIRE_BUFFER	(32 * 1024)
/* TLS session data: a chain of four certificates and the server's ticket. The
 * server gets a full handshake this often, whatever it would take. */
#define LIMIT_TICKET		(12 * 1024)
#define LIMIT_TICKET_S		86400
/* Files of trusted certificates that the parent reads for all workers, each as
 * long as ten bundles of a system. Others each worker reads for itself. */
#define LIMIT_TRUST_FILES	8
#define LIMIT_CA_FILE		(2 << 20)
/* What is remembered of a server's capabilities: real ones take a third of
 * this; and how long, so that a new version of the server is noticed. */
#define LIMIT_RECALL_CAPA	1024
#define LIMIT_RECALL_S		86400
/* Maildrops smaller than this are listed always: that costs no more than a
 * packet or two. The larger ones at least so often. */
#define LIMIT_GLANCE_COUNT	100
#define LIMIT_GLANCE_S		3600
/* How long ahead of a certificate's end its owner hears of it. */
#define LIMIT_CERT_WARN_S	(14 * 86400)
/* Commands not yet answered: some 1400 RETRs, so that a long line stays full
 * (200 ms and 8 KiB a message: 56 MB a second). The buffers of both sockets
 * hold this much on every system, so sending can never block while the server
 * waits for us to read. */
#define LIMIT_WINDOW_BYTES	(16 * 1024)
/* The longest token and user name, in base64. */
#define LIMIT_COMMAND		(20 * 1024)
/* RFC 2449 section 4: a command line with its CRLF. Lines of a SASL exchange
 * are not commands. */
#define LIMIT_COMMAND_LINE	255
/* Challenges of one login: GSSAPI, the longest, has four. */
#define LIMIT_SASL_ROUNDS	8
/* The timestamp of APOP is a message identifier: RFC 1939 allows a greeting
 * of 512 octets. */
#define LIMIT_TIMESTAMP		256
#define LIMIT_CAPA_LINES	128
/* mpop and neomutt stop at 1,000,000 and 500,000. The bytes of all UIDs
 * together are bounded too: 70 each is what RFC 1939 allows. */
#define LIMIT_LISTING		1000000
#define LIMIT_LISTING_BYTES	(128u << 20)
/* A size in a listing beyond this is nonsense, and would overflow sums. */
#define LIMIT_MESSAGE_SIZE	(1ull << 48)
/* A header, as TOP shows it. */
#define LIMIT_TOP_BYTES		(16u << 20)
/* RFC 1939 says 70; Fastmail and others exceed it. Longer UIDs are hashed. */
#define LIMIT_UID		1024
/* The pump's one buffer. */
#define LIMIT_PUMP_BUFFER	(32 * 1024)
/* How much of a header is looked at for the stable header lines. */
#define LIMIT_HEADER		(64 * 1024)
#define LIMIT_HEADER_LINE	(16 * 1024)

/* What a worker may have at most, whatever a server makes it do: a ledger and
 * a listing of a million messages fit. */
#define LIMIT_WORKER_MEMORY	(2ull << 30)
/* A worker that is not heard of for its session's time and this much more, or
 * has closed its channel for this long, is ended. */
#define LIMIT_WORKER_GRACE_MS	600000
#define LIMIT_WORKER_EXIT_MS	30000

/* A batch: enough messages to share the flushes, few enough bytes and
 * milliseconds that a message is not held back for its neighbours. */
#define LIMIT_BATCH_MESSAGES	200
#define LIMIT_BATCH_BYTES	(16ull << 20)
#define LIMIT_BATCH_MS		200
/* Files that a commit opens besides: marker, ledger, mbox, directories. */
#define LIMIT_FILES_RESERVE	16

/* Seconds between two logins that a server may ask for (LOGIN-DELAY). Real
 * ones want minutes; more than a day would be to switch the account off. */
#define LIMIT_LOGIN_DELAY	86400

/* Configuration. */
#define LIMIT_CONFIG_BYTES	(1u << 20)
#define LIMIT_CONFIG_DEPTH	16
#define LIMIT_CONFIG_NODES	1000000
#define LIMIT_CONFIG_ERRORS	100
#define LIMIT_ACCOUNT_NAME	64
#define LIMIT_PARALLEL		1000

/* Control socket. A person and a few scripts ask at once; more wait in the
 * kernel's queue. A request names every account at most. A caller has so long
 * to ask, and as long again to take the answer. */
#define LIMIT_CONTROL_CALLERS	8
#define LIMIT_CONTROL_REQUEST	(128 * 1024)
#define LIMIT_CONTROL_MS	5000
/* What a caller takes from a daemon, and how long it waits: a reload reads
 * 10,000 accounts in less than that, and some hundred bytes tell of each. */
#define LIMIT_CONTROL_ANSWER	(64u << 20)
#define LIMIT_CONTROL_ANSWER_MS	60000

/* Secrets: a token fits, a whole file given by mistake does not. */
#define LIMIT_SECRET		(12 * 1024)
/* A program that prints a password or token: without a terminal nobody can be
 * asked, and the server's connection slot waits; with one it may ask a person,
 * through pinentry for example. What it says on standard error goes into an
 * error text. */
#define LIMIT_SECRET_COMMAND_MS	10000
#define LIMIT_SECRET_PERSON_MS	120000
#define LIMIT_SECRET_WORDS	240
#define LIMIT_NETRC_BYTES	(64 * 1024)

#include "agent/base/limits_local.h"

#endif
