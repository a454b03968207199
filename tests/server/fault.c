#include "tests/server/fault.h"
#include "tests/server/random.h"

#include <stdio.h>
#include <string.h>

enum { BLOCK = 4096, MICRO = 1000000, SHOWN = 1000 };

/* ---- answers that are not the command's own ---- */

static void
put_text(struct session *s, const struct text *t)
{
	if (t->data)
		conn_put(s->conn, t->data, t->len);
}

static void
say(struct session *s, const struct text *t)
{
	size_t shown = t->len < SHOWN ? t->len : SHOWN;

	put_text(s, t);
	eventlog_bytes(&s->log, conn_alive(s->conn) ? "reply" : "lost", t->data, shown);
}

static void
garbage(struct session *s, const struct number *how)
{
	struct random r;
	char block[BLOCK];
	int64_t left = how->n;

	random_seed(&r, (uint64_t)how->m);
	while (left > 0 && conn_alive(s->conn)) {
		size_t n = left < BLOCK ? (size_t)left : BLOCK;

		for (size_t i = 0; i < n; i++)
			block[i] = (char)(random_next(&r) >> 56);
		conn_put(s->conn, block, n);
		left -= (int64_t)n;
	}
}

static void
endless(struct session *s, enum event event)
{
	session_ok(s, "endless");
	for (unsigned long n = 1; conn_alive(s->conn); n++) {
		if (event == EV_UIDL)
			session_line(s, "%lu endless%lu", n, n);
		else if (event == EV_LIST)
			session_line(s, "%lu 1024", n);
		else
			session_line(s, "X-ENDLESS-%lu", n);
	}
}

static void
endless_line(struct session *s, const struct fault *f)
{
	char block[BLOCK];

	memset(block, 'x', sizeof block);
	if (!f->prepend.data)
		conn_put(s->conn, "+OK ", 4);
	while (conn_put(s->conn, block, sizeof block))
		;
}

static void
pretend(struct session *s, enum event event, bool multi)
{
	if (event == EV_QUIT)
		session_end(s, "quit", END_POLITE);
	session_ok(s, "as you say");
	if (multi)
		session_line(s, ".");
}

static void
refuse(struct session *s, const char *text)
{
	session_err(s, NULL, text);
}

/* True: one of those was the answer. */
static bool
substitute(struct session *s, const struct fault *f, enum event event, bool multi)
{
	if (f->err.data)
		refuse(s, f->err.data);
	else if (f->reply.data)
		say(s, &f->reply);
	else if (f->garbage.given)
		garbage(s, &f->garbage);
	else if (f->endless)
		endless(s, event);
	else if (f->endless_line)
		endless_line(s, f);
	else if (f->ignore)
		pretend(s, event, multi);
	else
		return f->early.data != NULL;
	return true;
}

static bool
substitutes(const struct fault *f)
{
	return f->err.data || f->reply.data || f->garbage.given || f->endless ||
	       f->endless_line || f->ignore || f->early.data;
}

/* ---- before, around, after ---- */

/* False: the session has ended. */
static bool
before(struct session *s, const struct fault *f)
{
	eventlog_event(&s->log, "fault %s", f->rule);
	if (f->drop_input)
		conn_drop_input(s->conn);
	if (f->delay.given)
		conn_sleep(s->conn, (uint64_t)f->delay.n * 1000);
	if (f->hold.data)
		conn_hold(s->conn, f->hold.data);
	if (f->stall)
		conn_stall(s->conn);
	if (f->close || f->reset || f->stall)
		session_end(s, "fault", f->reset ? END_RESET : END_FIN);
	return !s->why;
}

static bool
make_limit(const struct fault *f, struct limit *l)
{
	*l = (struct limit){ .counted = true };
	l->stall = f->stall_at.given || f->do_then_stall;
	if (f->cut.given)
		l->left = f->cut.n;
	else if (f->stall_at.given)
		l->left = f->stall_at.n;
	else if (!f->do_then_close && !f->do_then_reset && !f->do_then_stall)
		l->counted = false;
	if (f->drip.given && f->drip.n > 0) {
		l->piece = f->drip.n < 200 ? 1 : (size_t)f->drip.n / 100;
		l->pause_us = l->piece * (uint64_t)MICRO / (uint64_t)f->drip.n;
	} else if (f->drip_ms.given && f->drip_ms.n >= 0) {
		l->piece = 1;
		l->pause_us = (uint64_t)f->drip_ms.n * 1000;
	} else if (f->split.given && f->split.n > 0) {
		l->piece = (size_t)f->split.n;
	}
	return l->counted || l->piece;
}

static void
after(struct session *s, const struct fault *f)
{
	bool reset = f->then_reset || f->do_then_reset;

	if (f->notify)
		conn_notify(s->conn);
	if (f->raw.data)
		conn_raw(s->conn, f->raw.data, f->raw.len);
	if (f->key_update.given)
		conn_key_update(s->conn, f->key_update.n);
	if (reset || f->then_close || !conn_alive(s->conn))
		session_end(s, "fault", reset ? END_RESET : END_FIN);
}

static void
answer(struct session *s, const struct fault *f, enum event event, bool multi,
       session_verb *verb, const char *arg)
{
	bool other = substitutes(f);

	if (other && f->execute) {
		conn_mute(s->conn, true);
		verb(s, arg);
		conn_mute(s->conn, false);
	}
	put_text(s, &f->prepend);
	if (f->twice)
		conn_copy(s->conn);
	if (!other)
		verb(s, arg);
	else
		substitute(s, f, event, multi);
	if (f->twice)
		conn_repeat(s->conn);
	put_text(s, &f->append);
}

void
fault_play(struct session *s, const struct fault *f, enum event event, bool multi,
	   session_verb *verb, const char *arg)
{
	struct limit limit;
	bool limited = make_limit(f, &limit);

	if (!before(s, f))
		return;
	if (limited) {
		conn_flush(s->conn);
		conn_limit(s->conn, &limit);
	}
	answer(s, f, event, multi, verb, arg);
	if (limited)
		conn_unlimit(s->conn);
	after(s, f);
}

bool
fault_before_handshake(struct session *s, const struct fault *f)
{
	struct limit limit;

	if (!before(s, f))
		return false;
	put_text(s, &f->prepend);
	conn_flush(s->conn);
	if (substitutes(f)) {
		if (!f->ignore)
			substitute(s, f, EV_TLS, false);
		after(s, f);
		return false;
	}
	if (make_limit(f, &limit))
		conn_limit(s->conn, &limit);
	return true;
}

void
fault_after_handshake(struct session *s, const struct fault *f)
{
	conn_unlimit(s->conn);
	if (!s->why)
		after(s, f);
}
