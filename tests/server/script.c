#include "tests/server/script.h"
#include "tests/server/random.h"
#include "tests/server/rule.h"
#include "tests/tools/putfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct script {
	struct rule *rules;
	size_t n;
	struct random random;
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
	"  hold \"PATH\"     the same, until there is a file of that name\n"
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

static bool
add_rule(struct script *s, const char *text, size_t n)
{
	struct rule *more = realloc(s->rules, (s->n + 1) * sizeof *more);
	const char *wrong;

	if (!more)
		return false;
	s->rules = more;
	wrong = rule_parse(&more[s->n++], text, n);
	if (wrong)
		fprintf(stderr, "popd: rule `%.*s': %s\n", (int)n, text, wrong);
	return wrong == NULL;
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
		rule_free(&s->rules[i]);
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
		if (is_time(s, r, r->event == EV_ANY ? any : count))
			rule_apply(r, fault_r);
	}
}

static bool
is_due(const struct rule *r, const char *user)
{
	return !r->early_sent && r->base == SESSION && r->count == r->nth - 1 &&
	       concerns(r, r->event, user);
}

bool
script_early(struct script *s, const char *user, struct text *text_r)
{
	for (size_t i = 0; i < s->n; i++) {
		struct rule *r = &s->rules[i];
		const struct text *early = is_due(r, user) ? rule_early(r) : NULL;

		if (early) {
			r->early_sent = true;
			*text_r = *early;
			return true;
		}
	}
	return false;
}
