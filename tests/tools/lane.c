#include "tests/tools/lane.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { READ_SIZE = 65536, READ_LEAST = 512, SECOND = 1000000000, SLICES = 100 };

struct chunk {
	struct chunk *next;
	uint64_t due;
	enum lane_event event;	/* LANE_GOES_ON: bytes */
	size_t len, at;
	unsigned char data[];
};

struct lane {
	struct lane_config config;
	struct chunk *head, **tail;
	uint64_t waiting;	/* bytes of memory in the queue */
	uint64_t count;		/* bytes read */
	uint64_t sent;		/* bytes written */
	uint64_t free_at;	/* when the line can take the next byte */
	uint64_t random;
	bool blocked;
	bool deaf;		/* what is read from now on is forgotten */
	bool closed;		/* nothing more can be read */
};

struct lane *
lane_new(const struct lane_config *config)
{
	struct lane *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	l->config = *config;
	l->tail = &l->head;
	l->random = (config->seed + 1) * UINT64_C(0x9e3779b97f4a7c15) | 1;
	return l;
}

static void
drop_head(struct lane *l)
{
	struct chunk *c = l->head;

	l->waiting -= sizeof *c + c->len;
	l->head = c->next;
	if (!l->head)
		l->tail = &l->head;
	free(c);
}

void
lane_free(struct lane *l)
{
	if (!l)
		return;
	while (l->head)
		drop_head(l);
	free(l);
}

bool
lane_has_room(const struct lane *l)
{
	return !l->closed && (l->deaf || l->waiting < l->config.room);
}

bool
lane_is_blocked(const struct lane *l)
{
	return l->blocked;
}

bool
lane_is_over(const struct lane *l)
{
	return l->closed && !l->head;
}

uint64_t
lane_read_bytes(const struct lane *l)
{
	return l->count;
}

uint64_t
lane_written_bytes(const struct lane *l)
{
	return l->sent;
}

uint64_t
lane_due(const struct lane *l)
{
	return l->head && !l->blocked ? l->head->due : UINT64_MAX;
}

static void
enqueue(struct lane *l, struct chunk *c, uint64_t now)
{
	if (l->free_at < now)
		l->free_at = now;
	if (l->config.rate)
		l->free_at += c->len * SECOND / l->config.rate;
	c->due = l->free_at + l->config.delay;
	c->next = NULL;
	c->at = 0;
	l->waiting += sizeof *c + c->len;
	*l->tail = c;
	l->tail = &c->next;
}

/* An event behind the bytes; without memory for it, the bytes go too. */
static void
enqueue_event(struct lane *l, enum lane_event event, uint64_t now)
{
	struct chunk *c = malloc(sizeof *c);

	if (!c && l->head) {
		while (l->head->next)
			drop_head(l);
		l->head->event = LANE_RESETS;
	}
	if (!c)
		return;
	c->event = event;
	c->len = 0;
	enqueue(l, c, now);
}

void
lane_break(struct lane *l, uint64_t now)
{
	if (!l->closed && !l->deaf)
		enqueue_event(l, LANE_RESETS, now);
	l->closed = true;
}

static unsigned char
random_byte(struct lane *l)
{
	l->random ^= l->random << 13;
	l->random ^= l->random >> 7;
	l->random ^= l->random << 17;
	return (unsigned char)(l->random >> 32);
}

/* Spoil the bytes of C from AT on. */
static void
spoil(struct lane *l, struct chunk *c, size_t at)
{
	if (l->config.fault == LANE_FLIP_AFTER) {
		c->data[at] ^= (unsigned char)(1u << (l->config.seed & 7));
		l->config.fault = LANE_NO_FAULT;
		return;
	}
	for (; at < c->len; at++)
		c->data[at] = random_byte(l);
}

/* Let the fault have its way with C; the event that follows C. */
static enum lane_event
meddle(struct lane *l, struct chunk *c)
{
	uint64_t before = l->count, after = l->config.after;

	l->count += c->len;
	switch (l->config.fault) {
	case LANE_NO_FAULT:
		return LANE_GOES_ON;
	case LANE_GARBAGE_AFTER:
	case LANE_FLIP_AFTER:
		if (l->count > after)
			spoil(l, c, after > before ? (size_t)(after - before) : 0);
		return LANE_GOES_ON;
	default:
		break;
	}
	if (l->count < after)
		return LANE_GOES_ON;
	c->len = (size_t)(after - before);
	l->deaf = true;
	return l->config.fault == LANE_CUT_AFTER ? LANE_CUTS
	     : l->config.fault == LANE_RESET_AFTER ? LANE_RESETS : LANE_GOES_ON;
}

/* With a rate, small pieces keep the flow even. */
static size_t
read_size(const struct lane *l)
{
	uint64_t n = l->config.rate / SLICES;

	if (l->config.rate == 0 || n > READ_SIZE)
		return READ_SIZE;
	return n < READ_LEAST ? READ_LEAST : (size_t)n;
}

static void
accept_bytes(struct lane *l, struct chunk *c, size_t n, uint64_t now)
{
	struct chunk *less = n < READ_SIZE / 2 ? realloc(c, sizeof *c + n) : NULL;
	enum lane_event event;

	if (less)
		c = less;
	c->event = LANE_GOES_ON;
	c->len = n;
	event = meddle(l, c);
	enqueue(l, c, now);
	if (event != LANE_GOES_ON)
		enqueue_event(l, event, now);
}

void
lane_read(struct lane *l, int fd, uint64_t now)
{
	struct chunk *c = malloc(sizeof *c + READ_SIZE);
	ssize_t n;

	if (!c) {
		lane_break(l, now);
		return;
	}
	n = recv(fd, c->data, read_size(l), 0);
	if (n > 0 && !l->deaf) {
		accept_bytes(l, c, (size_t)n, now);
		return;
	}
	if (n == 0) {
		if (!l->deaf)
			enqueue_event(l, LANE_ENDS, now);
		l->closed = true;
	} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
		lane_break(l, now);
	}
	free(c);
}

/* True when all of C went out. */
static bool
send_chunk(struct lane *l, struct chunk *c, int fd, bool *broken_r)
{
	ssize_t n = 0;

	if (c->at < c->len)
		n = send(fd, c->data + c->at, c->len - c->at, MSG_NOSIGNAL);
	if (n < 0 && errno == EINTR)
		return false;
	*broken_r = n < 0 && errno != EAGAIN;
	if (n > 0) {
		c->at += (size_t)n;
		l->sent += (size_t)n;
	}
	l->blocked = c->at < c->len;
	return !l->blocked;
}

enum lane_event
lane_write(struct lane *l, int fd, uint64_t now)
{
	l->blocked = false;
	while (l->head && l->head->due <= now) {
		enum lane_event event = l->head->event;
		bool broken = false;

		if (event == LANE_GOES_ON && !send_chunk(l, l->head, fd, &broken)) {
			if (!broken)
				return LANE_GOES_ON;
			event = LANE_BREAKS;
			l->blocked = false;
			l->deaf = true;
		}
		drop_head(l);
		if (event != LANE_GOES_ON)
			return event;
	}
	return LANE_GOES_ON;
}
