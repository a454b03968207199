#include "tests/tools/endpoint.h"
#include "tests/tools/putfile.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BACKLOG = 1024, NAME_SIZE = 256 };

/* Cut TEXT at its last colon and take the brackets off an IPv6 number. */
static bool
split(const char *text, char *host, size_t size, const char **port_r)
{
	const char *colon = strrchr(text, ':');
	size_t n;

	if (!colon || colon == text || colon[1] == '\0')
		return false;
	*port_r = colon + 1;
	n = (size_t)(colon - text);
	if (text[0] == '[' && colon[-1] == ']') {
		text++;
		n -= 2;
	}
	if (n == 0 || n >= size)
		return false;
	memcpy(host, text, n);
	host[n] = '\0';
	return true;
}

bool
endpoint_parse(const char *text, struct endpoint *ep_r)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	char host[NAME_SIZE];
	const char *port;
	int e;

	if (!split(text, host, sizeof host, &port)) {
		fprintf(stderr, "%s: not of the form ADDR:PORT\n", text);
		return false;
	}
	e = getaddrinfo(host, port, &hints, &list);
	if (e != 0) {
		fprintf(stderr, "%s: %s\n", text, gai_strerror(e));
		return false;
	}
	memcpy(&ep_r->addr, list->ai_addr, list->ai_addrlen);
	ep_r->len = list->ai_addrlen;
	freeaddrinfo(list);
	return true;
}

int
endpoint_listen(const char *text)
{
	struct endpoint ep;
	int fd, one = 1;

	if (!endpoint_parse(text, &ep))
		return -1;
	fd = socket(ep.addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
	    bind(fd, (const struct sockaddr *)&ep.addr, ep.len) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	fprintf(stderr, "%s: %s\n", text, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

void
endpoint_format(const struct sockaddr *sa, socklen_t len, char *buf, size_t size)
{
	char host[NAME_SIZE], port[32];

	if (getnameinfo(sa, len, host, sizeof host, port, sizeof port,
			NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		snprintf(buf, size, "? 0");
	else
		snprintf(buf, size, "%s %s", host, port);
}

static bool
write_ports(const char *path, const char *text)
{
	if (!path || putfile_replace(path, text, strlen(text), 0644))
		return true;
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	return false;
}

bool
endpoint_announce(const int *fds, size_t n, const char *path)
{
	char where[NAME_SIZE + 32], ports[1024] = "";
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		struct sockaddr_storage sa;
		socklen_t len = sizeof sa;

		if (getsockname(fds[i], (struct sockaddr *)&sa, &len) != 0)
			return false;
		endpoint_format((const struct sockaddr *)&sa, len, where, sizeof where);
		printf("listening %s\n", where);
		if (used < sizeof ports)
			used += (size_t)snprintf(ports + used, sizeof ports - used, "%s\n",
						 strrchr(where, ' ') + 1);
	}
	if (!write_ports(path, ports))
		return false;
	return fflush(stdout) == 0;
}
