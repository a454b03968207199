/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_PASS_HELP_H
#define TESTS_UNIT_PASS_HELP_H

#include "agent/pass/plan.h"
#include "agent/state/ledger/priv.h"
#include "tests/unit/state/ledger/help.h"
#include "tests/unit/tap.h"


/*
 * Plans from a line of text: what the ledger has, what the server lists, and
 * the actions that come of it, one word a message.
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
__attribute__((unused))
static const char *field(const char **p, char *out, size_t cap)
{
	size_t n = strcspn(*p, ": ");

	snprintf(out, cap, "%.*s", (int)n, *p);
	*p += n + ((*p)[n] == ':');
	return out;
}

__attribute__((unused))
static struct identity read_identity(const char **p)
{
	char content[64], header[64];

	field(p, content, sizeof(content));
	field(p, header, sizeof(header));
	return identity_of(content, strcmp(header, "-") == 0 ? NULL : header);
}

__attribute__((unused))
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

__attribute__((unused))
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

__attribute__((unused))
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

__attribute__((unused))
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
__attribute__((unused))
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

__attribute__((unused))
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

__attribute__((unused))
static void teardown(void)
{
	ledger_close(ledger);
	arena_free(arena);
}

__attribute__((unused))
static bool is(const char *expected)
{
	bool ok = strcmp(actions(), expected) == 0;

	if (!ok)
		tap_note("it is: %s", actions());
	return ok;
}

/* The rule for the account: keep for ever, never, or for 3 days. */
__attribute__((unused))
static void keep(char kind)
{
	account.keep.kind = kind == 'k' ? KEEP_ALWAYS : kind == 'd'
		? KEEP_NEVER : KEEP_FOR;
	account.keep.seconds = 3 * 86400;
}

#endif
