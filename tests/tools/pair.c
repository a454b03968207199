#include "tests/tools/pair.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

enum { LINGER = 1000000000 };	/* nanoseconds */

enum { DOWN, UP };		/* the client's side and way, the server's */

enum state {
	WAITING,		/* until the time of the onward connection */
	CONNECTING,
	OPEN,
	CLOSING			/* FIN is sent; input is forgotten for a while */
};

struct pair {
	const struct endpoint *target;
	enum state state;
	uint64_t when;		/* to connect, or to have closed */
	int fd[2];
	struct lane *to[2];	/* to[DOWN] carries bytes to the client */
	bool dead;
	bool heard;		/* the client, since it was last sent something */
	uint64_t bursts;
};

static void
close_fd(struct pair *p, int side, bool reset)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	if (p->fd[side] < 0)
		return;
	if (reset)
		setsockopt(p->fd[side], SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(p->fd[side]);
	p->fd[side] = -1;
}

static void
end_pair(struct pair *p, bool reset)
{
	close_fd(p, DOWN, reset);
	close_fd(p, UP, reset);
	p->dead = true;
}

void
pair_free(struct pair *p)
{
	end_pair(p, false);
	lane_free(p->to[DOWN]);
	lane_free(p->to[UP]);
	free(p);
}

/* A close with unread input would send RST: send FIN, read on for a while. */
static void
begin_closing(struct pair *p, uint64_t now)
{
	p->state = CLOSING;
	p->when = now + LINGER;
	shutdown(p->fd[DOWN], SHUT_WR);
	if (p->fd[UP] >= 0)
		shutdown(p->fd[UP], SHUT_WR);
}

static void
connect_pair(struct pair *p)
{
	int one = 1, fd;

	fd = socket(p->target->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	p->fd[UP] = fd;
	p->state = CONNECTING;
	if (fd >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		if (connect(fd, (const struct sockaddr *)&p->target->addr, p->target->len) == 0)
			p->state = OPEN;
		else if (errno != EINPROGRESS)
			end_pair(p, true);
	} else {
		end_pair(p, true);
	}
}

static void
finish_connect(struct pair *p)
{
	int e = 0;
	socklen_t len = sizeof e;

	getsockopt(p->fd[UP], SOL_SOCKET, SO_ERROR, &e, &len);
	if (e != 0)
		end_pair(p, true);
	else
		p->state = OPEN;
}

static void
handle(struct pair *p, int way, enum lane_event event, uint64_t now)
{
	switch (event) {
	case LANE_GOES_ON:
		break;
	case LANE_ENDS:
		shutdown(p->fd[way], SHUT_WR);
		break;
	case LANE_CUTS:
		begin_closing(p, now);
		break;
	case LANE_RESETS:
		end_pair(p, true);
		break;
	case LANE_BREAKS:
		lane_break(p->to[!way], now);
		break;
	}
}

static bool
drain(int fd)
{
	char sink[4096];
	ssize_t n = recv(fd, sink, sizeof sink, 0);

	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Read from SIDE what is there. */
static void
take(struct pair *p, int side, uint64_t now)
{
	uint64_t before = lane_read_bytes(p->to[!side]);

	if (p->state != CLOSING)
		lane_read(p->to[!side], p->fd[side], now);
	else if (!drain(p->fd[side]))
		close_fd(p, side, false);
	if (side == DOWN && lane_read_bytes(p->to[UP]) != before && !p->heard) {
		p->heard = true;
		p->bursts++;
	}
}

static void
give(struct pair *p, int way, uint64_t now)
{
	uint64_t before = lane_written_bytes(p->to[way]);
	enum lane_event event = lane_write(p->to[way], p->fd[way], now);

	if (way == DOWN && lane_written_bytes(p->to[way]) != before)
		p->heard = false;
	handle(p, way, event, now);
}

void
pair_step(struct pair *p, const struct pollfd *r, uint64_t now)
{
	if (p->state == WAITING && p->when <= now)
		connect_pair(p);
	else if (p->state == CONNECTING && r[UP].revents)
		finish_connect(p);
	for (int side = DOWN; side <= UP && !p->dead; side++) {
		if (r[side].revents && p->fd[side] >= 0 && (r[side].events & POLLIN))
			take(p, side, now);
	}
	for (int way = DOWN; way <= UP && !p->dead && p->state == OPEN; way++) {
		if (!lane_is_blocked(p->to[way]) || r[way].revents)
			give(p, way, now);
	}
	if (p->state == CLOSING && (p->when <= now || (p->fd[DOWN] < 0 && p->fd[UP] < 0)))
		end_pair(p, false);
	if (!p->dead && lane_is_over(p->to[DOWN]) && lane_is_over(p->to[UP]))
		end_pair(p, false);
}

static short
interest(const struct pair *p, int side)
{
	short events = 0;

	if (p->state == CLOSING)
		return POLLIN;
	if (p->state == CONNECTING && side == UP)
		return POLLOUT;
	if (lane_has_room(p->to[!side]))
		events |= POLLIN;
	if (lane_is_blocked(p->to[side]))
		events |= POLLOUT;
	return events;
}

static uint64_t
next_time(const struct pair *p)
{
	uint64_t down = lane_due(p->to[DOWN]), up = lane_due(p->to[UP]);

	if (p->state == WAITING || p->state == CLOSING)
		return p->when;
	if (p->state == CONNECTING)
		return UINT64_MAX;
	return down < up ? down : up;
}

uint64_t
pair_prepare(const struct pair *p, struct pollfd *r)
{
	for (int side = DOWN; side <= UP; side++) {
		r[side].events = interest(p, side);
		r[side].fd = r[side].events ? p->fd[side] : -1;
		r[side].revents = 0;
	}
	return next_time(p);
}

struct pair_report
pair_report(const struct pair *p)
{
	return (struct pair_report){ lane_read_bytes(p->to[UP]), lane_read_bytes(p->to[DOWN]),
				     p->bursts };
}

bool
pair_is_over(const struct pair *p)
{
	return p->dead;
}

struct pair *
pair_new(int fd, const struct endpoint *target, uint64_t when, const struct lane_config *down,
	 const struct lane_config *up)
{
	struct pair *p = calloc(1, sizeof *p);
	int one = 1;

	if (!p) {
		close(fd);
		return NULL;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	p->target = target;
	p->fd[DOWN] = fd;
	p->fd[UP] = -1;
	p->when = when;
	p->to[DOWN] = lane_new(down);
	p->to[UP] = lane_new(up);
	if (p->to[DOWN] && p->to[UP])
		return p;
	pair_free(p);
	return NULL;
}
