/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "delivery/headers.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/base/arena.h"
#include "agent/base/limits.h"

static const char *const stable[] = {
	"received", "message-id", "date", "from", "to", "subject",
};
#define STABLE (sizeof(stable) / sizeof(stable[0]))
enum { RECEIVED, MESSAGE_ID, DATE };

/* Lines of the server's own, or of a mail reader that shares its mbox. */
static const char *const passing[] = {
	"status", "x-status", "x-uid", "x-uidl", "x-imap", "x-imapbase",
	"x-keywords", "content-length",
};
#define PASSING (sizeof(passing) / sizeof(passing[0]))
/* Longer than any of them, and a colon. */
#define NAME_ROOM 16

/* Short pieces wait for one another: digested one by one they take twice as
 * long. Whole blocks of SHA-256. */
struct gather {
	struct digester *digester;
	size_t len;
	char bytes[1024];
};

/* What is known of a line of the header by what has come of it. */
enum fate { OPEN, COUNTS, PASSES };

struct headers {
	struct sink sink;
	struct sink *next;
	struct identity identity;
	bool in_header, line_start;
	bool fresh;			/* the next byte begins a line */
	enum fate fate;			/* of the line that comes */
	char name[NAME_ROOM];		/* its beginning, while it is OPEN */
	size_t name_len;
	bool seen[STABLE];
	size_t total;
	size_t len;
	struct gather content, header;
	char line[LIMIT_HEADER_LINE];	/* one unfolded header line */
};

static void gather_flush(struct gather *g)
{
	digest_add(g->digester, g->bytes, g->len);
	g->len = 0;
}

static void gather_add(struct gather *g, const char *data, size_t len)
{
	size_t n;

	for (; len != 0; data += n, len -= n) {
		n = sizeof(g->bytes) - g->len;
		if (n > len)
			n = len;
		memcpy(g->bytes + g->len, data, n);
		g->len += n;
		if (g->len == sizeof(g->bytes))
			gather_flush(g);
	}
}

static struct digest gather_take(struct gather *g)
{
	gather_flush(g);
	return digest_take(g->digester);
}

/* What a message that broke off has left goes. */
static void gather_reset(struct gather *g)
{
	g->len = 0;
	(void)digest_take(g->digester);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Squeezes white space in place, trims both ends; returns the new length. */
static size_t squeeze(char *s, size_t len)
{
	size_t i, n = 0;

	for (i = 0; i < len; i++) {
		if (!is_blank(s[i]))
			s[n++] = s[i];
		else if (n != 0 && s[n - 1] != ' ')
			s[n++] = ' ';
	}
	while (n != 0 && s[n - 1] == ' ')
		n--;
	return n;
}

static void take_line(struct headers *h)
{
	char *colon = memchr(h->line, ':', h->len);
	size_t i, name, value;

	if (colon == NULL)
		return;
	name = squeeze(h->line, (size_t)(colon - h->line));
	for (i = 0; i < STABLE; i++)
		if (strlen(stable[i]) == name
		    && strncasecmp(h->line, stable[i], name) == 0)
			break;
	if (i == STABLE || h->seen[i])
		return;
	h->seen[i] = true;
	value = squeeze(colon + 1, h->len - (size_t)(colon + 1 - h->line));
	gather_add(&h->header, stable[i], name + 1);	/* with its NUL */
	gather_add(&h->header, colon + 1, value);
	gather_add(&h->header, "\n", 1);
}

static bool passes(const char *name, size_t len)
{
	const char *colon = memchr(name, ':', len);
	size_t i, n;

	if (colon == NULL)
		return false;
	n = (size_t)(colon - name);
	while (n != 0 && is_blank(name[n - 1]))
		n--;
	for (i = 0; i < PASSING; i++)
		if (strlen(passing[i]) == n
		    && strncasecmp(passing[i], name, n) == 0)
			return true;
	return false;
}

/* The bytes of a line's name wait until it is known whether they count. */
static void decide_fate(struct headers *h)
{
	if (h->fate != OPEN)
		return;
	h->fate = passes(h->name, h->name_len) ? PASSES : COUNTS;
	if (h->fate == COUNTS)
		gather_add(&h->content, h->name, h->name_len);
	h->name_len = 0;
}

static void end_header(struct headers *h)
{
	take_line(h);
	decide_fate(h);
	gather_flush(&h->content);
	h->in_header = false;
	h->len = 0;
	h->identity.has_header = h->seen[RECEIVED];
	h->identity.is_weak = !h->seen[RECEIVED]
		&& (h->seen[MESSAGE_ID] || h->seen[DATE]);
}

/* A physical line begins with this byte: the logical line before it ends
 * unless this one continues it. */
static void begin_line(struct headers *h, char first)
{
	h->line_start = false;
	if (first == ' ' || first == '\t')
		return;
	take_line(h);
	h->len = 0;
}

/* CR is a part of CRLF, or blank: left out. */
static void add(struct headers *h, const char *data, size_t len)
{
	size_t room;

	if (len == 0)
		return;
	if (h->line_start)
		begin_line(h, data[0]);
	room = sizeof(h->line) - h->len;
	if (len > room)
		len = room;
	memcpy(h->line + h->len, data, len);
	h->len += len;
}

/* A piece of one physical line of the header, with its LF if it has come. */
static void digest_line(struct headers *h, const char *data, size_t len)
{
	if (len == 0)
		return;
	/* A continued line shares the fate of its first. */
	if (h->fresh && data[0] != ' ' && data[0] != '\t') {
		h->fate = OPEN;
		h->name_len = 0;
	}
	h->fresh = data[len - 1] == '\n';
	while (len != 0 && h->fate == OPEN) {
		h->name[h->name_len++] = *data;
		if (*data == ':' || *data == '\n' || h->name_len == NAME_ROOM)
			decide_fate(h);
		data++;
		len--;
	}
	if (len != 0 && h->fate == COUNTS)
		gather_add(&h->content, data, len);
}

/* What comes before an LF. */
static void add_line(struct headers *h, const char *data, size_t len)
{
	const char *cr;

	while ((cr = memchr(data, '\r', len)) != NULL) {
		add(h, data, (size_t)(cr - data));
		len -= (size_t)(cr - data) + 1;
		data = cr + 1;
	}
	add(h, data, len);
}

/* Returns how much of it was header. */
static size_t scan_lines(struct headers *h, const char *data, size_t len)
{
	const char *lf, *start = data;

	while (h->in_header
	       && (lf = memchr(data, '\n', len)) != NULL) {
		digest_line(h, data, (size_t)(lf - data) + 1);
		add_line(h, data, (size_t)(lf - data));
		if (h->line_start)
			end_header(h);
		h->line_start = true;
		len -= (size_t)(lf - data) + 1;
		data = lf + 1;
	}
	if (!h->in_header)
		return (size_t)(data - start);
	digest_line(h, data, len);
	add_line(h, data, len);
	return (size_t)(data - start) + len;
}

static size_t scan(struct headers *h, const char *data, size_t len)
{
	size_t room = LIMIT_HEADER - h->total, used;

	h->total += len < room ? len : room;
	used = scan_lines(h, data, len < room ? len : room);
	if (h->in_header && len > room)
		end_header(h);
	return used;
}

static bool headers_push(struct sink *sink, const char *data, size_t len,
	struct err *err)
{
	struct headers *h = (struct headers *)(void *)sink;
	size_t used = h->in_header ? scan(h, data, len) : 0;

	if (used < len)
		digest_add(h->content.digester, data + used, len - used);
	return h->next == NULL || h->next->push(h->next, data, len, err);
}

static bool headers_finish(struct sink *sink, struct err *err)
{
	struct headers *h = (struct headers *)(void *)sink;

	if (h->in_header)
		end_header(h);
	h->identity.content = gather_take(&h->content);
	h->identity.header = gather_take(&h->header);
	return h->next == NULL || h->next->finish(h->next, err);
}

struct headers *headers_new(void)
{
	struct headers *h = mem_head(sizeof(*h),
		offsetof(struct headers, content));

	h->sink = (struct sink){ headers_push, headers_finish };
	h->content.digester = digest_new();
	h->header.digester = digest_new();
	return h;
}

void headers_free(struct headers *h)
{
	if (h == NULL)
		return;
	digest_free(h->content.digester);
	digest_free(h->header.digester);
	free(h);
}

struct sink *headers_start(struct headers *h, struct sink *next)
{
	gather_reset(&h->content);
	gather_reset(&h->header);
	memset(&h->identity, 0, sizeof(h->identity));
	memset(h->seen, 0, sizeof(h->seen));
	h->next = next;
	h->in_header = h->line_start = h->fresh = true;
	h->total = h->len = h->name_len = 0;
	h->fate = OPEN;
	return &h->sink;
}

const struct identity *headers_identity(const struct headers *h)
{
	return &h->identity;
}

bool identity_identical(const struct identity *a, const struct identity *b)
{
	return identity_same_header(a, b)
		&& digest_equal(&a->content, &b->content);
}

struct identity identity_none(void)
{
	struct identity none = { .has_header = false };

	memset(none.content.text, '-', DIGEST_LEN);
	return none;
}

bool identity_same_header(const struct identity *a, const struct identity *b)
{
	return a->has_header && b->has_header
		&& digest_equal(&a->header, &b->header);
}

bool identity_like(const struct identity *a, const struct identity *b)
{
	return a->has_header == b->has_header && a->is_weak == b->is_weak
		&& (a->has_header || a->is_weak)
		&& digest_equal(&a->header, &b->header);
}

bool identity_equal(const struct identity *a, const struct identity *b)
{
	return identity_like(a, b) && digest_equal(&a->content, &b->content);
}

bool identity_same(const struct identity *a, const struct identity *b)
{
	const struct identity none = identity_none();

	return (digest_equal(&a->content, &b->content)
			&& !digest_equal(&a->content, &none.content))
		|| identity_same_header(a, b);
}
