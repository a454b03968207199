/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_POP3_CLIENT_H
#define AGENT_POP3_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/arena.h"
#include "agent/base/err.h"
#include "agent/net/wire.h"
#include "agent/pop3/recall.h"
#include "agent/pop3/reply.h"
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
	/* What the last session left, or NULL; it must outlive the client. One
	 * that does not hold any more is not used. */
	const struct recall *recall;
	const char *address;		/* see struct way; or NULL */
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

/* What leaves in one burst with the login, if all that is needed for that is
 * known from the last session; else with CAPA behind the login, if the server
 * takes commands in a row; else with the command's own function. */
enum client_ahead {
	AHEAD_NONE,
	AHEAD_LISTING,			/* what client_listing() needs */
	AHEAD_LOOK			/* what client_look() needs */
};
/* Before client_login(), of a client with a recall. `last` is for the look. */
void client_ahead(struct client *client, enum client_ahead ahead,
	uint64_t last);
/* Does the session rest on what was remembered, or on commands in a row being
 * taken, without a word of the server yet that it holds? What fails then may
 * fail for that. */
bool client_on_trust(const struct client *client);
/* Puts what this session learned into `recall`, at its end. */
void client_learn(struct client *client, struct recall *recall);

/* One command at a time from now on, whatever the server offers. */
void client_lockstep(struct client *client);
/* A window (window.h) ended because no answer came to a command that left
 * together with others: what a server that announces PIPELINING, and drops what
 * it has not read when it answers, does each time. */
bool client_stalled(const struct client *client);
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
/* ERR_PROTO if a stray line is in front of the next reply. Before RETR: it would
 * pass for the status line, and the real one for the first line of text. */
bool client_prove_step(struct client *client, struct err *err) MUST_USE;
bool client_rset(struct client *client, struct err *err) MUST_USE;
/* The server deletes what was marked when it answers +OK; any error means
 * that nobody knows. The session is over either way. */
bool client_quit(struct client *client, struct err *err) MUST_USE;

/* The lines that follow the reply just read, decoded. `size` is what the
 * server announced, for the deadline; 0 if unknown. One at a time. */
struct source *client_body(struct client *client, uint64_t size);

/* One raw command and its status line, for talk. `line` holds no CR or LF.
 * The longest of the timeouts applies, as nobody knows what the command does.
 * The reply is valid until the next call. */
bool client_command(struct client *client, const char *line,
	struct reply *reply_r, struct err *err) MUST_USE;

#endif
