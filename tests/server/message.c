#include "tests/server/message.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 65536 };

struct encoder {
	message_sink *sink;
	void *arg;
	bool raw;
	bool stuff;
	bool start;		/* of a line */
	bool cr;		/* the last byte was one */
	bool body;
	bool blank;		/* this line has no bytes yet */
	int64_t lines;		/* of the body, still to go; below 0: all */
	bool done;
};

static bool
put(struct encoder *e, const char *data, size_t n)
{
	return n == 0 || e->sink(e->arg, data, n);
}

/* A line has ended: is this as far as TOP goes? */
static void
end_line(struct encoder *e)
{
	e->start = true;
	if (e->body && e->lines > 0)
		e->lines--;
	if (e->blank)
		e->body = true;
	e->blank = true;
	e->done = e->body && e->lines == 0;
}

/* More than a CR that belongs, or may belong, to the end of the line. */
static bool
has_text(const struct encoder *e, const char *data, size_t n)
{
	return n > 1 || (n == 1 && (data[0] != '\r' || e->cr));
}

/* N bytes of one line, with its LF as the last if LF. */
static bool
piece(struct encoder *e, const char *data, size_t n, bool lf)
{
	size_t text = lf ? n - 1 : n;
	bool cr = text > 0 ? data[text - 1] == '\r' : e->cr;
	bool ends = lf && (cr || !e->raw);

	if (e->start && e->stuff && data[0] == '.' && !put(e, ".", 1))
		return false;
	if (has_text(e, data, text) || (lf && !ends))
		e->blank = false;
	e->start = false;
	e->cr = !lf && cr;
	if (ends && !cr) {
		if (!put(e, data, text) || !put(e, "\r\n", 2))
			return false;
	} else if (!put(e, data, n)) {
		return false;
	}
	if (ends)
		end_line(e);
	return true;
}

static bool
feed(struct encoder *e, const char *data, size_t n)
{
	while (n > 0 && !e->done) {
		const char *lf = memchr(data, '\n', n);
		size_t m = lf ? (size_t)(lf + 1 - data) : n;

		if (!piece(e, data, m, lf != NULL))
			return false;
		data += m;
		n -= m;
	}
	return true;
}

static bool
run(struct encoder *e, int fd)
{
	char buf[CHUNK];
	off_t at = 0;

	while (!e->done) {
		ssize_t n = pread(fd, buf, sizeof buf, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		if (n == 0)
			return e->start || put(e, "\r\n", 2);
		if (!feed(e, buf, (size_t)n))
			return false;
		at += n;
	}
	return true;
}

bool
message_send(int fd, bool raw, int64_t body_lines, message_sink *sink, void *arg)
{
	struct encoder e = {
		.sink = sink, .arg = arg, .raw = raw, .stuff = true, .start = true,
		.blank = true, .lines = body_lines < 0 ? -1 : body_lines,
	};

	return run(&e, fd);
}

static bool
count(void *arg, const char *data, size_t n)
{
	uint64_t *size = arg;

	(void)data;
	*size += n;
	return true;
}

bool
message_size(int fd, bool raw, uint64_t *size_r)
{
	struct encoder e = {
		.sink = count, .arg = size_r, .raw = raw, .start = true, .blank = true,
		.lines = -1,
	};

	*size_r = 0;
	return run(&e, fd);
}
