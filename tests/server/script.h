/*
 * script: rules that make the server misbehave at a chosen moment.
 *
 *	on EVENT [WHEN] ACTION...
 *
 * One rule a line; blank lines and lines that begin with `#' are comments.
 * Every rule that matches an event is played at once, later ones over
 * earlier ones.
 *
 * EVENT	GREETING, TLS (the handshake), SASL (the answer to a challenge),
 *		USER PASS AUTH CAPA STLS STAT LIST UIDL RETR TOP DELE NOOP RSET
 *		LAST QUIT, or ANY (any command, unknown ones too)
 * WHEN		N	the Nth such event of the session
 *		N+	that one and all later ones
 *		#N #N+	the same, over the life of the server
 *		%P	each with a chance of P in 100 (see --seed)
 *		*	each; the default
 *
 * Conditions and manner:
 *	for NAME	only in sessions of that user, once logged in
 *	do		carry the command out although its answer is replaced
 *
 * Instead of the command, which is not carried out:
 *	close		FIN, without an answer or TLS close_notify
 *	reset		RST, without an answer
 *	stall		no more answers; the connection stays open
 *	ignore		answer +OK (and an empty list or body), do nothing
 *	err "TEXT"	answer -ERR TEXT
 *	reply "TEXT"	answer exactly TEXT, which may be of any bytes
 *	reply-file F	answer the bytes of the file F
 *	early "TEXT"	TEXT goes out as soon as this is the next such event and
 *			the server has nothing else to do, before the command
 *			comes, which then gets no answer; WHEN must be N
 *	garbage N SEED	answer N random bytes
 *	endless		answer +OK and lines without end
 *	endless-line	answer one line without end
 * Text:		"..." with \r \n \t \" \\ \0 \xNN
 *
 * Around an answer:
 *	prepend "TEXT"	TEXT before it
 *	append "TEXT"	TEXT after it, in the same segment
 *	twice		the whole answer two times (up to 4 MiB)
 *	delay MS	wait before the command is carried out
 *	drop-input	forget the commands that came along with this one
 *	cut N		carry it out; close after N bytes of the answer and its
 *			body, or N bytes before their end if N is negative
 *	stall-at N	the same, but stay open and silent
 *	drip N		send N bytes a second
 *	drip-ms MS	send one byte each MS
 *	split N		send N bytes a segment and TLS record
 * After it, in this order:
 *	notify		TLS close_notify (also after cut)
 *	raw "TEXT"	TEXT outside TLS (also after cut)
 *	key-update N	so many TLS 1.3 key updates
 *	then-close	FIN
 *	then-reset	RST; `cut N then-reset' ends the cut with RST
 *	do-then-close	carry it out, do not answer, FIN: the same as `cut 0'
 *	do-then-reset	carry it out, do not answer, RST
 *	do-then-stall	carry it out, do not answer, stay open
 *
 * In a TLS event, cut, stall-at, drip, drip-ms and split count the server's
 * bytes of the handshake; prepend is plain text before it; ignore, reply and
 * garbage take its place, and the session goes on in clear.
 *
 *	on RETR 3 cut 1000			the third body breaks off
 *	on QUIT do-then-close			deleted, but the client cannot know
 *	on DELE * ignore			never deletes
 *	on STLS 1 append "+OK injected\r\n"	answer smuggled in before TLS
 *	on UIDL #1 delay 500 stall-at -3	first session only: no final dot
 */
#ifndef TESTS_SERVER_SCRIPT_H
#define TESTS_SERVER_SCRIPT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum event {
	EV_GREETING, EV_TLS, EV_SASL,
	EV_USER, EV_PASS, EV_AUTH, EV_CAPA, EV_STLS, EV_STAT, EV_LIST, EV_UIDL, EV_RETR,
	EV_TOP, EV_DELE, EV_NOOP, EV_RSET, EV_LAST, EV_QUIT,
	EV_ANY,			/* for a rule: any command; for a command: an unknown one */
	EV_COUNT
};

struct text {
	char *data;		/* NULL: not given */
	size_t len;
};

struct number {
	bool given;
	int64_t n, m;
};

/* All that happens to one event. */
struct fault {
	const char *rule;	/* the last rule that matched; NULL: none did */
	bool execute;		/* `do' */
	bool close, reset, stall, ignore, endless, endless_line, twice, drop_input;
	bool notify, then_close, then_reset, do_then_close, do_then_reset, do_then_stall;
	struct text err, reply, early, prepend, append, raw, hold;
	struct number garbage, delay, cut, stall_at, drip, drip_ms, split, key_update;
};

/* Counts of events over the server's life; lives in shared memory. */
struct tally {
	atomic_ullong count[EV_COUNT];
};

struct script;

/* The language, for --help. */
const char *script_help(void);

/*
 * Read the rules of FILE (or NULL) and the N texts RULES; SEED is for their
 * chances.  NULL after a line on standard error.
 */
struct script *script_load(const char *file, const char *const *rules, size_t n, uint64_t seed);

void script_free(struct script *s);

/*
 * EVENT happens in a session of USER (NULL before login): count it here and
 * in LIFE, and collect in FAULT_R what the rules want.  Its texts live as
 * long as the script.
 */
void script_match(struct script *s, enum event event, const char *user, struct tally *life,
		  struct fault *fault_r);

/* The text of a rule with `early' that is due now, once; false if none is. */
bool script_early(struct script *s, const char *user, struct text *text_r);

#endif
