/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/net/wire.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/arena.h"
#include "agent/base/limits.h"

/* While bytes keep coming, this often is soon enough to notice that time is up,
 * or that we are asked to stop. */
#define CHECK_MS 10

struct wire {
	struct net net;
	struct tls *tls;
	clock_ms deadline, next_check;
	wire_trace *trace;
	void *trace_arg;
	const char *secrets[2];		/* see wire_hide() */
	bool veil;
	size_t in_at, in_end;		/* unread bytes in `in` */
	size_t out_len;
	char in[LIMIT_WIRE_BUFFER];
	char out[LIMIT_COMMAND + LIMIT_WINDOW_BYTES];
};

struct wire *wire_new(const struct net *net, wire_trace *trace, void *arg)
{
	struct wire *wire = mem_head(sizeof(*wire),
		offsetof(struct wire, in));

	wire->net = *net;
	wire->trace = trace;
	wire->trace_arg = arg;
	return wire;
}

void wire_free(struct wire *wire)
{
	if (wire == NULL)
		return;
	tls_free(wire->tls);
	net_close(&wire->net);
	/* What was sent was wiped then. */
	explicit_bzero(wire->out, wire->out_len);
	free(wire);
}

static void show(struct wire *wire, char dir, const char *text, size_t len)
{
	if (wire->trace != NULL)
		wire->trace(wire->trace_arg, dir, text, len);
}

bool wire_start_tls(struct wire *wire, const struct tls_trust *system,
	const struct tls_options *options, clock_ms deadline, struct err *err)
{
	char byte;

	/* With TLS from the first byte, what is there is for TLS to judge. */
	if (!options->first && (wire->in_at != wire->in_end
		|| recv(wire->net.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0))
		return err_set(err, ERR_PROTO,
			"the server sent data before the TLS handshake: someone may be tampering with the connection");
	wire->tls = tls_start(&wire->net, system, options, deadline, err);
	return wire->tls != NULL || net_blame(&wire->net, err);
}

struct tls *wire_tls(struct wire *wire)
{
	return wire->tls;
}

void wire_deadline(struct wire *wire, clock_ms deadline)
{
	wire->deadline = deadline;
}

static bool send_clear(struct wire *wire, const char *data, size_t len,
	struct err *err)
{
	ssize_t n;

	while (len != 0) {
		n = send(wire->net.fd, data, len, MSG_NOSIGNAL);
		if (n >= 0) {
			data += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN || errno == EINTR) {
			if (!net_wait(&wire->net, POLLOUT, wire->deadline, err))
				return false;
		} else {
			return err_sys(err, errno, "cannot send to the server");
		}
	}
	return true;
}

static bool flush(struct wire *wire, struct err *err)
{
	size_t len = wire->out_len;
	bool ok;

	if (len == 0)
		return true;
	wire->out_len = 0;
	if (wire->tls != NULL)
		ok = tls_write(wire->tls, wire->out, len, wire->deadline, err);
	else
		ok = send_clear(wire, wire->out, len, err);
	explicit_bzero(wire->out, len);
	return ok || net_blame(&wire->net, err);
}

static bool append(struct wire *wire, const char *line, size_t len,
	struct err *err)
{
	if (len + 2 > LIMIT_COMMAND)
		return err_set(err, ERR_CONFIG,
			"a command to the server would be longer than %d bytes", LIMIT_COMMAND);
	if (wire->out_len + len + 2 > sizeof(wire->out) && !flush(wire, err))
		return false;
	memcpy(wire->out + wire->out_len, line, len);
	memcpy(wire->out + wire->out_len + len, "\r\n", 2);
	wire->out_len += len + 2;
	return true;
}

bool wire_put(struct wire *wire, const char *command, size_t *len_r,
	struct err *err)
{
	size_t len = strlen(command);

	show(wire, 'C', command, len);
	*len_r = len + 2;
	return append(wire, command, len, err);
}

bool wire_put_secret(struct wire *wire, const char *line, const char *mask,
	struct err *err)
{
	show(wire, 'C', mask, strlen(mask));
	return append(wire, line, strlen(line), err);
}

static bool receive_clear(struct wire *wire, char *buf, size_t cap,
	size_t *len_r, struct err *err)
{
	ssize_t n;

	for (;;) {
		n = recv(wire->net.fd, buf, cap, 0);
		if (n >= 0) {
			*len_r = (size_t)n;
			return true;
		}
		if (errno != EAGAIN && errno != EINTR)
			return err_sys(err, errno,
				"cannot read from the server");
		if (!net_wait(&wire->net, POLLIN, wire->deadline, err))
			return false;
	}
}

/* Adds to what is unread. */
static bool fill(struct wire *wire, struct err *err)
{
	size_t n;
	bool ok;

	/* Also when bytes never stop coming. */
	if (clock_left(wire->next_check) == 0) {
		if (!net_check(&wire->net, wire->deadline, err))
			return false;
		wire->next_check = clock_after(CHECK_MS);
	}
	if (!flush(wire, err))
		return false;
	memmove(wire->in, wire->in + wire->in_at, wire->in_end - wire->in_at);
	wire->in_end -= wire->in_at;
	wire->in_at = 0;
	if (wire->tls != NULL)
		ok = tls_read(wire->tls, wire->in + wire->in_end,
			sizeof(wire->in) - wire->in_end, &n, wire->deadline,
			err);
	else
		ok = receive_clear(wire, wire->in + wire->in_end,
			sizeof(wire->in) - wire->in_end, &n, err);
	if (ok && n == 0)
		ok = err_set(err, ERR_RETRY,
			"the server closed the connection");
	if (!ok)
		return net_blame(&wire->net, err);
	wire->in_end += n;
	return true;
}

/* Servers that do not know a command repeat it in their answer. */
static void hide(const struct wire *wire, char *line, size_t len)
{
	size_t i, n;
	char *hit;

	for (i = 0; i < sizeof(wire->secrets) / sizeof(wire->secrets[0]); i++) {
		if (wire->secrets[i] == NULL || wire->secrets[i][0] == '\0')
			continue;
		n = strlen(wire->secrets[i]);
		while ((hit = memmem(line, len, wire->secrets[i], n)) != NULL) {
			memset(hit, '*', n);
			if (wire->secrets[i][0] == '*')
				break;	/* a password of stars */
		}
	}
}

void wire_hide(struct wire *wire, const char *first, const char *second)
{
	wire->secrets[0] = first;
	wire->secrets[1] = second;
}

void wire_veil(struct wire *wire, bool on)
{
	wire->veil = on;
}

static void show_line(struct wire *wire, const char *line, size_t len)
{
	static const char veiled[] = "+ ********";

	if (wire->veil && len > 2 && memcmp(line, veiled, 2) == 0)
		show(wire, 'S', veiled, strlen(veiled));
	else
		show(wire, 'S', line, len);
}

bool wire_line(struct wire *wire, const char **line_r, size_t *len_r,
	struct err *err)
{
	size_t seen = 0, len;
	const char *line, *lf;

	for (;;) {
		line = wire->in + wire->in_at;
		len = wire->in_end - wire->in_at;
		lf = memchr(line + seen, '\n', len - seen);
		if ((lf != NULL ? (size_t)(lf - line) : len)
		    > LIMIT_REPLY_LINE)
			return err_set(err, ERR_PROTO,
				"the server sent a line of more than %d bytes where a reply was due",
				LIMIT_REPLY_LINE);
		if (lf != NULL)
			break;
		seen = len;
		if (!fill(wire, err))
			return false;
	}
	len = (size_t)(lf - line);
	wire->in_at += len + 1;
	if (len != 0 && line[len - 1] == '\r')
		len--;
	hide(wire, wire->in + (line - wire->in), len);
	show_line(wire, line, len);
	*line_r = line;
	*len_r = len;
	return true;
}

bool wire_peek(struct wire *wire, const char **data_r, size_t *len_r,
	struct err *err)
{
	if (wire->in_at == wire->in_end && !fill(wire, err))
		return false;
	*data_r = wire->in + wire->in_at;
	*len_r = wire->in_end - wire->in_at;
	return true;
}

void wire_take(struct wire *wire, size_t len)
{
	wire->in_at += len;
}

bool wire_has_input(struct wire *wire)
{
	char byte;

	if (wire->in_at != wire->in_end)
		return true;
	/* Over TLS what is on the way may be a message to GnuTLS alone. */
	return wire->tls != NULL ? tls_pending(wire->tls)
		: recv(wire->net.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}
