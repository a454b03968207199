#include "tests/server/conn_private.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

static ssize_t
push(gnutls_transport_ptr_t ptr, const void *data, size_t n)
{
	struct conn *c = ptr;
	bool limited = c->shaking && c->limited;

	if (limited ? !c->gone && conn_put_limited(c, data, n) : conn_raw_append(c, data, n))
		return (ssize_t)n;
	gnutls_transport_set_errno(c->tls, EPIPE);
	return -1;
}

static ssize_t
pull(gnutls_transport_ptr_t ptr, void *data, size_t n)
{
	struct conn *c = ptr;
	ssize_t got;

	conn_raw_flush(c);
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

	conn_raw_flush(c);
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
	conn_raw_flush(c);
	if (e < 0) {
		gnutls_alert_send_appropriate(tls, e);
		conn_raw_flush(c);
		c->gone = true;
		return gnutls_strerror(e);
	}
	c->shaking = false;
	return NULL;
}

void
conn_notify(struct conn *c)
{
	conn_flush(c);
	if (c->tls && !c->shaking) {
		gnutls_bye(c->tls, GNUTLS_SHUT_WR);
		conn_raw_flush(c);
	}
}

void
conn_key_update(struct conn *c, int64_t n)
{
	if (!conn_flush(c) || !c->tls || c->shaking)
		return;
	while (n-- > 0 && !c->gone && gnutls_session_key_update(c->tls, 0) >= 0)
		conn_raw_flush(c);
}
