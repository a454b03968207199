#include "tests/server/conn_private.h"

#include <stdlib.h>
#include <string.h>

enum { COPY_MAX = 4 << 20 };

bool
conn_flush(struct conn *c)
{
	size_t at = 0, n = c->out_len;

	c->out_len = 0;
	if (c->gone || n == 0)
		return !c->gone;
	if (!c->tls || c->shaking)
		return conn_send(c, c->out, n);
	while (at < n) {
		ssize_t sent = gnutls_record_send(c->tls, c->out + at, n - at);

		if (sent < 0) {
			conn_lose(c, gnutls_strerror((int)sent));
			return false;
		}
		at += (size_t)sent;
	}
	return conn_raw_flush(c);
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
	return c->shaking ? conn_raw_flush(c) : conn_flush(c);
}

/* Bytes that passed the count, in pieces if so asked. */
static bool
pace(struct conn *c, const char *data, size_t n)
{
	while (n > 0 && !c->gone) {
		size_t room = c->limit.piece ? c->limit.piece - c->in_piece : n;
		size_t m = n < room ? n : room;

		if (c->shaking ? !conn_raw_append(c, data, m) : !app_append(c, data, m))
			return false;
		data += m;
		n -= m;
		c->in_piece += m;
		if (c->in_piece < c->limit.piece || !c->limit.piece)
			continue;
		c->in_piece = 0;
		flush_any(c);
		if (c->limit.pause_us)
			conn_nap(c, c->limit.pause_us);
	}
	return !c->gone;
}

static void
end_output(struct conn *c)
{
	flush_any(c);
	if (c->limit.stall) {
		conn_tell_silence(c);
		conn_wait_until_left(c);
	}
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

bool
conn_put_limited(struct conn *c, const char *data, size_t n)
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
	return c->limited ? conn_put_limited(c, data, n) : app_append(c, data, n);
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
