#include "tests/server/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	IN_SIZE = 16384,	/* the longest command line; tokens reach 12 KiB */
	OUT_SIZE = 65536,
	RAW_SIZE = OUT_SIZE + 4096,	/* the same with TLS records around it */
	COPY_MAX = 4 << 20,
	LINGER_MS = 1000
};

struct conn {
	int fd;
	gnutls_session_t tls;
	bool shaking;		/* the handshake is under way */
	bool gone;		/* the client is, or a limit ended the output */
	const char *error;	/* the first that the socket or TLS had, or NULL */
	bool muted;
	bool limited;
	struct limit limit;
	char *held;		/* the last bytes, for a limit below 0 */
	size_t held_len;
	size_t in_piece;	/* bytes since the last flush of a limit */
	char *copy;
	size_t copy_len;
	bool copying;
	uint64_t in_count, out_count;
	size_t in_start, in_end, out_len, raw_len;
	char in[IN_SIZE + 1];
	char out[OUT_SIZE];
	char raw[RAW_SIZE];
};

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

static void
lose(struct conn *c, const char *error)
{
	c->gone = true;
	if (!c->error)
		c->error = error;
}

/* ---- the socket ---- */

static bool
send_all(struct conn *c, const char *data, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(c->fd, data, n, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0) {
			lose(c, strerror(errno));
			return false;
		}
		data += sent;
		n -= (size_t)sent;
	}
	return true;
}

static bool
raw_flush(struct conn *c)
{
	size_t n = c->raw_len;

	c->raw_len = 0;
	return send_all(c, c->raw, n);
}

static bool
raw_append(struct conn *c, const char *data, size_t n)
{
	while (n > 0) {
		size_t room = RAW_SIZE - c->raw_len;
		size_t m = n < room ? n : room;

		memcpy(c->raw + c->raw_len, data, m);
		c->raw_len += m;
		data += m;
		n -= m;
		if (c->raw_len == RAW_SIZE && !raw_flush(c))
			return false;
	}
	return true;
}

static void
nap(const struct conn *c, uint64_t us)
{
	struct pollfd p = { .fd = c->fd, .events = POLLRDHUP };
	struct timespec ts = { (time_t)(us / 1000000), (long)(us % 1000000) * 1000 };

	ppoll(&p, 1, &ts, NULL);
}

static void
wait_until_left(const struct conn *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLRDHUP };

	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
}

/* ---- output ---- */

bool
conn_flush(struct conn *c)
{
	size_t at = 0, n = c->out_len;

	c->out_len = 0;
	if (c->gone || n == 0)
		return !c->gone;
	if (!c->tls || c->shaking)
		return send_all(c, c->out, n);
	while (at < n) {
		ssize_t sent = gnutls_record_send(c->tls, c->out + at, n - at);

		if (sent < 0) {
			lose(c, gnutls_strerror((int)sent));
			return false;
		}
		at += (size_t)sent;
	}
	return raw_flush(c);
}

static bool
app_append(struct conn *c, const char *data, size_t n)
{
	c->out_count += n;
	while (n > 0) {
		size_t room = OUT_SIZE - c->out_len;
		size_t m = n < room ? n : room;

		memcpy(c->out + c->out_len, data, m);
		c->out_len += m;
		data += m;
		n -= m;
		if (c->out_len == OUT_SIZE && !conn_flush(c))
			return false;
	}
	return true;
}

static bool
flush_any(struct conn *c)
{
	return c->shaking ? raw_flush(c) : conn_flush(c);
}

/* Bytes that passed the count, in pieces if so asked. */
static bool
pace(struct conn *c, const char *data, size_t n)
{
	while (n > 0 && !c->gone) {
		size_t room = c->limit.piece ? c->limit.piece - c->in_piece : n;
		size_t m = n < room ? n : room;

		if (c->shaking ? !raw_append(c, data, m) : !app_append(c, data, m))
			return false;
		data += m;
		n -= m;
		c->in_piece += m;
		if (c->in_piece < c->limit.piece || !c->limit.piece)
			continue;
		c->in_piece = 0;
		flush_any(c);
		if (c->limit.pause_us)
			nap(c, c->limit.pause_us);
	}
	return !c->gone;
}

static void
end_output(struct conn *c)
{
	flush_any(c);
	if (c->limit.stall)
		wait_until_left(c);
	c->gone = true;
}

/* Let all pass but the last bytes, which may prove to be the end. */
static bool
hold_back(struct conn *c, const char *data, size_t n)
{
	size_t keep = (size_t)-c->limit.left;
	size_t out = c->held_len + n > keep ? c->held_len + n - keep : 0;
	size_t old = out < c->held_len ? out : c->held_len;

	if (!pace(c, c->held, old) || !pace(c, data, out - old))
		return false;
	memmove(c->held, c->held + old, c->held_len - old);
	c->held_len -= old;
	memcpy(c->held + c->held_len, data + (out - old), n - (out - old));
	c->held_len += n - (out - old);
	return true;
}

static bool
put_limited(struct conn *c, const char *data, size_t n)
{
	size_t m = n;

	if (!c->limit.counted)
		return pace(c, data, n);
	if (c->held)
		return hold_back(c, data, n);
	if ((uint64_t)c->limit.left < n)
		m = (size_t)c->limit.left;
	c->limit.left -= (int64_t)m;
	if (!pace(c, data, m))
		return false;
	if (m == n)
		return true;
	end_output(c);
	return false;
}

static void
append_copy(struct conn *c, const char *data, size_t n)
{
	char *more = c->copy_len + n > COPY_MAX ? NULL : realloc(c->copy, c->copy_len + n + 1);

	if (!more)
		return;
	memcpy(more + c->copy_len, data, n);
	c->copy = more;
	c->copy_len += n;
}

bool
conn_put(struct conn *c, const char *data, size_t n)
{
	if (c->gone || c->muted)
		return false;
	if (c->copying)
		append_copy(c, data, n);
	return c->limited ? put_limited(c, data, n) : app_append(c, data, n);
}

void
conn_mute(struct conn *c, bool on)
{
	c->muted = on;
}

void
conn_copy(struct conn *c)
{
	c->copying = true;
}

void
conn_repeat(struct conn *c)
{
	c->copying = false;
	conn_put(c, c->copy, c->copy_len);
	free(c->copy);
	c->copy = NULL;
	c->copy_len = 0;
}

void
conn_limit(struct conn *c, const struct limit *limit)
{
	c->limit = *limit;
	c->limited = true;
	c->in_piece = 0;
	if (limit->counted && limit->left < 0) {
		c->held = malloc((size_t)-limit->left);
		c->gone = c->gone || !c->held;
	}
}

void
conn_unlimit(struct conn *c)
{
	if (c->limited && c->limit.counted && !c->gone)
		end_output(c);
	c->limited = false;
	free(c->held);
	c->held = NULL;
	c->held_len = 0;
}

void
conn_sleep(struct conn *c, uint64_t us)
{
	if (conn_flush(c))
		nap(c, us);
}

void
conn_stall(struct conn *c)
{
	if (conn_flush(c))
		wait_until_left(c);
	c->gone = true;
}

void
conn_raw(struct conn *c, const char *data, size_t n)
{
	conn_flush(c);
	send_all(c, data, n);
}

void
conn_notify(struct conn *c)
{
	conn_flush(c);
	if (c->tls && !c->shaking) {
		gnutls_bye(c->tls, GNUTLS_SHUT_WR);
		raw_flush(c);
	}
}

void
conn_key_update(struct conn *c, int64_t n)
{
	if (!conn_flush(c) || !c->tls || c->shaking)
		return;
	while (n-- > 0 && !c->gone && gnutls_session_key_update(c->tls, 0) >= 0)
		raw_flush(c);
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
	lose(c, c->tls ? gnutls_strerror((int)n) : strerror(errno));
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
		c->in_end = c->in_start;
	} while (!c->gone && c->in_end < IN_SIZE && conn_ahead(c, 0) && fill(c) == LINE_OK);
}

/* ---- TLS ---- */

static ssize_t
push(gnutls_transport_ptr_t ptr, const void *data, size_t n)
{
	struct conn *c = ptr;
	bool limited = c->shaking && c->limited;

	if (limited ? !c->gone && put_limited(c, data, n) : raw_append(c, data, n))
		return (ssize_t)n;
	gnutls_transport_set_errno(c->tls, EPIPE);
	return -1;
}

static ssize_t
pull(gnutls_transport_ptr_t ptr, void *data, size_t n)
{
	struct conn *c = ptr;
	ssize_t got;

	raw_flush(c);
	got = recv(c->fd, data, n, 0);
	if (got < 0)
		gnutls_transport_set_errno(c->tls, errno);
	return got;
}

static int
pull_timeout(gnutls_transport_ptr_t ptr, unsigned ms)
{
	struct conn *c = ptr;
	struct pollfd p = { .fd = c->fd, .events = POLLIN };

	raw_flush(c);
	return poll(&p, 1, ms == GNUTLS_INDEFINITE_TIMEOUT ? -1 : (int)ms);
}

const char *
conn_handshake(struct conn *c, gnutls_session_t tls)
{
	int e;

	if (!conn_flush(c)) {
		gnutls_deinit(tls);
		return "the client left";
	}
	c->in_start = c->in_end = 0;
	c->tls = tls;
	c->shaking = true;
	gnutls_transport_set_ptr(tls, c);
	gnutls_transport_set_push_function(tls, push);
	gnutls_transport_set_pull_function(tls, pull);
	gnutls_transport_set_pull_timeout_function(tls, pull_timeout);
	do {
		e = gnutls_handshake(tls);
	} while (e < 0 && e != GNUTLS_E_AGAIN && !gnutls_error_is_fatal(e));
	raw_flush(c);
	if (e < 0) {
		gnutls_alert_send_appropriate(tls, e);
		raw_flush(c);
		c->gone = true;
		return gnutls_strerror(e);
	}
	c->shaking = false;
	return NULL;
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
