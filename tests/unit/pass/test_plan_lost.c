/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/pass/help.h"

/* Known messages under UIDs that are new. */

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

int main(void)
{
	size_t i;

	scratch_make("lost");
	for (i = 0; i < sizeof(lost) / sizeof(lost[0]); i++)
		test_lost(&lost[i]);
	test_renumbered(20, 20, 20);
	test_renumbered(20, 5, 5);
	test_renumbered(1, 1, 1);
	test_renumbered(5, 11, 11);
	test_alike();
	scratch_end();
	return tap_done();
}
