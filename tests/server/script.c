#include "tests/server/script.h"
#include "tests/server/random.h"
#include "tests/tools/putfile.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEEDS = 16 };

enum kind { FLAG, TEXT, FILE_TEXT, NUMBER, NUMBERS, NAME };

struct action {
	const char *name;
	enum kind kind;
	size_t offset;		/* in struct fault */
};

struct deed {
	const struct action *action;
	struct number number;
	struct text text;
};

enum base { EACH, SESSION, LIFE, CHANCE };

struct rule {
	char *source;
	enum event event;
	enum base base;
	uint64_t nth;
	bool onwards;
	bool early_sent;
	uint64_t count;		/* of matching events in this session */
	struct text user;
	struct deed deeds[DEEDS];
	size_t n;
};

struct script {
	struct rule *rules;
	size_t n;
	struct random random;
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

const char *
script_help(void)
{
	return "Fault rules: on EVENT [WHEN] ACTION...\n"
	"  EVENT  GREETING TLS SASL ANY USER PASS AUTH CAPA STLS STAT LIST UIDL RETR TOP\n"
	"         DELE NOOP RSET LAST QUIT\n"
	"  WHEN   N   the Nth of the session     N+      that one and all later ones\n"
	"         *   each (default)             #N #N+  the same over the server's life\n"
	"         %P  with a chance of P in 100\n"
	"  for NAME        only in sessions of that user, once logged in\n"
	"  do              carry the command out although its answer is replaced\n"
	" instead of the command, which is not carried out:\n"
	"  close           FIN, without an answer or TLS close_notify\n"
	"  reset           RST, without an answer\n"
	"  stall           no more answers; the connection stays open\n"
	"  ignore          answer +OK (and an empty list or body), do nothing\n"
	"  err \"TEXT\"      answer -ERR TEXT\n"
	"  reply \"TEXT\"    answer exactly TEXT, with \\r \\n \\t \\\" \\\\ \\0 \\xNN\n"
	"  reply-file F    answer the bytes of the file F\n"
	"  early \"TEXT\"    answer before the command comes; WHEN must be N\n"
	"  garbage N SEED  answer N random bytes\n"
	"  endless         answer +OK and lines without end\n"
	"  endless-line    answer one line without end\n"
	" around an answer:\n"
	"  prepend \"TEXT\"  TEXT before it\n"
	"  append \"TEXT\"   TEXT after it, in the same segment\n"
	"  twice           the whole answer two times (up to 4 MiB)\n"
	"  delay MS        wait before the command is carried out\n"
	"  drop-input      forget the commands that came along with this one\n"
	"  cut N           carry it out; close after N bytes of the answer and its body,\n"
	"                  or N bytes before their end if N is negative\n"
	"  stall-at N      the same, but stay open and silent\n"
	"  drip N          send N bytes a second\n"
	"  drip-ms MS      send one byte each MS\n"
	"  split N         send N bytes a segment and TLS record\n"
	" after it, in this order:\n"
	"  notify          TLS close_notify (also after cut)\n"
	"  raw \"TEXT\"      TEXT outside TLS (also after cut)\n"
	"  key-update N    so many TLS 1.3 key updates\n"
	"  then-close      FIN\n"
	"  then-reset      RST; `cut N then-reset' ends the cut with RST\n"
	"  do-then-close   carry it out, do not answer, FIN\n"
	"  do-then-reset   carry it out, do not answer, RST\n"
	"  do-then-stall   carry it out, do not answer, stay open\n"
	" In a TLS event the counts are bytes of the server's handshake; prepend is plain\n"
	" text before it; ignore, reply and garbage take its place, in clear from then on.\n"
	"  on RETR 3 cut 1000                   the third body breaks off\n"
	"  on QUIT do-then-close                deleted, but the client cannot know\n"
	"  on STLS 1 append \"+OK injected\\r\\n\"  answer smuggled in before TLS\n"
	"  on UIDL #1 delay 500 stall-at -3     first session only: no final dot\n";
}

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

	if (r->n == DEEDS)
		return fail(p, "too many actions");
	d->action = find_action(w, n);
	if (!d->action)
		return fail(p, "unknown action");
	r->n++;
	if (d->action->offset == AT(early) && d->action->kind == TEXT &&
	    (r->base != SESSION || r->onwards))
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

static void
free_rule(struct rule *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->deeds[i].text.data);
	free(r->user.data);
	free(r->source);
}

static bool
add_rule(struct script *s, const char *text, size_t n)
{
	struct rule *more = realloc(s->rules, (s->n + 1) * sizeof *more);
	struct rule *r = more ? &more[s->n] : NULL;
	struct parse p = { NULL, NULL };

	if (!more)
		return false;
	s->rules = more;
	*r = (struct rule){ .source = strndup(text, n) };
	s->n++;
	p.at = r->source;
	if (p.at && parse_rule(&p, r))
		return true;
	fprintf(stderr, "popd: rule `%s': %s\n", r->source, p.wrong);
	return false;
}

static bool
add_lines(struct script *s, const char *text)
{
	bool ok = true;

	while (ok && *text) {
		size_t n = strcspn(text, "\n");
		size_t blank = strspn(text, " \t\r");

		if (blank < n && text[blank] != '#')
			ok = add_rule(s, text, n);
		text += n + (text[n] == '\n');
	}
	return ok;
}

static bool
add_file(struct script *s, const char *path)
{
	size_t len;
	char *text = path ? putfile_read(path, &len) : NULL;
	bool ok;

	if (!path)
		return true;
	if (!text) {
		fprintf(stderr, "popd: %s: %s\n", path, strerror(errno));
		return false;
	}
	ok = add_lines(s, text);
	free(text);
	return ok;
}

struct script *
script_load(const char *file, const char *const *rules, size_t n, uint64_t seed)
{
	struct script *s = calloc(1, sizeof *s);
	bool ok = s && add_file(s, file);

	for (size_t i = 0; ok && i < n; i++)
		ok = add_lines(s, rules[i]);
	if (!ok) {
		script_free(s);
		return NULL;
	}
	random_seed(&s->random, seed);
	return s;
}

void
script_free(struct script *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		free_rule(&s->rules[i]);
	free(s->rules);
	free(s);
}

/* ---- matching ---- */

static bool
concerns(const struct rule *r, enum event event, const char *user)
{
	bool command = event >= EV_USER;

	if (r->event != event && !(r->event == EV_ANY && command))
		return false;
	return !r->user.data || (user && strcmp(r->user.data, user) == 0);
}

static bool
is_nth(const struct rule *r, uint64_t n)
{
	return r->onwards ? n >= r->nth : n == r->nth;
}

static bool
is_time(struct script *s, const struct rule *r, uint64_t life)
{
	switch (r->base) {
	case EACH:
		return true;
	case SESSION:
		return is_nth(r, r->count);
	case LIFE:
		return is_nth(r, life);
	case CHANCE:
		return random_below(&s->random, 100) < r->nth;
	}
	return false;
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
script_match(struct script *s, enum event event, const char *user, struct tally *life,
	     struct fault *fault_r)
{
	uint64_t count = atomic_fetch_add(&life->count[event], 1) + 1, any = count;

	if (event >= EV_USER && event != EV_ANY)
		any = atomic_fetch_add(&life->count[EV_ANY], 1) + 1;
	*fault_r = (struct fault){ .rule = NULL };
	for (size_t i = 0; i < s->n; i++) {
		struct rule *r = &s->rules[i];

		if (!concerns(r, event, user))
			continue;
		r->count++;
		if (!is_time(s, r, r->event == EV_ANY ? any : count))
			continue;
		fault_r->rule = r->source;
		for (size_t k = 0; k < r->n; k++)
			apply(&r->deeds[k], fault_r);
	}
}

bool
script_early(struct script *s, const char *user, struct text *text_r)
{
	for (size_t i = 0; i < s->n; i++) {
		struct rule *r = &s->rules[i];

		if (r->early_sent || r->base != SESSION || r->count != r->nth - 1 ||
		    !concerns(r, r->event, user))
			continue;
		for (size_t k = 0; k < r->n; k++) {
			if (r->deeds[k].action->offset != AT(early) ||
			    r->deeds[k].action->kind != TEXT)
				continue;
			r->early_sent = true;
			*text_r = r->deeds[k].text;
			return true;
		}
	}
	return false;
}
