/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/config/help.h"

/*
 * Who may read and change the files of a configuration, which others they
 * include, and where they are looked for.
 */

static void check_private(void)
{
	static const char text[] =
		"accounts: {a: {host: h, user: u, password: hunter2,"
		" deliver: {maildir: /m}},\n  b: {host: h, user: u,"
		" password: x, deliver: {maildir: /m}}}\n";
	static const mode_t modes[] = { 0644, 0640, 0604, 0620, 0602, 0610 };
	const char *path;
	size_t i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		path = put("c", modes[i], text);
		load(path);
		tap_ok(strstr(said, ":1:44: accounts.a.password: ") != NULL
			&& strstr(said, arena_printf(arena,
			"run: chmod 600 %s\n", path)) != NULL
			&& strstr(said, "hunter2") == NULL
			&& strstr(said, "accounts.b") == NULL,
			"mode %03o is refused", (unsigned)modes[i]);
	}
	refused(put("c", 0644, "defaults: {enabled: false}\n"
		"accounts: {a: {host: h, user: u, password: x, deliver: "
		"{maildir: /m}}}\n"), "chmod 600", "also if it is disabled");
	accepted(load(put("c", 0600, text)) != NULL, "mode 600 is accepted");
	accepted(load(put("c", 0400, text)) != NULL, "mode 400 is accepted");
	refused(put("it's c", 0644, text), "/it'\\''s c'\n",
		"the command is quoted for a shell");
	accepted(load(put("c", 0644, "accounts: {a: " ACCOUNT "}\n")) != NULL,
		"without a password everybody may read it");
	refused(put("c", 0666, "accounts: {a: " ACCOUNT "}\n"),
		"run: chmod o-w ", "but not write it");
	if (geteuid() != 0)
		return;
	path = put("c", 0600, text);
	if (chown(path, 1, 1) == 0)
		refused(path, "belongs to user 1; run postrider as that user, or run: chown 0 ",
			"another owner is refused");
}

static void check_password_file(void)
{
	const char *text = arena_printf(arena, "accounts: {a: {host: h, "
		"user: u, deliver: {mbox: /m}, password: {file: %s/pw}}}\n",
		folder);

	put("pw", 0600, "hunter2\n");
	accepted(load(put("c", 0644, text)) != NULL, "a private file");
	put("pw", 0640, "hunter2\n");
	refused(in_folder("c"), arena_printf(arena, "run: chmod 600 %s/pw\n",
		folder), "a password file others can read");
	unlink(in_folder("pw"));
	accepted(load(in_folder("c")) != NULL, "one that is not there yet");
}

static void check_include(void)
{
	if (mkdir(in_folder("d[1]"), 0700) < 0
	    || mkdir(in_folder("d[1]/more"), 0700) < 0)
		abort();
	put("d[1]/more/a.yaml", 0644, "accounts: {a: " ACCOUNT "}\n");
	put("d[1]/more/b.yaml", 0644, "accounts: {b: " ACCOUNT "}\n");
	put("d[1]/more/e.yaml", 0644, "# empty\n");
	const struct config *c = load(put("d[1]/c", 0644,
		"include: [more/*.yaml, nothing*]\n"
		"defaults: {keep: false}\naccounts: {c: " ACCOUNT "}\n"));
	accepted(c != NULL && c->count == 3 && config_account(c, "b") != NULL
		&& config_account(c, "b")->keep.kind == KEEP_NEVER,
		"included accounts get the defaults");
	accepted(load(put("d[1]/c", 0644, "include: more/a.yaml\n")) != NULL,
		"a single file, and no account here");
	put("d[1]/more/b.yaml", 0644, "state: /x\naccounts: {a: {}, b: "
		ACCOUNT "}\n");
	refused(put("d[1]/c", 0644, "include: more/b.yaml\n"
		"defaults: {host: h, user: u, password: {env: P}, "
		"deliver: {maildir: /m}}\n"),
		"/more/b.yaml:1:1: state: unknown key; known here: accounts",
		"nothing but accounts is included");
	put("d[1]/more/b.yaml", 0644, "accounts:\n  a: " ACCOUNT "\n");
	refused(put("d[1]/c", 0644, "include: [more/*.yaml]\n"),
		"/more/b.yaml:2:3: accounts.a: another account of this name "
		"is in ", "the same name in two files");
	refused(put("d[1]/c", 0644, "include: [more/x.yaml]\n"),
		"/c:1:11: include: there is no such file", "no such file");
	put("d[1]/more/b.yaml", 0644, "accounts: {b: }\n  c: x\n");
	refused(put("d[1]/c", 0644, "include: [more/b.yaml]\n"),
		"/more/b.yaml:2:3: ", "broken syntax in an included file");
	refused(put("d[1]/c", 0644, "include: [{a: b}]\naccounts: {a: "
		ACCOUNT "}\n"), ":1:11: include: a pattern", "no pattern");
	refused(put("d[1]/c", 0644, "include: [more]\n"),
		":1:11: include: cannot read ", "a folder is no file");
}

static void check_places(void)
{
	const struct config *c;

	refused("/nonexistent/c", "", "no such file");
	tap_ok(strstr(err.text, "/nonexistent/c: No such file") != NULL,
		"it is named");
	setenv("HOME", folder, 1);
	setenv("XDG_CONFIG_HOME", in_folder("x"), 1);
	if (geteuid() != 0 || access("/etc/postrider/config.yaml", F_OK) < 0)
		tap_ok(load(NULL) == NULL && strstr(err.text, "/x/postrider/")
			&& strstr(err.text, "/.config/postrider/"),
			"no file: the places are named");
	mkdir(in_folder(".config"), 0700);
	mkdir(in_folder(".config/postrider"), 0700);
	put(".config/postrider/config.yaml", 0600, "accounts: {home: "
		ACCOUNT "}\n");
	c = load(NULL);
	accepted(c != NULL && config_account(c, "home"), "~/.config");
	mkdir(in_folder("x"), 0700);
	mkdir(in_folder("x/postrider"), 0700);
	put("x/postrider/config.yaml", 0600, "accounts: {xdg: " ACCOUNT "}\n");
	c = load(NULL);
	accepted(c != NULL && config_account(c, "xdg"), "XDG_CONFIG_HOME");
	unsetenv("STATE_DIRECTORY");
	unsetenv("XDG_STATE_HOME");
	c = load(NULL);
	tap_ok(c != NULL && same(c->state, geteuid() == 0
		? "/var/lib/postrider" : in_folder(".local/state/postrider")),
		"state by default");
	setenv("XDG_STATE_HOME", "relative", 1);
	c = load(NULL);
	tap_ok(c != NULL && c->state[0] == '/', "a relative one is ignored");
	setenv("XDG_STATE_HOME", "/s", 1);
	c = load(NULL);
	tap_ok(c != NULL && same(c->state, "/s/postrider"), "XDG_STATE_HOME");
	setenv("STATE_DIRECTORY", "/var/lib/p:/var/lib/q", 1);
	c = load(NULL);
	tap_ok(c != NULL && same(c->state, "/var/lib/p"), "STATE_DIRECTORY");
}

int main(void)
{
	begin();
	check_private();
	check_password_file();
	check_include();
	check_places();
	end();
	return tap_done();
}
