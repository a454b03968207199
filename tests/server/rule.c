#include "tests/server/rule.h"
#include "tests/tools/putfile.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum kind { FLAG, TEXT, FILE_TEXT, NUMBER, NUMBERS, NAME };

struct action {
	const char *name;
	enum kind kind;
	size_t offset;		/* in struct fault */
};

static const char *const events[] = {
	"GREETING", "TLS", "SASL", "USER", "PASS", "AUTH", "CAPA", "STLS", "STAT", "LIST",
	"UIDL", "RETR", "TOP", "DELE", "NOOP", "RSET", "LAST", "QUIT", "ANY"
};
static_assert(sizeof events / sizeof events[0] == EV_COUNT, "every event has a name");

#define AT(member) offsetof(struct fault, member)

static const struct action actions[] = {
	{ "for", NAME, 0 },
	{ "do", FLAG, AT(execute) },
	{ "close", FLAG, AT(close) },
	{ "reset", FLAG, AT(reset) },
	{ "stall", FLAG, AT(stall) },
	{ "ignore", FLAG, AT(ignore) },
	{ "err", TEXT, AT(err) },
	{ "reply", TEXT, AT(reply) },
	{ "reply-file", FILE_TEXT, AT(reply) },
	{ "early", TEXT, AT(early) },
	{ "garbage", NUMBERS, AT(garbage) },
	{ "endless", FLAG, AT(endless) },
	{ "endless-line", FLAG, AT(endless_line) },
	{ "prepend", TEXT, AT(prepend) },
	{ "append", TEXT, AT(append) },
	{ "twice", FLAG, AT(twice) },
	{ "delay", NUMBER, AT(delay) },
	{ "hold", TEXT, AT(hold) },
	{ "drop-input", FLAG, AT(drop_input) },
	{ "cut", NUMBER, AT(cut) },
	{ "stall-at", NUMBER, AT(stall_at) },
	{ "drip", NUMBER, AT(drip) },
	{ "drip-ms", NUMBER, AT(drip_ms) },
	{ "split", NUMBER, AT(split) },
	{ "notify", FLAG, AT(notify) },
	{ "raw", TEXT, AT(raw) },
	{ "key-update", NUMBER, AT(key_update) },
	{ "then-close", FLAG, AT(then_close) },
	{ "then-reset", FLAG, AT(then_reset) },
	{ "do-then-close", FLAG, AT(do_then_close) },
	{ "do-then-reset", FLAG, AT(do_then_reset) },
	{ "do-then-stall", FLAG, AT(do_then_stall) },
};

/* ---- words ---- */

/* What is left of a rule's text, and what is wrong with it. */
struct parse {
	const char *at;
	const char *wrong;	/* NULL: nothing yet */
};

static bool
fail(struct parse *p, const char *wrong)
{
	if (!p->wrong)
		p->wrong = wrong;
	return false;
}

static void
skip_blanks(struct parse *p)
{
	p->at += strspn(p->at, " \t\r");
}

/* The next word, not copied. */
static size_t
word(struct parse *p, const char **word_r)
{
	size_t n;

	skip_blanks(p);
	n = strcspn(p->at, " \t\r");
	*word_r = p->at;
	p->at += n;
	return n;
}

static bool
is(const char *text, size_t n, const char *name)
{
	return strlen(name) == n && strncmp(text, name, n) == 0;
}

static int
hex(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *d = c ? strchr(digits, c | 0x20) : NULL;

	return d ? (int)(d - digits) : -1;
}

/* The byte after a backslash; P stands behind the backslash. */
static bool
escape(struct parse *p, char *byte_r)
{
	static const char names[] = "rnt\"\\0", bytes[] = "\r\n\t\"\\";
	const char *name = *p->at ? strchr(names, *p->at) : NULL;

	if (name) {
		*byte_r = bytes[name - names];
		p->at++;
		return true;
	}
	if (*p->at != 'x' || hex(p->at[1]) < 0 || hex(p->at[2]) < 0)
		return fail(p, "unknown escape");
	*byte_r = (char)(hex(p->at[1]) * 16 + hex(p->at[2]));
	p->at += 3;
	return true;
}

static bool
quoted(struct parse *p, struct text *text_r)
{
	skip_blanks(p);
	if (*p->at++ != '"')
		return fail(p, "a text in quotes is missing");
	free(text_r->data);
	text_r->data = malloc(strlen(p->at) + 1);
	text_r->len = 0;
	if (!text_r->data)
		return fail(p, "no memory");
	while (*p->at != '"') {
		char byte = *p->at++;

		if (byte == '\0')
			return fail(p, "a text has no end");
		if (byte == '\\' && !escape(p, &byte))
			return false;
		text_r->data[text_r->len++] = byte;
	}
	text_r->data[text_r->len] = '\0';
	p->at++;
	return true;
}

static bool
plain(struct parse *p, struct text *text_r)
{
	const char *w;

	text_r->len = word(p, &w);
	text_r->data = strndup(w, text_r->len);
	return text_r->len > 0 || fail(p, "a name is missing");
}

static bool
file_text(struct parse *p, struct text *text_r)
{
	struct text name = { NULL, 0 };
	bool ok = plain(p, &name);

	if (ok)
		text_r->data = putfile_read(name.data, &text_r->len);
	free(name.data);
	return (ok && text_r->data) || fail(p, "the file cannot be read");
}

static bool
number(struct parse *p, int64_t *n_r)
{
	const char *w;
	size_t n = word(p, &w);
	char *end;

	errno = 0;
	*n_r = strtoll(w, &end, 10);
	return (n > 0 && end == w + n && errno == 0) || fail(p, "a number is missing");
}

/* ---- rules ---- */

static bool
parse_event(struct parse *p, struct rule *r)
{
	const char *w;
	size_t n = word(p, &w);

	if (!is(w, n, "on"))
		return fail(p, "a rule begins with `on'");
	n = word(p, &w);
	for (size_t i = 0; i < EV_COUNT; i++) {
		if (is(w, n, events[i])) {
			r->event = (enum event)i;
			return true;
		}
	}
	return fail(p, "unknown event");
}

static bool
parse_when(struct parse *p, struct rule *r)
{
	char *end;

	skip_blanks(p);
	if (*p->at == '*') {
		p->at++;
		return true;
	}
	if (*p->at != '#' && *p->at != '%' && !(*p->at >= '0' && *p->at <= '9'))
		return true;
	r->base = *p->at == '#' ? LIFE : *p->at == '%' ? CHANCE : SESSION;
	if (r->base != SESSION)
		p->at++;
	r->nth = strtoull(p->at, &end, 10);
	if (end == p->at || r->nth == 0)
		return fail(p, "a number from 1 is missing");
	r->onwards = *end == '+';
	p->at = end + r->onwards;
	return *p->at == ' ' || *p->at == '\t' || fail(p, "an action is missing");
}

static const struct action *
find_action(const char *text, size_t n)
{
	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
		if (is(text, n, actions[i].name))
			return &actions[i];
	}
	return NULL;
}

static bool
is_early(const struct action *a)
{
	return a->kind == TEXT && a->offset == AT(early);
}

static bool
parse_argument(struct parse *p, struct rule *r, struct deed *d)
{
	d->number.given = true;
	switch (d->action->kind) {
	case FLAG:
		return true;
	case TEXT:
		return quoted(p, &d->text);
	case FILE_TEXT:
		return file_text(p, &d->text);
	case NUMBER:
		return number(p, &d->number.n);
	case NUMBERS:
		return number(p, &d->number.n) && number(p, &d->number.m);
	case NAME:
		r->n--;
		free(r->user.data);
		return plain(p, &r->user);
	}
	return false;
}

static bool
parse_action(struct parse *p, struct rule *r)
{
	struct deed *d = &r->deeds[r->n];
	const char *w;
	size_t n = word(p, &w);

	if (r->n == RULE_DEEDS)
		return fail(p, "too many actions");
	d->action = find_action(w, n);
	if (!d->action)
		return fail(p, "unknown action");
	r->n++;
	if (is_early(d->action) && (r->base != SESSION || r->onwards))
		return fail(p, "`early' needs the number of one event");
	return parse_argument(p, r, d);
}

static bool
parse_rule(struct parse *p, struct rule *r)
{
	if (!parse_event(p, r) || !parse_when(p, r))
		return false;
	skip_blanks(p);
	if (*p->at == '\0')
		return fail(p, "an action is missing");
	while (*p->at) {
		if (!parse_action(p, r))
			return false;
		skip_blanks(p);
	}
	return true;
}

const char *
rule_parse(struct rule *r, const char *text, size_t n)
{
	struct parse p = { NULL, NULL };

	*r = (struct rule){ .source = strndup(text, n) };
	p.at = r->source;
	if (!p.at)
		return "no memory";
	return parse_rule(&p, r) ? NULL : p.wrong;
}

void
rule_free(struct rule *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->deeds[i].text.data);
	free(r->user.data);
	free(r->source);
}

static void
apply(const struct deed *d, struct fault *f)
{
	void *at = (char *)f + d->action->offset;

	switch (d->action->kind) {
	case FLAG:
		*(bool *)at = true;
		break;
	case TEXT:
	case FILE_TEXT:
		*(struct text *)at = d->text;
		break;
	case NUMBER:
	case NUMBERS:
		*(struct number *)at = d->number;
		break;
	case NAME:
		break;
	}
}

void
rule_apply(const struct rule *r, struct fault *f)
{
	f->rule = r->source;
	for (size_t i = 0; i < r->n; i++)
		apply(&r->deeds[i], f);
}

const struct text *
rule_early(const struct rule *r)
{
	for (size_t i = 0; i < r->n; i++) {
		if (is_early(r->deeds[i].action))
			return &r->deeds[i].text;
	}
	return NULL;
}
