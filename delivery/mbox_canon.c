/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "delivery/mbox_canon.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/base/arena.h"

/* A line is judged by its beginning: the longest name with its colon fits, and
 * any quoting that is not there to annoy. */
#define HEAD 32

enum part { FROM_LINE, HEADER, BODY };

struct mbox_canon {
	struct digester *digester;
	enum part part;
	bool judged;			/* the rest of this line goes on... */
	bool dropped;			/* ...nowhere; as do its continuations */
	size_t head_len;
	uint64_t ends;			/* line ends held back */
	uint64_t len, limit;		/* digested; at most */
	char head[HEAD];
};

struct mbox_canon *mbox_canon_new(void)
{
	struct mbox_canon *c = mem_grow(NULL, 1, sizeof(*c));

	memset(c, 0, sizeof(*c));
	c->digester = digest_new();
	c->limit = UINT64_MAX;
	return c;
}

void mbox_canon_free(struct mbox_canon *c)
{
	if (c == NULL)
		return;
	digest_free(c->digester);
	free(c);
}

static void count_in(struct mbox_canon *c, const char *data, size_t len)
{
	if (len > c->limit - c->len)
		len = (size_t)(c->limit - c->len);
	digest_add(c->digester, data, len);
	c->len += len;
}

/* Whatever line ends come last are not digested. */
static void emit(struct mbox_canon *c, const char *data, size_t len)
{
	size_t end = len;

	while (end != 0 && data[end - 1] == '\n')
		end--;
	if (end != 0) {
		for (; c->ends != 0; c->ends--)
			count_in(c, "\n", 1);
		count_in(c, data, end);
	}
	c->ends += len - end;
}

static bool readers_own(const char *head, size_t len)
{
	static const char *const names[] = { "Status", "X-Status", "X-UID",
		"X-Keywords", "X-IMAP", "X-IMAPbase", "Content-Length",
		"Lines" };
	size_t i, n;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		n = strlen(names[i]);
		if (len > n && head[n] == ':'
		    && strncasecmp(head, names[i], n) == 0)
			return true;
	}
	return false;
}

/* How many '>' stand before "From " at the beginning of a line. */
static size_t quoting(const char *head, size_t len)
{
	size_t depth = 0;

	while (depth < len && head[depth] == '>')
		depth++;
	return len - depth >= 5 && memcmp(head + depth, "From ", 5) == 0
		? depth : 0;
}

/* The beginning of the line is here, or all of it. */
static void judge(struct mbox_canon *c)
{
	const char *head = c->head;
	size_t len = c->head_len, skip = 0;

	c->judged = true;
	if (c->part == HEADER) {
		if (head[0] == '\n')
			c->part = BODY;
		if (head[0] != ' ' && head[0] != '\t')
			c->dropped = readers_own(head, len);
	}
	if (c->part == BODY)
		c->dropped = false;
	if (c->part != FROM_LINE)
		skip = quoting(head, len);
	if (!c->dropped)
		emit(c, head + skip, len - skip);
}

static void end_line(struct mbox_canon *c)
{
	c->judged = false;
	c->head_len = 0;
	if (c->part == FROM_LINE)
		c->part = HEADER;
}

/* Takes what it can of a line's beginning; returns how much. */
static size_t take_head(struct mbox_canon *c, const char *data, size_t len)
{
	size_t n = HEAD - c->head_len;

	if (n > len)
		n = len;
	memcpy(c->head + c->head_len, data, n);
	c->head_len += n;
	return n;
}

void mbox_canon_add(struct mbox_canon *c, const char *data, size_t len)
{
	const char *lf;
	size_t line, n;

	while (len != 0) {
		lf = memchr(data, '\n', len);
		line = lf == NULL ? len : (size_t)(lf - data) + 1;
		if (!c->judged) {
			n = take_head(c, data, line);
			if (c->head_len == HEAD || (lf != NULL && n == line))
				judge(c);
		} else {
			n = line;
			if (!c->dropped)
				emit(c, data, n);
		}
		if (lf != NULL && n == line)
			end_line(c);
		data += n;
		len -= n;
	}
}

void mbox_canon_limit(struct mbox_canon *c, uint64_t len)
{
	c->limit = len;
}

struct digest mbox_canon_take(struct mbox_canon *c, uint64_t *len_r,
	uint64_t *ends_r)
{
	struct digester *digester = c->digester;
	struct digest digest;

	if (!c->judged && c->head_len != 0)
		judge(c);
	*len_r = c->len;
	*ends_r = c->ends;
	digest = digest_take(digester);
	memset(c, 0, sizeof(*c));
	c->digester = digester;
	c->limit = UINT64_MAX;
	return digest;
}
