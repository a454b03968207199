/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/net/socks.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum { SOCKS5 = 5, NO_LOGIN = 0, PASSWORD = 2, CONNECT = 1, IPV4 = 1,
	DOMAIN = 3, IPV6 = 4 };
/* A field has one octet for its length. */
#define LONGEST 255

struct socks {
	const struct net *net;
	clock_ms deadline;
	size_t len;			/* of `out` */
	unsigned char out[3 + 2 * LONGEST];
};

static void put(struct socks *s, const void *data, size_t len)
{
	memcpy(s->out + s->len, data, len);
	s->len += len;
}

static void put_byte(struct socks *s, unsigned int byte)
{
	s->out[s->len++] = (unsigned char)byte;
}

static void put_field(struct socks *s, const char *text)
{
	size_t len = strlen(text);

	/* The configuration was checked for longer ones. */
	if (len > LONGEST)
		len = LONGEST;
	put_byte(s, (unsigned int)len);
	put(s, text, len);
}

static bool lost(const char *what, struct err *err)
{
	return err_sys(err, errno, "the proxy: cannot %s", what);
}

static bool flush(struct socks *s, struct err *err)
{
	size_t at = 0;
	ssize_t n;

	while (at < s->len) {
		n = send(s->net->fd, s->out + at, s->len - at, MSG_NOSIGNAL);
		if (n >= 0)
			at += (size_t)n;
		else if (errno != EAGAIN && errno != EINTR)
			return lost("send", err);
		else if (!net_wait(s->net, POLLOUT, s->deadline, err))
			return false;
	}
	explicit_bzero(s->out, sizeof(s->out));
	s->len = 0;
	return true;
}

/* Exactly `len` bytes: what follows is the server's. */
static bool take(struct socks *s, unsigned char *in, size_t len,
	struct err *err)
{
	ssize_t n;

	while (len != 0) {
		n = recv(s->net->fd, in, len, 0);
		if (n == 0)
			return err_set(err, ERR_RETRY,
				"the proxy closed the connection");
		if (n > 0) {
			in += n;
			len -= (size_t)n;
		} else if (errno != EAGAIN && errno != EINTR) {
			return lost("read", err);
		} else if (!net_wait(s->net, POLLIN, s->deadline, err)) {
			err_prefix(err, "the proxy");
			return false;
		}
	}
	return true;
}

static bool log_in(struct socks *s, const struct proxy *proxy,
	struct err *err)
{
	unsigned char reply[2];

	put_byte(s, 1);
	put_field(s, proxy->user);
	put_field(s, proxy->password != NULL ? proxy->password : "");
	if (!flush(s, err) || !take(s, reply, sizeof(reply), err))
		return false;
	return reply[1] == 0 || err_set(err, ERR_CONFIG,
		"the proxy refused its user name and password");
}

static bool greet(struct socks *s, const struct proxy *proxy, struct err *err)
{
	unsigned char reply[2];

	put_byte(s, SOCKS5);
	put_byte(s, proxy->user != NULL ? 2 : 1);
	put_byte(s, NO_LOGIN);
	if (proxy->user != NULL)
		put_byte(s, PASSWORD);
	if (!flush(s, err) || !take(s, reply, sizeof(reply), err))
		return false;
	if (reply[0] != SOCKS5)
		return err_set(err, ERR_CONFIG,
			"the proxy does not speak SOCKS 5");
	if (reply[1] == NO_LOGIN)
		return true;
	if (reply[1] == PASSWORD && proxy->user != NULL)
		return log_in(s, proxy, err);
	return err_set(err, ERR_CONFIG, proxy->user != NULL
		? "the proxy wants a login of a kind that is not known here"
		: "the proxy wants a login: proxy: socks5://USER:PASSWORD@HOST:PORT");
}

static void ask(struct socks *s, const char *host, uint64_t port)
{
	unsigned char addr[16];

	put_byte(s, SOCKS5);
	put_byte(s, CONNECT);
	put_byte(s, 0);
	if (inet_pton(AF_INET, host, addr) == 1) {
		put_byte(s, IPV4);
		put(s, addr, 4);
	} else if (inet_pton(AF_INET6, host, addr) == 1) {
		put_byte(s, IPV6);
		put(s, addr, 16);
	} else {
		put_byte(s, DOMAIN);
		put_field(s, host);
	}
	put_byte(s, (unsigned int)(port >> 8 & 0xff));
	put_byte(s, (unsigned int)(port & 0xff));
}

static bool refused(unsigned int code, struct err *err)
{
	static const char *const words[] = { "its answer makes no sense",
		[1] = "it has failed", [2] = "its rules forbid that",
		[3] = "network unreachable", [4] = "host unreachable",
		[5] = "connection refused", [6] = "no answer in time",
		[7] = "it cannot connect to others",
		[8] = "it does not know this kind of address",
	};
	bool known = code < sizeof(words) / sizeof(words[0]);

	return err_set(err, known && (code == 2 || code > 6)
		? ERR_CONFIG : ERR_RETRY,
		"the proxy does not connect: %s",
		known ? words[code] : "for an unknown reason");
}

/* The address that it connects from is of no use to us. */
static bool skip_address(struct socks *s, unsigned int kind, struct err *err)
{
	unsigned char rest[LONGEST + 2], len = kind == IPV4 ? 4 : 16;

	if (kind == DOMAIN && !take(s, &len, 1, err))
		return false;
	if (kind != IPV4 && kind != IPV6 && kind != DOMAIN)
		return err_set(err, ERR_RETRY,
			"the proxy's answer makes no sense");
	return take(s, rest, len + 2u, err);
}

bool socks_connect(const struct net *net, const struct proxy *proxy,
	const char *host, uint64_t port, clock_ms deadline, struct err *err)
{
	struct socks s = { .net = net, .deadline = deadline };
	unsigned char reply[4];

	if (!greet(&s, proxy, err))
		return false;
	ask(&s, host, port);
	if (!flush(&s, err) || !take(&s, reply, sizeof(reply), err))
		return false;
	if (reply[0] != SOCKS5 || reply[1] != 0)
		return refused(reply[1], err);
	return skip_address(&s, reply[3], err);
}
