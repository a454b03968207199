/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_POP3_CLIENT_H
#define AGENT_POP3_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/arena.h"
#include "agent/base/err.h"
#include "agent/pop3/reply.h"
#include "agent/pop3/wire.h"
#include "config/config.h"
#include "config/secret.h"
#include "delivery/pump.h"

/*
 * A POP3 session (RFC 1939, 2449, 2595, 5034). Straight-line to the login;
 * after it a reply belongs to the oldest unanswered command, and a line that
 * belongs to none ends the session with ERR_PROTO. Errors in general:
 * ERR_RETRY for the network, ERR_PROTO for answers that are not POP3.
 */

struct client;

struct client_options {
	const struct account *account;
	const struct tls_trust *trust;
	/* Names of environment variables with secrets, NULL-terminated, so
	 * that no tunnel inherits them. */
	const char *const *secret_env;
	int stop_fd;			/* readable: give up with ERR_STOP */
	wire_trace *trace;		/* or NULL */
	void *trace_arg;
	const void *ticket;		/* see tls_ticket(); or NULL */
	size_t ticket_len;
};

/* Connects, reads the greeting, asks for capabilities and secures the
 * connection as the account says. Nothing secret has been sent. If the server
 * cannot be trusted with a ticket, it is tried once more without. The account
 * and what it points to must outlive the client. */
struct client *client_open(const struct client_options *options,
	struct err *err) MUST_USE;
/* Drops the connection without QUIT (the server then deletes nothing); NULL
 * is allowed. */
void client_close(struct client *client);

/* Logs in with the first mechanism that the account may use and the server
 * offers, and with the account's password or token, as it has one or the other;
 * `secret` is empty if it needs none. Nothing that shows the secret is sent
 * without TLS, unless the account accepts that. ERR_LOGIN when the server says
 * no: at most two tries have been made, so that no account is locked.
 * Capabilities are asked for again: they may change (RFC 2449 section 5). */
bool client_login(struct client *client, const struct secret *secret,
	struct err *err) MUST_USE;

/* One command at a time from now on, whatever the server offers. */
void client_lockstep(struct client *client);
/* Nothing came that answers no command; ERR_PROTO otherwise. */
bool client_in_step(struct client *client, struct err *err) MUST_USE;

const struct capa *client_capa(const struct client *client);
/* What was announced before STLS, for people; not known if there was none. */
const struct capa *client_capa_clear(const struct client *client);
struct tls *client_tls(struct client *client);
/* Greeting text, escaped; address of the server; how we came there, with all
 * addresses tried; mechanism of the login, and why that one was taken. */
const char *client_greeting(const struct client *client);
const char *client_peer(const struct client *client);
const char *client_story(const struct client *client);
const char *client_mechanism(const struct client *client);
const char *client_why(const struct client *client);

/* STAT: count and size of the maildrop. */
bool client_stat(struct client *client, uint64_t *count_r, uint64_t *size_r,
	struct err *err) MUST_USE;
/* LAST (RFC 1460); ERR_MSG when the server does not know it. */
bool client_last(struct client *client, uint64_t *last_r, struct err *err)
	MUST_USE;
bool client_noop(struct client *client, struct err *err) MUST_USE;
bool client_rset(struct client *client, struct err *err) MUST_USE;
/* The server deletes what was marked when it answers +OK; any error means
 * that nobody knows. The session is over either way. */
bool client_quit(struct client *client, struct err *err) MUST_USE;

/* One message of the listing. */
struct listed {
	uint64_t number;
	uint64_t size;			/* octets as the server counts; 0 unknown */
	const char *uid;		/* uid_len bytes, any content */
	size_t uid_len;
};

struct listing {
	struct listed *messages;	/* in ascending order of number */
	size_t count;
	bool has_uids;			/* the server knows UIDL */
};

/* UIDL and LIST, in one burst if the server pipelines. UIDL is the master:
 * LIST adds sizes. Strings live in `arena`. ERR_PROTO beyond LIMIT_LISTING
 * messages, for a number listed twice, or a line that makes no sense. */
bool client_listing(struct client *client, struct arena *arena,
	struct listing *listing_r, struct err *err) MUST_USE;

/* Many commands at once. send(i) puts exactly one command with
 * client_put(); recv(i) gets exactly its reply, and must read the lines that
 * follow it, if any, with client_body(). At most LIMIT_WINDOW_BYTES of
 * commands are unanswered at a time; one, if the server does not pipeline. */
struct window {
	size_t count;
	size_t got;			/* set: replies that recv() has dealt with */
	bool (*send)(void *arg, size_t i, struct err *err);
	bool (*recv)(void *arg, size_t i, const struct reply *reply,
		struct err *err);
	void *arg;
};
bool client_window(struct client *client, struct window *window,
	struct err *err) MUST_USE;

/* Puts "VERB number", or "VERB number 0" for TOP. */
bool client_put(struct client *client, const char *verb, uint64_t number,
	struct err *err) MUST_USE;

/* The lines that follow the reply just read, decoded. `size` is what the
 * server announced, for the deadline; 0 if unknown. One at a time. */
struct source *client_body(struct client *client, uint64_t size);

/* One raw command and its status line, for talk. `line` holds no CR or LF.
 * The longest of the timeouts applies, as nobody knows what the command does.
 * The reply is valid until the next call. */
bool client_command(struct client *client, const char *line,
	struct reply *reply_r, struct err *err) MUST_USE;

#endif
