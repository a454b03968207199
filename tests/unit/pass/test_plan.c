/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/pass/help.h"

/* What is done with each message on the server: one row a listing. */

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
	test_same_uid();
	test_claims();
	test_staying();
	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		test_limit(&limits[i]);
	test_last();
	test_notice();
	scratch_end();
	return tap_done();
}
