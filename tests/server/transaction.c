#include "tests/server/transaction.h"
#include "tests/server/message.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEAD_SIZE = 48 };

/* A number of digits alone, cut off at *END_R. */
static bool
number(const char *text, char **end_r, uint64_t *n_r)
{
	if (*text < '0' || *text > '9')
		return false;
	*n_r = strtoull(text, end_r, 10);
	return true;
}

/* The index of the message ARG names; answers -ERR if it names none. */
static bool
message(struct session *s, const char *arg, size_t *i_r)
{
	char *end;
	uint64_t n;

	if (number(arg, &end, &n) && *end == '\0' && n > 0 && n <= maildrop_count(s->drop) &&
	    maildrop_has(s->drop, n - 1)) {
		*i_r = n - 1;
		return true;
	}
	session_err(s, NULL, "no such message");
	return false;
}

static void
totals(struct session *s, size_t *n_r, uint64_t *octets_r)
{
	*n_r = 0;
	*octets_r = 0;
	for (size_t i = 0; i < maildrop_count(s->drop); i++) {
		if (maildrop_has(s->drop, i)) {
			++*n_r;
			*octets_r += maildrop_size(s->drop, i);
		}
	}
}

void
transaction_stat(struct session *s, const char *arg)
{
	uint64_t octets;
	size_t n;

	(void)arg;
	totals(s, &n, &octets);
	session_ok(s, "%zu %" PRIu64, n, octets);
}

void
transaction_list(struct session *s, const char *arg)
{
	uint64_t octets;
	size_t i, n;

	if (*arg) {
		if (message(s, arg, &i))
			session_ok(s, "%zu %" PRIu64, i + 1, maildrop_size(s->drop, i));
		return;
	}
	totals(s, &n, &octets);
	session_ok(s, "%zu messages (%" PRIu64 " octets)", n, octets);
	for (i = 0; i < maildrop_count(s->drop) && conn_alive(s->conn); i++) {
		if (maildrop_has(s->drop, i))
			session_line(s, "%zu %" PRIu64, i + 1, maildrop_size(s->drop, i));
	}
	session_line(s, ".");
}

/* A UID may hold any byte, so it is copied, not formatted. */
static void
uid_line(struct session *s, const char *start, size_t i)
{
	size_t len, n;
	const char *uid = maildrop_uid(s->drop, i, &len);
	char *line = malloc(HEAD_SIZE + len + 2);

	if (!line)
		return;
	n = (size_t)snprintf(line, HEAD_SIZE, "%s%zu ", start, i + 1);
	memcpy(line + n, uid, len);
	memcpy(line + n + len, "\r\n", 2);
	if (*start)
		session_status(s, line, n + len + 2);
	else
		conn_put(s->conn, line, n + len + 2);
	free(line);
}

void
transaction_uidl(struct session *s, const char *arg)
{
	size_t i;

	if (*arg) {
		if (message(s, arg, &i))
			uid_line(s, "+OK ", i);
		return;
	}
	session_ok(s, "unique-ids follow");
	for (i = 0; i < maildrop_count(s->drop) && conn_alive(s->conn); i++) {
		if (maildrop_has(s->drop, i))
			uid_line(s, "", i);
	}
	session_line(s, ".");
}

static bool
sink(void *arg, const char *data, size_t n)
{
	return conn_put(arg, data, n);
}

/*
 * The file of message I with its status line.  A file that cannot be read to
 * the end must not look whole: the connection ends instead.
 */
static bool
send_file(struct session *s, size_t i, int64_t body_lines)
{
	int fd = maildrop_file(s->drop, i);
	bool ok;

	if (fd < 0) {
		session_err(s, "SYS/TEMP", "the message cannot be read");
		return false;
	}
	session_ok(s, body_lines < 0 ? "message follows" : "top of message follows");
	ok = message_send(fd, s->opt->raw, body_lines, sink, s->conn);
	close(fd);
	if (ok)
		session_line(s, ".");
	else
		session_end(s, "error", END_FIN);
	return ok && conn_alive(s->conn);
}

void
transaction_retr(struct session *s, const char *arg)
{
	uint64_t before, after, in;
	size_t i;

	if (!message(s, arg, &i))
		return;
	maildrop_touch(s->drop, i);
	conn_counts(s->conn, &in, &before);
	if (!send_file(s, i, -1))
		return;
	conn_counts(s->conn, &in, &after);
	eventlog_event(&s->log, "sent %s %" PRIu64, maildrop_name(s->drop, i), after - before);
}

void
transaction_top(struct session *s, const char *arg)
{
	size_t i, n = strcspn(arg, " ");
	char *end, *which;
	uint64_t lines;

	if (arg[n] != ' ' || !number(arg + n + 1, &end, &lines) || *end || lines > INT64_MAX) {
		session_err(s, NULL, "TOP needs a message and a number of lines");
		return;
	}
	which = strndup(arg, n);
	if (which && message(s, which, &i))
		send_file(s, i, (int64_t)lines);
	free(which);
}

void
transaction_dele(struct session *s, const char *arg)
{
	size_t i;

	if (!message(s, arg, &i))
		return;
	maildrop_delete(s->drop, i);
	session_ok(s, "message %zu will be deleted", i + 1);
}

void
transaction_noop(struct session *s, const char *arg)
{
	(void)arg;
	session_ok(s, "nothing done");
}

void
transaction_rset(struct session *s, const char *arg)
{
	(void)arg;
	maildrop_reset(s->drop);
	session_ok(s, "nothing will be deleted");
}

void
transaction_last(struct session *s, const char *arg)
{
	(void)arg;
	session_ok(s, "%zu", maildrop_last(s->drop));
}

static void
note_deletion(void *arg, const char *name, bool gone)
{
	struct session *s = arg;

	eventlog_event(&s->log, "%s %s", gone ? "deleted" : "kept", name);
}

/* The lock goes before the answer: a client may come back at once. */
void
transaction_quit(struct session *s, const char *arg)
{
	bool all = true;

	(void)arg;
	if (s->drop) {
		all = maildrop_update(s->drop, note_deletion, s);
		if (s->opt->features & WITH_LAST)
			maildrop_save_last(s->drop);
		maildrop_close(s->drop);
		s->drop = NULL;
	}
	if (all)
		session_ok(s, "goodbye");
	else
		session_err(s, "SYS/TEMP", "some messages were not deleted");
	session_end(s, "quit", END_POLITE);
}
