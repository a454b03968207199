/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/arena.h"
#include "agent/base/limits.h"
#include "config/secret.h"

/* Where passwords come from, what is no password, and who says what is wrong:
 * never with the value. */

static char path[] = "/tmp/postrider-secret-XXXXXX";

static const char *const hide[] = { "TEST_SECRET", "TEST_OTHER", NULL };

struct expected {
	const char *value;		/* NULL: an error... */
	enum err_class class;		/* ...of this class... */
	const char *words;		/* ...that says this */
};

static void check(const struct secret_source *source,
	const struct expected *want, const char *what)
{
	struct err err = ERR_INIT;
	struct secret secret;
	bool ok;

	if (secret_read(source, hide, &secret, &err))
		ok = want->value != NULL && strcmp(secret.text, want->value)
			== 0 && secret.len == strlen(want->value);
	else
		ok = want->value == NULL && err.class == want->class
			&& strstr(err.text, want->words) != NULL
			&& strncmp(err.text, "password: ", 10) == 0
			&& strstr(err.text, "hunter") == NULL
			&& secret.text == NULL;
	if (!tap_ok(ok, "%s", what))
		tap_note("%s: %s", err_class_name(err.class), err.text);
	secret_wipe(&secret);
	tap_ok(secret.text == NULL && secret.len == 0, "wiped");
}

static void check_text(void)
{
	char *longest = mem_grow(NULL, LIMIT_SECRET + 2, 1);
	struct expected fits = { longest, 0, NULL };
	static const struct expected exceeds = { NULL, ERR_CONFIG,
		"it is longer than 12288 bytes" };
	struct secret_source source = { SECRET_TEXT, longest, NULL };

	memset(longest, 'x', LIMIT_SECRET);
	longest[LIMIT_SECRET] = '\0';
	check(&source, &fits, "the longest");
	strcpy(longest + LIMIT_SECRET, "x");
	check(&source, &exceeds, "longer than the longest");
	free(longest);
	check(&(struct secret_source){ SECRET_TEXT, "hunter2", NULL },
		&(struct expected){ "hunter2", 0, NULL }, "text");
	check(&(struct secret_source){ SECRET_TEXT, "hunter\n2", NULL },
		&(struct expected){ NULL, ERR_CONFIG, "in the configuration" },
		"text of two lines");
	check(&(struct secret_source){ SECRET_NONE, NULL, NULL },
		&(struct expected){ NULL, ERR_CONFIG, "none" }, "none");
}

static void check_env(void)
{
	static const struct secret_source source = { SECRET_ENV, "TEST_SECRET",
		NULL };

	setenv("TEST_SECRET", "hunter2", 1);
	check(&source, &(struct expected){ "hunter2", 0, NULL }, "variable");
	setenv("TEST_SECRET", "hunter2\n", 1);
	check(&source, &(struct expected){ NULL, ERR_CONFIG,
		"the environment variable TEST_SECRET: it has more than" },
		"variable with a line break");
	setenv("TEST_SECRET", "", 1);
	check(&source, &(struct expected){ NULL, ERR_CONFIG, "it is empty" },
		"empty variable");
	unsetenv("TEST_SECRET");
	check(&source, &(struct expected){ NULL, ERR_CONFIG,
		"the environment variable TEST_SECRET is not set" },
		"variable that is not set");
}

struct file_case {
	const char *content;
	size_t len;
	struct expected want;
};

#define BYTES(s) s, sizeof(s) - 1

static const struct file_case contents[] = {
	{ BYTES("hunter2"), { "hunter2", 0, NULL } },
	{ BYTES("hunter2\n"), { "hunter2", 0, NULL } },
	{ BYTES(" hunter 2 \n"), { " hunter 2 ", 0, NULL } },
	{ BYTES("h\xc3\xbcnter\n"), { "h\xc3\xbcnter", 0, NULL } },
	{ BYTES(""), { NULL, ERR_CONFIG, ": it is empty" } },
	{ BYTES("\n"), { NULL, ERR_CONFIG, ": it is empty" } },
	{ BYTES("hunter2\n\n"), { NULL, ERR_CONFIG, "more than one line" } },
	{ BYTES("hunter2\nx\n"), { NULL, ERR_CONFIG, "more than one line" } },
	{ BYTES("hunter2\r\n"), { NULL, ERR_CONFIG, "it has a CR" } },
	{ BYTES("hun\0ter2\n"), { NULL, ERR_CONFIG, "it has a NUL" } },
};

static void put(const char *content, size_t len, mode_t mode)
{
	FILE *file = fopen(path, "w");

	if (file == NULL || fwrite(content, 1, len, file) != len
	    || fclose(file) != 0 || chmod(path, mode) < 0)
		abort();
}

static void check_file(void)
{
	const struct secret_source source = { SECRET_FILE, path, NULL };
	static const mode_t modes[] = { 0644, 0640, 0604, 0622, 0666, 0601 };
	size_t i, size = 1 << 20;
	char *big;

	for (i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		put(contents[i].content, contents[i].len, 0600);
		check(&source, &contents[i].want, "file");
	}
	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		put("hunter2", 7, modes[i]);
		check(&source, &(struct expected){ NULL, ERR_CONFIG,
			"run: chmod 600 /tmp/" }, "file of others");
	}
	big = mem_grow(NULL, size, 1);
	memset(big, 'x', size);
	put(big, size, 0400);
	free(big);
	check(&source, &(struct expected){ NULL, ERR_CONFIG, "longer than" },
		"big file");
	unlink(path);
	check(&source, &(struct expected){ NULL, ERR_CONFIG,
		"No such file" }, "no file");
	if (mkfifo(path, 0600) < 0)
		abort();
	check(&source, &(struct expected){ NULL, ERR_CONFIG,
		"regular file" }, "a FIFO does not make us wait");
	unlink(path);
	check(&(struct secret_source){ SECRET_FILE, "/tmp", NULL },
		&(struct expected){ NULL, ERR_CONFIG, "regular file" },
		"a folder");
}

struct command_case {
	const char *script;
	struct expected want;
};

static const struct command_case scripts[] = {
	{ "echo hunter2", { "hunter2", 0, NULL } },
	{ "printf hunter2", { "hunter2", 0, NULL } },
	{ "printf '%s' \"$TEST_SECRET$TEST_OTHER$TEST_SHOWN\"",
	  { "shown", 0, NULL } },
	{ "true", { NULL, ERR_CONFIG, "printed by /bin/sh: it is empty" } },
	{ "echo", { NULL, ERR_CONFIG, "printed by /bin/sh: it is empty" } },
	{ "echo hunter2; echo x", { NULL, ERR_CONFIG, "more than one line" } },
	{ "printf 'hunter2\\r\\n'", { NULL, ERR_CONFIG, "it has a CR" } },
	{ "printf 'hun\\0ter2'", { NULL, ERR_CONFIG, "it has a NUL" } },
	{ "echo hunter2; exit 3", { NULL, ERR_RETRY, "status 3" } },
	{ "echo hunter2; kill -9 $$", { NULL, ERR_RETRY, "signal 9" } },
	{ "head -c 100000 /dev/zero", { NULL, ERR_RETRY, "more than" } },
	{ "head -c 12288 /dev/zero | tr '\\0' x; echo; echo",
	  { NULL, ERR_RETRY, "more than" } },
	/* It must read from nothing rather than from our terminal. */
	{ "cat; echo hunter2", { "hunter2", 0, NULL } },
};

static void check_command(void)
{
	const char *argv[] = { "/bin/sh", "-c", NULL, NULL };
	static const char *const absent[] = { "/nonexistent/pass", NULL };
	const struct secret_source source = { SECRET_COMMAND, NULL, argv };
	size_t i;

	setenv("TEST_SECRET", "hunter2", 1);
	setenv("TEST_OTHER", "hunter3", 1);
	setenv("TEST_SHOWN", "shown", 1);
	for (i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		argv[2] = scripts[i].script;
		check(&source, &scripts[i].want, scripts[i].script);
	}
	check(&(struct secret_source){ SECRET_COMMAND, NULL, absent },
		&(struct expected){ NULL, ERR_CONFIG, "/nonexistent/pass" },
		"no such program");
}

/* What is wiped is gone: the pages are not ours any more, and a new secret
 * starts from zeros. */
static void check_wipe(void)
{
	struct secret a, b;
	struct err err = ERR_INIT;
	const struct secret_source longer = { SECRET_TEXT, "hunter2222", NULL };
	const struct secret_source shorter = { SECRET_TEXT, "x", NULL };
	bool ok = secret_read(&longer, NULL, &a, &err);

	secret_wipe(&a);
	secret_wipe(&a);
	ok = ok && secret_read(&shorter, NULL, &b, &err);
	tap_ok(ok && b.text[1] == '\0' && b.text[2] == '\0'
		&& b.text[9] == '\0', "nothing is left behind");
	secret_wipe(&b);
}

int main(void)
{
	int fd = mkstemp(path);

	if (fd < 0)
		abort();
	close(fd);
	check_text();
	check_env();
	check_file();
	check_command();
	check_wipe();
	return tap_done();
}
