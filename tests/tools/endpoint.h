/*
 * endpoint: the ADDR:PORT texts and listening sockets of the test servers.
 *
 * ADDR is a name or a number, an IPv6 number stands in brackets:
 * 127.0.0.1:0, localhost:1110, [::1]:0.  Port 0 lets the system choose; the
 * choice is printed and written to a file, so that many servers can run at
 * the same time.
 */
#ifndef TESTS_TOOLS_ENDPOINT_H
#define TESTS_TOOLS_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>

struct endpoint {
	struct sockaddr_storage addr;
	socklen_t len;
};

/*
 * Resolve TEXT to its first address.  False after a line on standard error.
 */
bool endpoint_parse(const char *text, struct endpoint *ep_r);

/*
 * A listening, non-blocking, close-on-exec socket at TEXT; -1 after a line
 * on standard error.
 */
int endpoint_listen(const char *text);

/*
 * Format an address as "ADDR PORT" into BUF.
 */
void endpoint_format(const struct sockaddr *sa, socklen_t len, char *buf, size_t size);

/*
 * Print "listening ADDR PORT" for each of the N listeners and flush, after
 * writing their ports, one a line, to PATH unless it is NULL.  False after a
 * line on standard error.
 */
bool endpoint_announce(const int *fds, size_t n, const char *path);

#endif
