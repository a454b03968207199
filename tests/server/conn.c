#include "tests/server/conn_private.h"
#include "tests/server/eventlog.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINGER_MS = 1000, HOLD_MS = 10 };

struct conn *
conn_new(int fd, uint64_t idle)
{
	struct conn *c = malloc(sizeof *c);
	struct timeval tv = { .tv_sec = (time_t)idle };
	int one = 1;

	if (!c)
		return NULL;
	memset(c, 0, offsetof(struct conn, in));
	c->fd = fd;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
	return c;
}

void
conn_witness(struct conn *c, const struct eventlog *log)
{
	c->log = log;
}

void
conn_tell_silence(struct conn *c)
{
	if (c->log)
		eventlog_event(c->log, "silent");
	c->log = NULL;
}

bool
conn_alive(const struct conn *c)
{
	return !c->gone;
}

gnutls_session_t
conn_tls(const struct conn *c)
{
	return c->tls;
}

void
conn_counts(const struct conn *c, uint64_t *in_r, uint64_t *out_r)
{
	*in_r = c->in_count;
	*out_r = c->out_count;
}

const char *
conn_error(const struct conn *c)
{
	return c->error;
}

void
conn_lose(struct conn *c, const char *error)
{
	c->gone = true;
	if (!c->error)
		c->error = error;
}

/* ---- the socket ---- */

bool
conn_send(struct conn *c, const char *data, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(c->fd, data, n, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0) {
			conn_lose(c, strerror(errno));
			return false;
		}
		data += sent;
		n -= (size_t)sent;
	}
	return true;
}

bool
conn_raw_flush(struct conn *c)
{
	size_t n = c->raw_len;

	c->raw_len = 0;
	return conn_send(c, c->raw, n);
}

bool
conn_raw_append(struct conn *c, const char *data, size_t n)
{
	while (n > 0) {
		size_t room = RAW_SIZE - c->raw_len;
		size_t m = n < room ? n : room;

		memcpy(c->raw + c->raw_len, data, m);
		c->raw_len += m;
		data += m;
		n -= m;
		if (c->raw_len == RAW_SIZE && !conn_raw_flush(c))
			return false;
	}
	return true;
}

void
conn_nap(const struct conn *c, uint64_t us)
{
	struct pollfd p = { .fd = c->fd, .events = POLLRDHUP };
	struct timespec ts = { (time_t)(us / 1000000), (long)(us % 1000000) * 1000 };

	ppoll(&p, 1, &ts, NULL);
}

void
conn_wait_until_left(const struct conn *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLRDHUP };

	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
}

void
conn_sleep(struct conn *c, uint64_t us)
{
	if (conn_flush(c))
		conn_nap(c, us);
}

void
conn_hold(struct conn *c, const char *path)
{
	struct pollfd p = { .fd = c->fd, .events = POLLRDHUP };

	if (!conn_flush(c))
		return;
	while (access(path, F_OK) != 0 && poll(&p, 1, HOLD_MS) <= 0)
		;
}

void
conn_stall(struct conn *c)
{
	if (conn_flush(c)) {
		conn_tell_silence(c);
		conn_wait_until_left(c);
	}
	c->gone = true;
}

void
conn_raw(struct conn *c, const char *data, size_t n)
{
	conn_flush(c);
	conn_send(c, data, n);
}

/* ---- input ---- */

/* LINE_OK when more came. */
static enum conn_line
fill(struct conn *c)
{
	char *at = c->in + c->in_end;
	size_t room = IN_SIZE - c->in_end;
	ssize_t n;

	if (!conn_flush(c))
		return LINE_ERROR;
	if (c->owing && !conn_ahead(c, 0))
		conn_tell_silence(c);
	do {
		n = c->tls ? gnutls_record_recv(c->tls, at, room) : recv(c->fd, at, room, 0);
	} while (c->tls ? n == GNUTLS_E_INTERRUPTED : n < 0 && errno == EINTR);
	if (n > 0) {
		c->in_end += (size_t)n;
		c->in_count += (size_t)n;
		return LINE_OK;
	}
	if (n == 0 || (c->tls && n == GNUTLS_E_PREMATURE_TERMINATION))
		return LINE_EOF;
	if (c->tls ? n == GNUTLS_E_AGAIN : errno == EAGAIN)
		return LINE_IDLE;
	conn_lose(c, c->tls ? gnutls_strerror((int)n) : strerror(errno));
	return LINE_ERROR;
}

bool
conn_has_line(const struct conn *c)
{
	return memchr(c->in + c->in_start, '\n', c->in_end - c->in_start) != NULL;
}

static enum conn_line
cut_line(struct conn *c, char *lf, char **line_r, size_t *len_r)
{
	char *line = c->in + c->in_start;
	bool cr = lf > line && lf[-1] == '\r';

	c->in_start = (size_t)(lf + 1 - c->in);
	*line_r = line;
	*len_r = (size_t)(lf - line) - cr;
	line[*len_r] = '\0';
	return cr ? LINE_OK : LINE_BARE_LF;
}

enum conn_line
conn_read_line(struct conn *c, char **line_r, size_t *len_r)
{
	for (;;) {
		char *start = c->in + c->in_start;
		char *lf = memchr(start, '\n', c->in_end - c->in_start);
		enum conn_line e;

		if (lf)
			return cut_line(c, lf, line_r, len_r);
		memmove(c->in, start, c->in_end - c->in_start);
		c->in_end -= c->in_start;
		c->in_start = 0;
		if (c->in_end == IN_SIZE)
			return LINE_TOO_LONG;
		e = fill(c);
		if (e != LINE_OK)
			return e;
	}
}

bool
conn_ahead(struct conn *c, int ms)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	char byte;

	if (c->in_end > c->in_start || (c->tls && gnutls_record_check_pending(c->tls) > 0))
		return true;
	return poll(&p, 1, ms) > 0 && recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* The line that conn_read_line gave stands before in_start: it must stay. */
void
conn_drop_input(struct conn *c)
{
	do {
		c->owing = c->owing || c->in_end > c->in_start;
		c->in_end = c->in_start;
	} while (!c->gone && c->in_end < IN_SIZE && conn_ahead(c, 0) && fill(c) == LINE_OK);
}

/* ---- the end ---- */

/*
 * A close with unread input makes the kernel send RST, which may overtake
 * the last answer: so read to the end, but not for ever.
 */
static void
linger(const struct conn *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	char sink[4096];

	shutdown(c->fd, SHUT_WR);
	while (poll(&p, 1, LINGER_MS) > 0) {
		if (recv(c->fd, sink, sizeof sink, MSG_DONTWAIT) <= 0)
			break;
	}
}

void
conn_close(struct conn *c, enum conn_end how)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	conn_flush(c);
	if (how == END_RESET) {
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	} else {
		if (how == END_POLITE)
			conn_notify(c);
		linger(c);
	}
	close(c->fd);
	if (c->tls)
		gnutls_deinit(c->tls);
	free(c->held);
	free(c->copy);
	free(c);
}
