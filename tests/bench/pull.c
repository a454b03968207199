/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pull: what the wire can do. The barest session that gets everything: USER,
 * PASS, STAT, RETR for every message as fast as the server takes it, QUIT. What
 * comes is thrown away. Prints the seconds it took, and the bytes of the bodies.
 *
 *	pull PORT USER PASSWORD
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define RECORD 16384
#define END "\r\n.\r\n"

struct pull {
	int fd;
	gnutls_session_t tls;
	char *commands;			/* all of them, one behind another */
	size_t command_bytes, sent;
	unsigned long wanted, got;
	unsigned long long bytes;
	char tail[4];			/* the last bytes before `buf` */
	char buf[RECORD];
};

static void fail(const char *what, int rc)
{
	fprintf(stderr, "pull: %s: %s\n", what,
		rc < 0 ? gnutls_strerror(rc) : strerror(errno));
	exit(EX_UNAVAILABLE);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void dial(struct pull *p, const char *port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((unsigned short)strtoul(port, NULL, 10)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	gnutls_certificate_credentials_t cred;
	int one = 1, rc;

	p->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (p->fd < 0 || connect(p->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		fail("connect", 0);
	setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	gnutls_certificate_allocate_credentials(&cred);
	gnutls_init(&p->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK);
	gnutls_set_default_priority(p->tls);
	gnutls_credentials_set(p->tls, GNUTLS_CRD_CERTIFICATE, cred);
	gnutls_transport_set_int(p->tls, p->fd);
	do
		rc = gnutls_handshake(p->tls);
	while (rc < 0 && !gnutls_error_is_fatal(rc));
	if (rc < 0)
		fail("TLS", rc);
}

/* One line, while everything blocks. */
static void expect_ok(struct pull *p)
{
	size_t len = 0;
	ssize_t n;

	do {
		n = gnutls_record_recv(p->tls, p->buf + len, RECORD - len);
		if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED)
			continue;
		if (n <= 0)
			fail("read", (int)n);
		len += (size_t)n;
	} while (n < 0 || p->buf[len - 1] != '\n');
	p->buf[len - 1] = '\0';
	if (memcmp(p->buf, "+OK", 3) != 0)
		exit(EX_PROTOCOL);
}

static void say(struct pull *p, const char *verb, const char *word)
{
	char line[512];
	int n = snprintf(line, sizeof(line), "%s%s\r\n", verb, word);

	gnutls_record_send(p->tls, line, (size_t)n);
	expect_ok(p);
}

static void write_commands(struct pull *p)
{
	unsigned long i;

	p->commands = malloc(p->wanted * 16 + 1);
	if (p->commands == NULL)
		exit(EX_OSERR);
	for (i = 1; i <= p->wanted; i++)
		p->command_bytes += (size_t)snprintf(
			p->commands + p->command_bytes, 17, "RETR %lu\r\n", i);
}

static void send_more(struct pull *p)
{
	size_t left = p->command_bytes - p->sent;
	ssize_t n;

	n = gnutls_record_send(p->tls, p->commands + p->sent,
		left < RECORD ? left : RECORD);
	if (n > 0)
		p->sent += (size_t)n;
	else if (gnutls_error_is_fatal((int)n))
		fail("write", (int)n);
}

/* Counts the ends of messages, also across two records. */
static void count(struct pull *p, size_t len)
{
	char seam[8];
	const char *hit = p->buf, *end = p->buf + len;
	size_t head = len < 4 ? len : 4;

	memcpy(seam, p->tail, 4);
	memcpy(seam + 4, p->buf, head);
	for (size_t i = 0; i + 5 <= 4 + head; i++)
		p->got += memcmp(seam + i, END, 5) == 0;
	while ((hit = memmem(hit, (size_t)(end - hit), END, 5)) != NULL) {
		p->got++;
		hit += 5;
	}
	memcpy(p->tail, seam + head, 4);
	if (len >= 4)
		memcpy(p->tail, end - 4, 4);
	p->bytes += len;
}

static void pull_all(struct pull *p)
{
	struct pollfd poll_fd = { .fd = p->fd };
	ssize_t n;

	while (p->got < p->wanted) {
		if (p->sent < p->command_bytes)
			send_more(p);
		n = gnutls_record_recv(p->tls, p->buf, RECORD);
		if (n > 0) {
			count(p, (size_t)n);
			continue;
		}
		if (n == 0 || gnutls_error_is_fatal((int)n))
			fail("read", (int)n);
		poll_fd.events = (short)(p->sent < p->command_bytes
			? POLLIN | POLLOUT : POLLIN);
		poll(&poll_fd, 1, -1);
	}
}

int main(int argc, char **argv)
{
	static struct pull p;
	double start;

	if (argc != 4)
		return EX_USAGE;
	start = now();
	dial(&p, argv[1]);
	expect_ok(&p);
	say(&p, "USER ", argv[2]);
	say(&p, "PASS ", argv[3]);
	say(&p, "STAT", "");
	p.wanted = strtoul(p.buf + 3, NULL, 10);
	write_commands(&p);
	fcntl(p.fd, F_SETFL, O_NONBLOCK);
	pull_all(&p);
	fcntl(p.fd, F_SETFL, 0);
	say(&p, "QUIT", "");
	printf("%.6f %llu\n", now() - start, p.bytes);
	gnutls_bye(p.tls, GNUTLS_SHUT_WR);
	free(p.commands);
	return EX_OK;
}
