/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include "agent/pass/plan.h"
#include "agent/state/ledger/priv.h"
#include "tests/unit/state/ledger/help.h"

/*
 * What is done with each message on the server: one row a listing, one word a
 * message.
 */

#define NOW 2000000000
#define MAX_MESSAGES 40

static struct err err = ERR_INIT;
static struct account account;
static struct arena *arena;
static struct plan plan;
static struct plan_past past = { .now = NOW, .judged = NOW };
static struct ledger *ledger;
static struct listing listing;
static struct listed listed[MAX_MESSAGES];

static const char *const words[] = {
	[PLAN_FETCH] = "fetch", [PLAN_CHECK] = "check", [PLAN_KEEP] = "keep",
	[PLAN_DELETE] = "delete", [PLAN_STAGED] = "staged",
	[PLAN_SKIP] = "skip", [PLAN_LATER] = "later", [PLAN_WAIT] = "wait",
};

/* A ledger is a string of entries "STATE:UID:SIZE:CONTENT:HEADER", a blank
 * between two; a header of "-" is none. States: i intent, d delivered now, o
 * delivered a week ago, x deleting, g gone, b baseline, f failed (to be tried
 * later), v void. A listing is a string of "UID:SIZE", its answers a string
 * of "CONTENT:HEADER". */
static const char *field(const char **p, char *out, size_t cap)
{
	size_t n = strcspn(*p, ": ");

	snprintf(out, cap, "%.*s", (int)n, *p);
	*p += n + ((*p)[n] == ':');
	return out;
}

static struct identity read_identity(const char **p)
{
	char content[64], header[64];

	field(p, content, sizeof(content));
	field(p, header, sizeof(header));
	return identity_of(content, strcmp(header, "-") == 0 ? NULL : header);
}

static void put_failed(const struct ledger_what *what)
{
	const struct record later = { .tries = 3, .next_try = NOW + 10,
		.text = "no" };
	struct ledger_entry *e = NULL;
	int i;

	/* From the third time on it waits. */
	for (i = 0; i < 3; i++) {
		scratch_need(ledger_failed(ledger, e, what, "no", &err),
			"cannot write");
		e = ledger_at(ledger, ledger_count(ledger) - 1);
	}
	entry_refused(e, &later);
}

static void put_entry(char state, const struct ledger_what *what)
{
	struct ledger_entry *e;
	bool ok = true;

	if (state == 'f') {
		put_failed(what);
		return;
	}
	if (state == 'b') {
		scratch_need(ledger_apply(ledger, &(struct record){
			.type = RECORD_SEEN, .id = ledger_next_id(ledger),
			.uid = what->uid, .uid_len = what->uid_len,
			.listed = what->listed, .identity = what->identity,
			.state = LEDGER_BASELINE }), "baseline");
		return;
	}
	e = put_intent(ledger, what->uid, what->uid_len, what->listed,
		&what->identity);
	e->claimed = false;
	if (state != 'i' && state != 'v')
		ok = ledger_delivered(ledger, e, &err);
	if (state == 'v')
		ok = ledger_void(ledger, e, &err);
	if (state == 'x')
		ok = ledger_deleting(ledger, e, &err);
	if (state == 'g')
		ok = ledger_gone(ledger, e, &err);
	e->time = NOW - (state == 'o' ? 7 * 86400 : 10);
	scratch_need(ok, "cannot write");
}

static void read_ledger(const char *text)
{
	struct ledger_what what;
	char state[8], uid[64], size[32];

	while (*text != '\0') {
		memset(&what, 0, sizeof(what));
		field(&text, state, sizeof(state));
		what.uid = field(&text, uid, sizeof(uid));
		what.uid_len = strlen(uid);
		what.listed = strtoull(field(&text, size, sizeof(size)), NULL,
			10);
		what.identity = read_identity(&text);
		put_entry(state[0], &what);
		text += *text == ' ';
	}
}

static void read_listing(const char *text)
{
	static char uids[MAX_MESSAGES][64];
	char size[32];
	size_t n;

	for (n = 0; *text != '\0' && n < MAX_MESSAGES; n++) {
		listed[n].number = n + 1;
		listed[n].uid = field(&text, uids[n], sizeof(uids[n]));
		listed[n].uid_len = strlen(uids[n]);
		listed[n].size = strtoull(field(&text, size, sizeof(size)),
			NULL, 10);
		text += *text == ' ';
	}
	listing = (struct listing){ listed, n, true };
}

/* The actions, a blank between two; what the plan leaves out is kept. */
static const char *actions(void)
{
	static char text[1024];
	size_t i, k = 0, n = 0, staying = 0;
	enum plan_action action;

	text[0] = '\0';
	for (i = 0; i < listing.count; i++) {
		action = PLAN_KEEP;
		if (k < plan.count && plan.messages[k].listed == &listed[i])
			action = plan.messages[k++].action;
		else
			staying++;
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s",
			i == 0 ? "" : " ", words[action]);
	}
	return k == plan.count && staying == plan.staying ? text
		: "not the listing";
}

static void setup(const char *entries, const char *messages, uint64_t last)
{
	static unsigned int n;
	char dir[32];

	snprintf(dir, sizeof(dir), "%u", n++);
	ledger = need_ledger(dir);
	arena = arena_new();
	read_ledger(entries);
	read_listing(messages);
	past.last = last;
	plan_make(&plan, &listing, ledger, &account, &past, arena);
}

static void teardown(void)
{
	ledger_close(ledger);
	arena_free(arena);
}

static bool is(const char *expected)
{
	bool ok = strcmp(actions(), expected) == 0;

	if (!ok)
		tap_note("it is: %s", actions());
	return ok;
}

/* The rule for the account: keep for ever, never, or for 3 days. */
static void keep(char kind)
{
	account.keep.kind = kind == 'k' ? KEEP_ALWAYS : kind == 'd'
		? KEEP_NEVER : KEEP_FOR;
	account.keep.seconds = 3 * 86400;
}

static const struct decision {
	const char *name;
	char keep;
	const char *entries, *messages, *expected;
} decisions[] = {
	{ "nothing there", 'k', "", "", "" },
	{ "nothing known", 'k', "", "a:5 b:6", "fetch fetch" },
	{ "known, kept", 'k', "d:a:5:c:h", "a:5 b:6", "keep fetch" },
	{ "known, not kept: asked first", 'd', "d:a:5:c:h", "a:5", "check" },
	{ "known, not old enough", '3', "d:a:5:c:h", "a:5", "keep" },
	{ "known, old enough", '3', "o:a:5:c:h", "a:5", "check" },
	{ "old, kept for ever", 'k', "o:a:5:c:h", "a:5", "keep" },
	{ "another size", 'k', "d:a:5:c:h", "a:6", "check" },
	{ "no size", 'k', "d:a:5:c:h", "a:0", "check" },
	{ "UIDs are bytes", 'k', "d:a:5:c:h d:A:5:c:h", "A:5 aa:5",
		"keep fetch" },
	{ "one UID twice, one known", 'k', "d:a:5:c:h", "a:5 a:5",
		"keep fetch" },
	{ "one UID twice, both known", 'k', "d:a:5:c:h d:a:6:c:h", "a:6 a:5",
		"keep keep" },
	{ "one UID twice, of known sizes", 'k', "d:a:5:c:h d:a:6:c:h",
		"a:6 a:7", "keep check" },
	{ "one UID three times", 'k', "d:a:5:c:h", "a:5 a:5 a:5",
		"keep fetch fetch" },
	{ "no UID, nothing known", 'k', "", ":5", "fetch" },
	{ "no UID, one delivered", 'k', "d::5:c:h", ":5 :6", "check check" },
	{ "no UID, one gone", 'k', "g::5:c:h", ":5", "fetch" },
	{ "no UID, one staged", 'k', "i::5:c:h", ":5", "check" },
	{ "gone, and there again", 'k', "g:a:5:c:h", "a:5", "check" },
	{ "gone, and there again, not kept", 'd', "g:a:5:c:h", "a:5", "check" },
	{ "DELE without QUIT", 'd', "x:a:5:c:h", "a:5", "check" },
	{ "DELE without QUIT, now kept", 'k', "x:a:5:c:h", "a:5", "check" },
	{ "staged", 'k', "i:a:5:c:h", "a:5", "staged" },
	{ "staged, not kept", 'd', "i:a:5:c:h", "a:5", "staged" },
	{ "void is as never seen", 'k', "v:a:5:c:h", "a:5", "fetch" },
	{ "a baseline is kept", 'd', "b:a:5:c:h", "a:5", "keep" },
	{ "a baseline of another size", 'd', "b:a:5:c:h", "a:6", "check" },
	{ "failed before, too early", 'k', "f:a:5:c:h", "a:5 b:5",
		"wait fetch" },
	{ "known and failed", 'k', "f:a:5:c:h d:a:5:c:h", "a:5", "keep" },
};

static void test_decision(const struct decision *d)
{
	keep(d->keep);
	setup(d->entries, d->messages, 0);
	tap_ok(is(d->expected), "%s", d->name);
	teardown();
}

/* A server that gives all messages one UID is not searched for ever: content
 * decides then. */
static void test_same_uid(void)
{
	static struct listed many[5000];
	const size_t count = sizeof(many) / sizeof(many[0]);
	const struct identity known = identity_of("c0", "h");
	struct plan_message *last;
	struct identity id;
	char content[16];
	size_t i;

	keep('k');
	setup("", "", 0);
	for (i = 0; i < count; i++) {
		snprintf(content, sizeof(content), "c%zu", i);
		id = identity_of(content, "h");
		put_delivered(ledger, "a", 1, 1000, &id)->claimed = false;
		many[i] = (struct listed){ .uid = "a", .uid_len = 1,
			.number = (uint32_t)i + 1, .size = 5 };
	}
	listing = (struct listing){ many, count, true };
	/* The first of two takes the entry that is always looked at. */
	many[count - 2].size = many[count - 1].size = 1000;
	plan_make(&plan, &listing, ledger, &account, &past, arena);
	last = &plan.messages[plan.count - 1];
	tap_ok(plan.messages[0].action == PLAN_CHECK
		&& plan.staying == 1 && last->action == PLAN_FETCH
		&& plan_recognise(&plan, last, &known)
		&& last->action == PLAN_KEEP, "one UID for all of many");
	teardown();
}

/* What an answer to TOP makes of a message, and after it RETR. An answer of
 * "" is none: the server refused. */
static const struct answer {
	const char *name;
	char keep;
	const char *entries, *messages, *top, *then, *retr, *last;
} answers[] = {
	{ "the same header", 'd', "d:a:5:c:h", "a:5", "x:h", "delete", NULL,
		NULL },
	{ "the same header, kept", 'k', "d:a:5:c:h", "a:9", "x:h", "keep",
		NULL, NULL },
	{ "the same header, staged", 'k', "i::5:c:h", ":5", "x:h", "staged",
		NULL, NULL },
	{ "another header, other content", 'd', "d:a:5:c:h", "a:5", "x:i",
		"fetch", "y:i", "fetch" },
	{ "another header, the same content", 'd', "d:a:5:c:h", "a:5", "x:i",
		"fetch", "c:i", "delete" },
	{ "no TOP, the same header", 'd', "d:a:5:c:h", "a:5", "", "fetch",
		"y:h", "delete" },
	{ "no TOP, the same content", 'd', "d:a:5:c:-", "a:5", "", "fetch",
		"c:-", "delete" },
	{ "no TOP, nothing is the same", 'd', "d:a:5:c:h", "a:5", "", "fetch",
		"y:i", "fetch" },
	{ "no Received: the content decides", 'd', "d:a:5:c:-", "a:5", "x:-",
		"fetch", "c:-", "delete" },
	{ "no Received, other content", 'd', "d:a:5:c:-", "a:5", "x:-",
		"fetch", "y:-", "fetch" },
	{ "no Received there, one here", 'd', "d:a:5:c:h", "a:5", "x:-",
		"fetch", "y:-", "fetch" },
	{ "no Received here, one there", 'd', "d:a:5:c:-", "a:5", "x:h",
		"fetch", "y:h", "fetch" },
	{ "gone, the very same again", 'd', "g:a:5:c:h", "a:5", "x:h",
		"delete", NULL, NULL },
	{ "gone, the UID is used again", 'd', "g:a:5:c:h", "a:5", "x:i",
		"fetch", "y:i", "fetch" },
	{ "gone, again, kept now", 'k', "g:a:5:c:h", "a:5", "x:h", "keep",
		NULL, NULL },
	{ "the right one of two", '3', "d:a:5:c:h o:a:5:e:j", "a:6", "x:j",
		"delete", NULL, NULL },
	{ "a baseline is never deleted", 'd', "b:a:5:c:h", "a:6", "x:h",
		"keep", NULL, NULL },
	{ "void is not recognised", 'd', "v:a:5:c:h", "a:5", NULL, NULL,
		"c:h", "fetch" },
	{ "another UID, the same in all", 'k', "d:a:5:c:h d:k:9:e:j",
		"b:5 k:9", NULL, NULL, "c:h", "keep keep" },
	{ "another UID, the same header only", 'k', "d:a:5:c:h d:k:9:e:j",
		"b:5 k:9", NULL, NULL, "y:h", "fetch keep" },
	{ "another UID, the same content only", 'k', "d:a:5:c:h d:k:9:e:j",
		"b:5 k:9", NULL, NULL, "c:i", "fetch keep" },
	{ "another UID, the same, no Received", 'k', "d:a:5:c:- d:k:9:e:j",
		"b:5 k:9", NULL, NULL, "c:-", "fetch keep" },
	{ "another UID and size, the same in all", 'k', "d:a:5:c:h d:k:9:e:j",
		"b:6 k:9", NULL, NULL, "c:h", "fetch keep" },
	{ "all UIDs are others", 'k', "d:a:5:c:h d:k:9:e:j", "b:5",
		"x:h", "keep", NULL, NULL },
	{ "all UIDs are others, and the mail is too", 'k', "d:a:5:c:h", "b:5",
		"x:i", "fetch", "y:i", "fetch" },
};

static void test_answer(const struct answer *a)
{
	struct plan_message *m;
	struct identity id;
	const char *text = a->top;
	bool ok = true, known = false;

	keep(a->keep);
	setup(a->entries, a->messages, 0);
	m = &plan.messages[0];
	if (text != NULL) {
		ok = is("check");
		if (*text != '\0')
			id = read_identity(&text);
		plan_checked(&plan, m, a->top[0] == '\0' ? NULL : &id);
		ok = ok && is(a->then);
	}
	if (a->retr != NULL) {
		text = a->retr;
		id = read_identity(&text);
		known = plan_recognise(&plan, m, &id);
		ok = ok && is(a->last)
			&& known == (strncmp(a->last, "fetch", 5) != 0);
	}
	ok = ok && (m->entry != NULL) == (m->action != PLAN_FETCH)
		&& (m->entry == NULL || m->entry->claimed);
	tap_ok(ok, "%s", a->name);
	teardown();
}

/* Two messages of one UID are not both the one that is known. */
static void test_claims(void)
{
	struct identity id = identity_of("c", "h");

	keep('d');
	setup("d:a:5:c:h", "a:5 a:5", 0);
	tap_ok(is("check check"), "one UID twice, to be deleted");
	plan_checked(&plan, &plan.messages[0], &id);
	plan_checked(&plan, &plan.messages[1], &id);
	tap_ok(is("delete fetch"), "only one of them is the known one");
	tap_ok(!plan_recognise(&plan, &plan.messages[1], &id),
		"the other is delivered, whatever it holds");
	teardown();
}

/* What just stays is only counted, and since when. */
static void test_staying(void)
{
	keep('k');
	setup("o:a:5:c:h d:b:6:c:h i:d:8:c:h", "a:5 b:6 c:7 d:8", 0);
	tap_ok(is("keep keep fetch staged") && plan.count == 2
		&& plan.staying == 2 && plan.oldest == NOW - 7 * 86400,
		"what stays is not in the plan");
	teardown();
	setup("", "a:5", 0);
	tap_ok(plan.staying == 0 && plan.oldest == INT64_MAX, "nothing stays");
	teardown();
}

static const struct limit {
	const char *name, *messages;
	struct account_limits limits;	/* message, messages, bytes */
	const char *expected;
} limits[] = {
	{ "none", "a:5 b:999999999", { 0, 0, 0 }, "fetch fetch" },
	{ "too large", "a:5 b:6 c:7", { 6, 0, 0 }, "fetch fetch skip" },
	{ "unknown size", "a:0", { 6, 0, 0 }, "fetch" },
	{ "messages", "a:1 b:1 c:1", { 0, 2, 0 }, "fetch fetch later" },
	{ "one message", "a:9 b:1", { 0, 1, 0 }, "fetch later" },
	{ "bytes", "a:4 b:4 c:1 d:1 e:1", { 0, 0, 9 },
		"fetch fetch fetch later later" },
	{ "bytes: a smaller one still fits", "a:4 b:9 c:4", { 0, 0, 9 },
		"fetch later fetch" },
	{ "bytes: the first is always fetched", "a:10 b:1", { 0, 0, 9 },
		"fetch later" },
	{ "a skipped one counts nothing", "a:9 b:1 c:1", { 5, 2, 0 },
		"skip fetch fetch" },
	{ "a kept one counts nothing", "k:77 a:1 b:1", { 0, 1, 0 },
		"keep fetch later" },
	{ "a known one may be large", "k:77 a:1", { 4, 0, 0 }, "keep fetch" },
	{ "sizes that add up to more than there is",
		"a:9223372036854775807 b:9223372036854775807 c:9", { 0, 0, 9 },
		"fetch later later" },
};

static void test_limit(const struct limit *l)
{
	keep('k');
	account.limits = l->limits;
	setup(l->messages[0] == 'k' ? "d:k:77:c:h" : "", l->messages, 0);
	plan_limit(&plan);
	tap_ok(is(l->expected), "limits: %s", l->name);
	teardown();
	memset(&account.limits, 0, sizeof(account.limits));
}

static void test_last(void)
{
	keep('k');
	setup("", ":5 :6 :7", 2);
	tap_ok(is("keep keep fetch"), "LAST, with keep");
	teardown();
	keep('d');
	setup("", ":5 :6 :7", 2);
	tap_ok(is("fetch fetch fetch"), "LAST decides nothing without keep");
	teardown();
}

/* The whole maildrop under new UIDs. */
static void test_renumbered(size_t known, size_t fresh, size_t expected)
{
	char entries[2048] = "", messages[2048] = "", header[32];
	size_t i, n = 0, checks = 0;
	struct identity id;

	keep('d');
	for (i = 0; i < known; i++)
		n += (size_t)snprintf(entries + n, sizeof(entries) - n,
			"%sd:old%zu:%zu:c%zu:h%zu", i == 0 ? "" : " ", i,
			100 + i, i, i);
	for (n = 0, i = 0; i < fresh; i++)
		n += (size_t)snprintf(messages + n, sizeof(messages) - n,
			"%snew%zu:%zu", i == 0 ? "" : " ", i, 100 + i);
	setup(entries, messages, 0);
	for (i = 0; i < plan.count; i++)
		checks += plan.messages[i].action == PLAN_CHECK;
	tap_ok(checks == expected, "%zu known, %zu new of their sizes: %zu are "
		"asked for", known, fresh, expected);
	if (checks != expected)
		tap_note("%zu are", checks);
	for (i = 0; checks != 0 && i < plan.count; i++) {
		snprintf(header, sizeof(header), "other%zu", i);
		id = identity_of("x", header);
		plan_checked(&plan, &plan.messages[i], &id);
	}
	for (i = 0; i < plan.count; i++)
		checks += plan.messages[i].action == PLAN_FETCH;
	tap_ok(checks == expected + fresh, "others' headers change nothing");
	for (checks = 0, i = 0; expected != 0 && i < plan.count; i++) {
		snprintf(header, sizeof(header), "h%zu", i);
		id = identity_of("x", header);
		checks += plan_recognise(&plan, &plan.messages[i], &id)
			&& plan.messages[i].moved
			&& plan.messages[i].action == PLAN_DELETE;
	}
	tap_ok(checks == (expected < known ? expected : known),
		"their own do");
	teardown();
}

/* What a message under a new UID must hold to be a known one: its header is
 * asked for, or all of it is read, as the answers say. */
static const struct lost {
	const char *name, *entries, *messages, *top, *retr, *last;
	uint64_t settled;
} lost[] = {
	{ "all UIDs and sizes are others", "d:a:5:c:h", "b:19", "x:h", NULL,
		"keep", 0 },
	{ "and another header", "d:a:5:c:h", "b:19", "x:i", "c:i", "keep", 0 },
	{ "and all is another", "d:a:5:c:h", "b:19", "x:i", "y:i", "fetch", 0 },
	{ "a weak header is not enough unread", "d:a:5:c:~h", "b:19", "x:~h",
		"c:~h", "keep", 0 },
	{ "but it is when it was read", "d:a:5:c:~h", "b:19", "x:~h", "y:~h",
		"keep", 0 },
	{ "not so another weak one", "d:a:5:c:~h", "b:19", "x:~i", "y:~i",
		"fetch", 0 },
	{ "nor a weak one for a strong one", "d:a:5:c:h", "b:19", "x:~h",
		"y:~h", "fetch", 0 },
	{ "two of one header and other sizes: content", "d:a:5:c:h d:b:6:e:h",
		"x:19 y:20", "x:h", "e:h", "keep", 0 },
	{ "two of one header, and its size", "d:a:5:c:h d:b:6:e:h",
		"x:6 y:20", "x:h", NULL, "keep", 0 },
	{ "moved back", "d:a:5:c:h d:k:9:e:j", "b:19 k:9", NULL, "c:h",
		"keep", 3 },
	{ "moved back, weak", "d:a:5:c:~h d:k:9:e:j", "b:19 k:9", NULL,
		"c:~h", "keep", 3 },
	{ "moved back, no header", "d:a:5:c:- d:k:9:e:j", "b:5 k:9", NULL,
		"c:-", "fetch", 3 },
	{ "moved back, another body", "d:a:5:c:h d:k:9:e:j", "b:5 k:9", NULL,
		"y:h", "fetch", 3 },
	{ "it may be a copy that waited", "d:a:5:c:h d:k:9:e:j", "b:19 k:9",
		NULL, "c:h", "fetch", 1 },
	{ "gone, and one comes back", "g:a:5:c:h", "b:5", NULL, "c:h",
		"fetch", 2 },
	{ "gone, and four come back",
		"g:a:5:c:h g:b:6:d:i g:c:7:e:j g:d:8:f:k",
		"w:5 x:6 y:7 z:8", NULL, "c:h", "keep", 5 },
	{ "gone, they may be copies that waited",
		"g:a:5:c:h g:b:6:d:i g:c:7:e:j g:d:8:f:k",
		"w:5 x:6 y:7 z:8", NULL, "c:h", "fetch", 1 },
	{ "it had no UID", "d::5:c:h d:k:9:e:j", "b:19 k:9", "x:h", NULL,
		"keep", 0 },
	{ "it had no UID, and content decides", "d::5:c:- d:k:9:e:j",
		"b:19 k:9", "x:-", "c:-", "keep", 0 },
	{ "it had no UID, and is another", "d::5:c:h d:k:9:e:j", "b:19 k:9",
		"x:i", "y:i", "fetch", 0 },
	{ "may be gone: a copy", "x:a:5:c:h", "b:5", NULL, "c:h", "fetch", 0 },
};

static void test_lost(const struct lost *l)
{
	struct plan_message *m;
	struct identity id;
	const char *text;
	bool ok = true;

	keep('k');
	past.settled = l->settled;
	setup(l->entries, l->messages, 0);
	m = &plan.messages[0];
	if (l->top != NULL) {
		text = l->top;
		ok = m->action == PLAN_CHECK;
		id = read_identity(&text);
		plan_checked(&plan, m, &id);
	}
	if (l->retr != NULL) {
		text = l->retr;
		ok = ok && m->action == PLAN_FETCH;
		id = read_identity(&text);
		plan_recognise(&plan, m, &id);
	}
	tap_ok(ok && strcmp(words[m->action], l->last) == 0
		&& (m->entry != NULL) == (m->action == PLAN_KEEP)
		&& m->moved == (m->entry != NULL), "%s", l->name);
	if (!ok || strcmp(words[m->action], l->last) != 0)
		tap_note("it is: %s", words[m->action]);
	teardown();
	past.settled = 0;
}

/* Many messages of one size under new UIDs, two by two the same. */
static void test_alike(void)
{
	enum { MANY = 20000 };
	struct listed *many = calloc(MANY, sizeof(*many));
	char (*uids)[12] = calloc(MANY, sizeof(*uids)), name[12];
	struct identity id;
	size_t i, found = 0;

	scratch_need(many != NULL && uids != NULL, "no memory");
	keep('d');
	ledger = need_ledger("alike");
	arena = arena_new();
	for (i = 0; i < MANY; i++) {
		snprintf(uids[i], sizeof(uids[i]), "o%zu", i);
		snprintf(name, sizeof(name), "%zu", i / 2);
		id = identity_of(name, name);
		put_delivered(ledger, uids[i], strlen(uids[i]), 7, &id)
			->claimed = false;
		uids[i][0] = 'n';
		many[i] = (struct listed){ .uid = uids[i], .size = 7,
			.uid_len = (uint32_t)strlen(uids[i]),
			.number = (uint32_t)i + 1 };
	}
	listing = (struct listing){ many, MANY, true };
	plan_make(&plan, &listing, ledger, &account, &past, arena);
	for (i = MANY; i-- > 0;) {
		snprintf(name, sizeof(name), "%zu", i / 2);
		id = identity_of(i % 3 == 0 ? name : "x", name);
		if (i % 3 == 0)
			plan_recognise(&plan, &plan.messages[i], &id);
		else
			plan_checked(&plan, &plan.messages[i], &id);
		found += plan.messages[i].action == PLAN_DELETE
			&& plan.messages[i].moved
			&& plan.messages[i].entry->id - 1 == (i ^ 1);
	}
	tap_ok(plan.renumbered && found == MANY,
		"of many alike each is found once");
	if (found != MANY)
		tap_note("%zu of them", found);
	teardown();
	free(many);
	free(uids);
}

/* A message of our own that waits for its destination. */
static void test_notice(void)
{
	const struct ledger_what what = { .uid = LEDGER_NOTICE "failing 5",
		.uid_len = sizeof(LEDGER_NOTICE "failing 5") - 1,
		.listed = 100 };
	struct ledger_entry *e;

	keep('d');
	setup("", "new1:100 new2:100", 0);
	e = put_intent(ledger, what.uid, what.uid_len, what.listed,
		&what.identity);
	e->claimed = false;
	plan_make(&plan, &listing, ledger, &account, &past, arena);
	tap_ok(!plan.renumbered && plan.messages[0].action == PLAN_FETCH
		&& plan.messages[1].action == PLAN_FETCH,
		"a notice is none of the server's messages");
	tap_ok(ledger_is_notice(e) && !ledger_has_uids(ledger),
		"nor has it one of its UIDs");
	teardown();
}

int main(void)
{
	size_t i;

	scratch_make("plan");
	for (i = 0; i < sizeof(decisions) / sizeof(decisions[0]); i++)
		test_decision(&decisions[i]);
	for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		test_answer(&answers[i]);
	for (i = 0; i < sizeof(lost) / sizeof(lost[0]); i++)
		test_lost(&lost[i]);
	test_same_uid();
	test_claims();
	test_staying();
	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		test_limit(&limits[i]);
	test_last();
	test_renumbered(20, 20, 20);
	test_renumbered(20, 5, 5);
	test_renumbered(1, 1, 1);
	test_renumbered(5, 11, 11);
	test_alike();
	test_notice();
	scratch_end();
	return tap_done();
}
