/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/config/wrong.h"

/*
 * Mistakes in the language, in the keys for all, and in how much there is of
 * anything.
 */

static const struct wrong syntax[] = {
	{ "", { "f:1:1: no account is given" } },
	{ "# nothing\n", { "f:1:1: no account is given" } },
	{ "accounts:\n", { "f:1:1: accounts: no account is given" } },
	{ "state: /x\naccounts: {}\n",
	  { "f:2:1: accounts: no account is given" } },
	{ "hello\n", { "f:1:1: keys are wanted here" } },
	{ "- a\n- b\n", { "f:1:1: keys are wanted here" } },
	{ "accounts: [\n  work: }\n", { "f:2:9: a value is missing before this" } },
	{ RIGHT "\tport: 1\n", { "f:7:1: lines are indented with spaces" } },
	{ RIGHT "   port: 1\n", { "f:7:4: this line is indented differently" } },
	{ RIGHT "    port 1\n", { "f:8:1: there is no \": \"" } },
	{ A HU "    password: a: b\n" D,
	  { "f:5:16: a key and a value cannot stand here" } },
	{ A HU "    password: @b\n" D, { "f:5:15: lines are indented" } },
	{ "state: \"/x\n", { "f:2:1: the file ends inside quotes" } },
	{ "state: /\xff\n", { "f:1:9: invalid leading UTF-8 octet" } },
	{ "state: /\xc3\xa4\nlog: \x01\n", { "f:2:6: control characters" } },
	{ RIGHT "---\n" RIGHT, { "f:7:1: a second document" } },
	{ "state: &x /a\n" RIGHT, { "f:1:8: state: anchors and aliases" } },
	{ "defaults: &d {keep: true}\n" RIGHT,
	  { "f:1:11: defaults: anchors and aliases" } },
	{ RIGHT "    keep: *x\n", { "f:7:11" WORK ".keep: anchors and" } },
	{ RIGHT "    <<: *x\n", { "f:7:9" WORK ".<<: anchors and" } },
	{ RIGHT "    keep: !!bool true\n", { "f:7:11" WORK ".keep: tags" } },
	{ RIGHT "    keep: ! true\n", { "f:7:11" WORK ".keep: tags" } },
	{ "accounts: !x {}\n", { "f:1:11: accounts: tags are not" } },
	{ RIGHT "    keep: !!str {}\n", { "f:7:11" WORK ".keep: tags" } },
	{ RIGHT "    ? [a]\n    : b\n",
	  { "f:7:7" WORK ": a key must be plain text" } },
	{ RIGHT "    *a : b\n", { "f:7:5" WORK ": a key must be plain text" } },
	{ RIGHT "    \"a\\0b\": b\n",
	  { "f:7:5" WORK ": a key must be plain text" } },
	{ RIGHT "    host: g\n",
	  { "f:7:5" WORK ".host: given twice; the first is on line 3" } },
	{ RIGHT "    host: g\n    host: g\n",
	  { "f:7:5" WORK ".host: given twice", "f:8:5" WORK ".host: given" } },
	{ RIGHT "  work: {}\n", { "f:7:3" WORK ": given twice" } },
	{ RIGHT "accounts: {}\n", { "f:7:1: accounts: given twice" } },
	{ A H "    user: \"a\\0b\"\n" P D,
	  { "f:4:11" WORK ".user: a NUL character" } },
	{ A HU "    password: \"a\\0b\"\n" D,
	  { "f:5:15" WORK ".password: a NUL character" } },
};

static const struct wrong top[] = {
	{ "sate: /x\n" RIGHT,
	  { "f:1:1: sate: unknown key; did you mean \"state\"?" } },
	{ "frobnicate: 1\n" RIGHT,
	  { "f:1:1: frobnicate: unknown key; known here: state, parallel" } },
	{ "interval: 5m\n" RIGHT, { "f:1:1: interval: unknown key" } },
	{ "state:\n" RIGHT, { "f:1:7: state: the value is missing" } },
	{ "state: \"\"\n" RIGHT, { "f:1:8: state: must be a path" } },
	{ "state: x/y\n" RIGHT, { "f:1:8: state: must be a path" } },
	{ "state: [/x]\n" RIGHT, { "f:1:8: state: a path is wanted" } },
	{ "state: ~jane/x\n" RIGHT, { "f:1:8: state: begins with ~, but" } },
	{ "state: $TEST_NOT_SET/x\n" RIGHT,
	  { "f:1:8: state: uses the environment variable TEST_NOT_SET," } },
	{ "state: /${TEST_NOT_SET}\n" RIGHT, { "f:1:8: state: uses the" } },
	{ "state: /${HOME\n" RIGHT, { "f:1:8: state: has ${ without" } },
	{ "parallel: 0\n" RIGHT,
	  { "f:1:11: parallel: must be a whole number from 1 to 1000" } },
	{ "parallel: 1001\n" RIGHT, { "f:1:11: parallel: must be a" } },
	{ "parallel: 010\n" RIGHT, { "f:1:11: parallel: must be a" } },
	{ "parallel: 0x1\n" RIGHT, { "f:1:11: parallel: must be a" } },
	{ "parallel: 1_0\n" RIGHT, { "f:1:11: parallel: must be a" } },
	{ "parallel: 1e1\n" RIGHT, { "f:1:11: parallel: must be a" } },
	{ "parallel: +1\n" RIGHT, { "f:1:11: parallel: must be a" } },
	{ "parallel: -1\n" RIGHT, { "f:1:11: parallel: must be a" } },
	{ "parallel: 1:0\n" RIGHT, { "f:1:11: parallel: must be a" } },
	{ "parallel: \"5\"\n" RIGHT, { "f:1:11: parallel: must be a" } },
	{ "parallel: none\n" RIGHT, { "f:1:11: parallel: must be a" } },
	{ "parallel: 99999999999999999999\n" RIGHT,
	  { "f:1:11: parallel: must be a" } },
	{ "per_host: {a: b}\n" RIGHT,
	  { "f:1:11: per_host: a number is wanted here" } },
	{ "log: debug\n" RIGHT, { "f:1:6: log: a map of keys is wanted" } },
	{ "log: {level: inf}\n" RIGHT,
	  { "f:1:14: log.level: must be error, warn, info or debug; did you "
	    "mean \"info\"?" } },
	{ "log: {levl: info}\n" RIGHT,
	  { "f:1:7: log.levl: unknown key; did you mean \"level\"?" } },
	{ "log: {format: xml}\n" RIGHT,
	  { "f:1:15: log.format: must be text or json" } },
	{ "log:\n  to: stdeer\n" RIGHT,
	  { "f:2:7: log.to: must be stderr, syslog or the path" } },
	{ "log: {to: ./x}\n" RIGHT, { "f:1:11: log.to: must be a path" } },
	{ "include: x\n" RIGHT, { "f:1:1: include: nothing can be included" } },
	{ "accounts: [a]\n", { "f:1:11: accounts: accounts by name" } },
	{ "accounts: a\n", { "f:1:11: accounts: accounts by name" } },
	{ "defaults: []\n" RIGHT, { "f:1:11: defaults: keys are wanted" } },
	{ "defaults:\n  prot: 5\n  keep: 3x\n" RIGHT,
	  { "f:2:3: defaults.prot: unknown key; did you mean \"port\"?",
	    "f:3:9: defaults.keep: must be true, false or" } },
	{ "defaults: {tls: none}\n" RIGHT "  b:\n" H U P D,
	  { "f:1:17: defaults.tls: without TLS everybody" } },
	{ "defaults: {port: 110}\n" RIGHT,
	  { "f:1:18: defaults.port: port 110 begins without TLS" } },
	{ "defaults: {port: 995}\n" RIGHT "    tls: starttls\n",
	  { "f:8:10" WORK ".tls: port 995 speaks TLS" } },
};

/* The word hunter2 is a password, in places where it might slip out. */
static void check_silence(void)
{
	static const char *const values[] = {
		"{hunter2}", "{hunter2: x}", "{hunter2, hunter2}", "[hunter2]",
		"&hunter2 x", "*hunter2", "!hunter2 x", "\"hunter2\\n\"",
		"\"hunter2\\0\"", "hunter2: x", "\"hunter2", "|hunter2",
		"{command: hunter2}", "{command: {hunter2: 1, hunter2: 2}}",
		"{file: hunter2}", "{file: {hunter2, hunter2}}",
		"{env: hunter2!}", "{file: /x, hunter2: y}", "{? [hunter2]}",
		"{file: {a: {hunter2, hunter2}}}", "%hunter2", "@hunter2",
		"{file: /x, hunter2", "\n      hunter2: x", "- hunter2",
	};
	static const char *const keys[] = {
		"accounts:\n  work:\n    password: ",
		"accounts:\n  work:\n    token: ", "defaults:\n    token: ",
		"defaults:\n    password: ",
		"accounts:\n  password:\n    password: ",
		"account: {work: {a: 1}}\nwork:\n    password: ",
	};
	static struct told told;
	char text[200];
	struct err err = ERR_INIT;
	size_t i, k, n;
	bool ok;

	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		ok = true;
		for (k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
			snprintf(text, sizeof(text), "%s%s\n", keys[k],
				values[i]);
			ok = !parse(text, strlen(text), &told, &err) && ok;
			ok = strstr(err.text, "hunter2") == NULL && ok;
			for (n = 0; n < told.count; n++)
				ok = !strstr(told.lines[n], "hunter2") && ok;
		}
		tap_ok(ok, "no word of %s", values[i][0] == '\n' ? "a map"
			: values[i]);
	}
}

/* head, then `unit` until there are `total` bytes less the tail, then tail. */
static char *fill(const char *head, const char *unit, const char *tail,
	size_t total)
{
	char *text = mem_grow(NULL, total + 1, 1);
	size_t n = strlen(head), step = strlen(unit);

	memcpy(text, head, n);
	while (n + step + strlen(tail) <= total) {
		memcpy(text + n, unit, step);
		n += step;
	}
	while (n + strlen(tail) < total)
		text[n++] = ' ';
	memcpy(text + n, tail, strlen(tail) + 1);
	return text;
}

static void check_bounds(void)
{
	static const struct {
		const char *head, *unit, *tail;
		size_t total;
		const char *told;	/* NULL: accepted */
	} cases[] = {
		{ RIGHT "#", "x", "\n", LIMIT_CONFIG_BYTES, NULL },
		{ RIGHT "#", "x", "\n", LIMIT_CONFIG_BYTES + 1,
		  "f:1:1: the file is larger than 1 MiB" },
		{ "state: ", "[", "", 7 + 15, "f:2:1: a value is missing" },
		{ "state: ", "[", "", 7 + 16,
		  "f:1:23: state: lists and maps are nested too deeply" },
		{ "", "[", "", LIMIT_CONFIG_BYTES, "f:1:17: lists and maps" },
		{ "", "- ", "", LIMIT_CONFIG_BYTES, "f:1:33: lists and maps" },
		{ "", "{a: ", "", LIMIT_CONFIG_BYTES, "f:1:65: a.a.a" },
		{ "a: {", "b,", "}", LIMIT_CONFIG_BYTES, "f:1:1000000: too many values" },
		{ "a: [", "b,", "]", LIMIT_CONFIG_BYTES,
		  "f:1:1: a: unknown key" },
		{ "a: \"", "x", "", LIMIT_CONFIG_BYTES, "f:1:1048577: the file" },
		{ "", "\t", "", LIMIT_CONFIG_BYTES, "f:1:1: lines are" },
		{ "a: |\n", " x\n", "", LIMIT_CONFIG_BYTES, "f:1:1: a: unknown" },
	};
	static struct told told;
	struct err err = ERR_INIT;
	size_t i;
	char *text;
	bool ok;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		text = fill(cases[i].head, cases[i].unit, cases[i].tail,
			cases[i].total);
		ok = parse(text, cases[i].total, &told, &err);
		free(text);
		if (cases[i].told == NULL)
			tap_ok(ok, "1 MiB is accepted");
		else if (!tap_ok(!ok && strncmp(told.lines[0], cases[i].told,
			strlen(cases[i].told)) == 0, "%s", cases[i].told))
			tap_note("told: %s", told.lines[0]);
	}
}

/* Nine levels of nine: a billion nodes, if aliases were followed. */
static void check_bomb(void)
{
	static struct told told;
	char text[2000], *p = text;
	struct err err = ERR_INIT;
	int level, i;

	p += sprintf(p, "a0: &a0 [x]\n");
	for (level = 1; level <= 9; level++) {
		p += sprintf(p, "a%d: &a%d [", level, level);
		for (i = 0; i < 9; i++)
			p += sprintf(p, "*a%d,", level - 1);
		p += sprintf(p, "]\n");
	}
	tap_ok(!parse(text, (size_t)(p - text), &told, &err)
		&& told.count == 10 + 81 && strncmp(told.lines[0],
		"f:1:5: a0: anchors and aliases", 30) == 0, "an alias bomb");
}

/* More mistakes than are told are still counted. */
static void check_flood(void)
{
	static struct told told;
	struct err err = ERR_INIT;
	char text[8 * 1024], *p = text;
	int i;

	for (i = 0; i < 500; i++)
		p += sprintf(p, "key%d: x\n", i);
	tap_ok(!parse(text, (size_t)(p - text), &told, &err)
		&& told.count == LIMIT_CONFIG_ERRORS
		&& strcmp(err.text, "f: 500 mistakes") == 0, "500 mistakes");
}


int main(void)
{
	unsetenv("TEST_NOT_SET");
	setenv("HOME", "/home/jane", 1);
	RUN(syntax);
	RUN(top);
	check_silence();
	check_bounds();
	check_bomb();
	check_flood();
	return tap_done();
}
