/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <string.h>

#include "agent/parent/mda_argv.h"

/*
 * Placeholders in arguments: what is one, what it becomes, and that it stays
 * within its argument and its room.
 */

static const char *const values[TEMPLATE_WORDS] = {
	[TEMPLATE_SENDER] = "jane@example.org", [TEMPLATE_ACCOUNT] = "work",
};

static const struct fill {
	const char *text, *filled;	/* NULL: it is wrong */
} fills[] = {
	{ "%{sender}", "jane@example.org" }, { "%{account}", "work" },
	{ "-f%{sender}", "-fjane@example.org" },
	{ "a%{account}b%{sender}c%{account}", "aworkbjane@example.orgcwork" },
	{ "%{account}%{account}", "workwork" },
	{ "%%{sender}", "%{sender}" }, { "%%%{account}", "%work" },
	{ "%%%%{account}", "%%{account}" }, { "%%%%%{account}", "%%work" },
	{ "%%{", "%{" }, { "%%{}", "%{}" },
	/* Elsewhere a percent sign is itself. */
	{ "", "" }, { "%", "%" }, { "%%", "%%" }, { "100%", "100%" },
	{ "%s %d", "%s %d" }, { "%%s", "%%s" }, { "% {sender}", "% {sender}" },
	{ "{sender}", "{sender}" }, { "}%", "}%" }, { "%}", "%}" },
	{ "%sender", "%sender" }, { "${sender}", "${sender}" },
	{ "%{sender", NULL }, { "%{", NULL }, { "%{}", NULL },
	{ "%{ sender}", NULL }, { "%{sender }", NULL }, { "%{Sender}", NULL },
	{ "%{senders}", NULL }, { "%{sende}", NULL }, { "%{s}", NULL },
	{ "%{%{sender}}", NULL }, { "%{sender}%{x}", NULL },
	{ "%%%{x}", NULL }, { "a%{host}b", NULL },
};

static void test_fill(const struct fill *f)
{
	size_t len = 0, need = f->filled != NULL ? strlen(f->filled) + 1 : 0;
	char out[100];

	memset(out, '#', sizeof(out));
	if (f->filled == NULL) {
		tap_ok(template_mistake(f->text) != NULL && template_is(f->text)
			&& !template_fill(f->text, values, out, sizeof(out), &len),
			"%s is wrong", f->text);
		return;
	}
	tap_ok(template_mistake(f->text) == NULL
		&& template_fill(f->text, values, out, need, &len)
		&& len == need && strcmp(out, f->filled) == 0
		&& out[need] == '#' && template_room(f->text, 16) >= need
		&& (template_is(f->text) || strcmp(f->text, f->filled) == 0),
		"%s", f->text);
	memset(out, '#', sizeof(out));
	tap_ok(!template_fill(f->text, values, out, need - 1, &len)
		&& out[need - 1] == '#', "and no byte too far");
}

/* What is filled in is not looked at again. */
static void test_once(void)
{
	static const char *const tricks[TEMPLATE_WORDS] = { "%{account}", "%%{" };
	char out[100];
	size_t len;

	tap_ok(template_fill("%{sender}-%{account}", tricks, out, sizeof(out),
			&len) && strcmp(out, "%{account}-%%{") == 0,
		"a value is filled in as it is");
}

static void test_argv(void)
{
	static const char *const plain[] = { "%{sender}", "a", "100%", NULL };
	static const char *const some[] = { "p", "-f", "%{sender}", "", "%",
		"%{account}", NULL };
	static struct mda_argv filled;
	const char *const *got = mda_argv_fill(&filled, some, values);

	tap_ok(mda_argv_fill(&filled, plain, values) == plain,
		"with nothing to fill in they are taken as they are");
	tap_ok(got != NULL && got[0] == some[0] && got[1] == some[1]
		&& strcmp(got[2], "jane@example.org") == 0 && got[3] == some[3]
		&& got[4] == some[4] && strcmp(got[5], "work") == 0
		&& got[6] == NULL, "else one by one");
}

static void test_argv_full(void)
{
	const char *list[LIMIT_MDA_WORDS + 2] = { "p" };
	static char longest[LIMIT_SENDER + 1];
	const char *const wide[TEMPLATE_WORDS] = { longest, "" };
	static struct mda_argv filled;
	size_t i;

	memset(longest, 'x', LIMIT_SENDER);
	for (i = 1; i < LIMIT_MDA_WORDS; i++)
		list[i] = "%{account}";
	tap_ok(mda_argv_fill(&filled, list, wide) == filled.list
		&& filled.list[LIMIT_MDA_WORDS] == NULL, "as many as fit");
	list[i] = "a";
	tap_ok(mda_argv_fill(&filled, list, wide) == NULL, "one more does not");
	for (i = 1; i <= LIMIT_MDA_ARGUMENTS / (LIMIT_SENDER + 1); i++)
		list[i] = "%{sender}";
	list[i] = NULL;
	tap_ok(mda_argv_fill(&filled, list, wide) == filled.list,
		"as long as fit");
	list[i] = "%{sender}";
	list[i + 1] = NULL;
	tap_ok(mda_argv_fill(&filled, list, wide) == NULL,
		"a longer one does not");
}

int main(void)
{
	size_t i;

	for (i = 0; i < sizeof(fills) / sizeof(fills[0]); i++)
		test_fill(&fills[i]);
	test_once();
	test_argv();
	test_argv_full();
	return tap_done();
}
