/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
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

static const struct secret_query query = { "password", "pop.example.com",
	"jane", "box", hide, true };

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

	if (secret_read(source, &query, &secret, &err))
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
	struct secret_source source = { .kind = SECRET_TEXT, .text = longest };

	memset(longest, 'x', LIMIT_SECRET);
	longest[LIMIT_SECRET] = '\0';
	check(&source, &fits, "the longest");
	strcpy(longest + LIMIT_SECRET, "x");
	check(&source, &exceeds, "longer than the longest");
	free(longest);
	check(&(struct secret_source){ .kind = SECRET_TEXT, .text = "hunter2" },
		&(struct expected){ "hunter2", 0, NULL }, "text");
	check(&(struct secret_source){ .kind = SECRET_TEXT, .text = "hunter\n2" },
		&(struct expected){ NULL, ERR_CONFIG, "in the configuration" },
		"text of two lines");
	check(&(struct secret_source){ .kind = SECRET_NONE, .text = NULL },
		&(struct expected){ NULL, ERR_CONFIG, "none" }, "none");
}

static void check_env(void)
{
	static const struct secret_source source = { .kind = SECRET_ENV,
		.text = "TEST_SECRET" };

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

static void put_at(const char *at, const char *content, size_t len,
	mode_t mode)
{
	FILE *file = fopen(at, "w");

	if (file == NULL || fwrite(content, 1, len, file) != len
	    || fclose(file) != 0 || chmod(at, mode) < 0)
		abort();
}

static void put(const char *content, size_t len, mode_t mode)
{
	put_at(path, content, len, mode);
}

static void check_file(void)
{
	const struct secret_source source = { .kind = SECRET_FILE, .text = path };
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
	check(&(struct secret_source){ .kind = SECRET_FILE, .text = "/tmp" },
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
	{ "echo no key ring >&2; echo x >&2; exit 3",
	  { NULL, ERR_RETRY, "status 3: no key ring;x" } },
	{ "echo hunter2; echo it is hunter2 >&2; exit 3",
	  { NULL, ERR_RETRY, "status 3: it is *******" } },
	{ "printf 'a\\033[1m\\n\\n' >&2; exit 1",
	  { NULL, ERR_RETRY, "status 1: a\\x1b[1m" } },
	{ "head -c 100000 /dev/zero >&2; echo end >&2; exit 1",
	  { NULL, ERR_RETRY, "status 1: " } },
	{ "echo fine >&2; echo hunter2", { "hunter2", 0, NULL } },
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
	const struct secret_source source = { .kind = SECRET_COMMAND, .argv = argv };
	size_t i;

	setenv("TEST_SECRET", "hunter2", 1);
	setenv("TEST_OTHER", "hunter3", 1);
	setenv("TEST_SHOWN", "shown", 1);
	for (i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		argv[2] = scripts[i].script;
		check(&source, &scripts[i].want, scripts[i].script);
	}
	check(&(struct secret_source){ .kind = SECRET_COMMAND, .argv = absent },
		&(struct expected){ NULL, ERR_CONFIG, "/nonexistent/pass" },
		"no such program");
}

/* systemd's folder: a file in it may be open to a group, not to everybody. */
static void check_credential(void)
{
	static char folder[] = "/tmp/postrider-credentials-XXXXXX";
	const struct secret_source source = { .kind = SECRET_CREDENTIAL,
		.text = "box" };
	char *name;

	unsetenv("CREDENTIALS_DIRECTORY");
	check(&source, &(struct expected){ NULL, ERR_CONFIG,
		"CREDENTIALS_DIRECTORY is not set" }, "no folder");
	if (mkdtemp(folder) == NULL || asprintf(&name, "%s/box", folder) < 0)
		abort();
	setenv("CREDENTIALS_DIRECTORY", folder, 1);
	check(&source, &(struct expected){ NULL, ERR_CONFIG, "No such file" },
		"no such credential");
	put_at(name, "hunter2\n", 8, 0440);
	check(&source, &(struct expected){ "hunter2", 0, NULL }, "credential");
	chmod(name, 0444);
	check(&source, &(struct expected){ NULL, ERR_CONFIG, "run: chmod o= " },
		"credential for everybody");
	unlink(name);
	rmdir(folder);
	free(name);
}

#define MINE "machine pop.example.com login jane password hunter2\n"

static const struct file_case netrcs[] = {
	{ BYTES(MINE), { "hunter2", 0, NULL } },
	{ BYTES("machine pop.example.com\r\n\tlogin jane\r\n"
		"\tpassword hunter2"), { "hunter2", 0, NULL } },
	{ BYTES("machine POP.Example.COM password hunter2 login jane"),
	  { "hunter2", 0, NULL } },
	{ BYTES("machine x login jane password hunter3\n" MINE),
	  { "hunter2", 0, NULL } },
	{ BYTES("machine pop.example.com login joe password hunter3\n" MINE),
	  { "hunter2", 0, NULL } },
	{ BYTES("machine pop.example.com login jane account x "
		"password \"hun \\\"ter\\\\2\"\n"), { "hun \"ter\\2", 0, NULL } },
	{ BYTES("# machine pop.example.com login jane password hunter3\n"
		MINE), { "hunter2", 0, NULL } },
	{ BYTES("machine x macdef init\nmachine pop.example.com login jane "
		"password hunter3\n\n" MINE), { "hunter2", 0, NULL } },
	{ BYTES("#work\n" MINE), { "hunter2", 0, NULL } },
	{ BYTES("#\n#\n\n  # x\n" MINE "#"), { "hunter2", 0, NULL } },
	{ BYTES("machine pop.example.com login jane password #hunter2\n"),
	  { "#hunter2", 0, NULL } },
	{ BYTES(MINE "machine pop.example.com login jane password hunter3"),
	  { "hunter2", 0, NULL } },
	{ BYTES("default login jane password hunter2\n"),
	  { NULL, ERR_CONFIG, "has no line: machine pop.example.com login jane" } },
	{ BYTES("machine pop.example.com password hunter2\n"),
	  { NULL, ERR_CONFIG, "has no line" } },
	{ BYTES("machine pop.example.com login jane\n"),
	  { NULL, ERR_CONFIG, "has no line" } },
	{ BYTES("machine pop.example.com login jane password"),
	  { NULL, ERR_CONFIG, "has no line" } },
	{ BYTES(""), { NULL, ERR_CONFIG, "has no line" } },
	{ BYTES("machine pop.example.com login jane password \"hunter2\nx\""),
	  { NULL, ERR_CONFIG, "more than one line" } },
	{ BYTES("machine pop.example.com login jane password \"hunter2\r\""),
	  { NULL, ERR_CONFIG, "it has a CR" } },
	{ BYTES(MINE "\0"), { NULL, ERR_CONFIG, "holds a NUL" } },
};

static void check_netrc(void)
{
	const struct secret_source source = { .kind = SECRET_NETRC,
		.text = path };
	size_t i, size = LIMIT_NETRC_BYTES + 1;
	char *big = mem_grow(NULL, size, 1);

	for (i = 0; i < sizeof(netrcs) / sizeof(netrcs[0]); i++) {
		put(netrcs[i].content, netrcs[i].len, 0600);
		check(&source, &netrcs[i].want, "netrc");
	}
	put(MINE, sizeof(MINE) - 1, 0640);
	check(&source, &(struct expected){ NULL, ERR_CONFIG,
		"run: chmod 600 /tmp/" }, "netrc of others");
	memset(big, ' ', size);
	put(big, size, 0600);
	free(big);
	check(&source, &(struct expected){ NULL, ERR_CONFIG, "larger than" },
		"big netrc");
	unlink(path);
}

/* Standard input is no terminal here, or nobody may be asked. */
static void check_prompt(void)
{
	const struct secret_source source = { .kind = SECRET_PROMPT };
	int null = open("/dev/null", O_RDONLY);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		abort();
	check(&source, &(struct expected){ NULL, ERR_CONFIG,
		"needs a terminal" }, "nobody to ask");
}

/* Does the mapping that holds `p` have this flag? */
static bool has_flag(const void *p, const char *flag)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	unsigned long from, to, at = (unsigned long)(uintptr_t)p;
	bool ours = false, found = false;
	char line[512];

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			ours = at >= from && at < to;
		else if (ours && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line, flag) != NULL;
	}
	if (file != NULL)
		fclose(file);
	return found;
}

static void check_memory(void)
{
	const struct secret_source source = { .kind = SECRET_TEXT,
		.text = "hunter2" };
	struct secret secret, copy;
	struct err err = ERR_INIT;

	if (!secret_read(&source, &query, &secret, &err)
	    || !secret_copy(&secret, &copy, &err))
		abort();
	tap_ok(secret_equal(&secret, &copy) && secret.text != copy.text,
		"a copy");
	if (access("/proc/self/smaps", R_OK) == 0) {
		tap_ok(has_flag(secret.text, " dd"), "in no core dump");
		tap_ok(has_flag(secret.text, " dc"), "in no child");
		secret_lend(&secret, true);
		tap_ok(!has_flag(secret.text, " dc"), "lent to a child");
		secret_lend(&secret, false);
		tap_ok(has_flag(secret.text, " dc"), "and to no other");
	}
	copy.text[0] = 'x';
	tap_ok(!secret_equal(&secret, &copy), "another");
	secret_wipe(&copy);
	secret_wipe(&secret);
}

/* What is wiped is gone: the pages are not ours any more, and a new secret
 * starts from zeros. */
static void check_wipe(void)
{
	struct secret a, b;
	struct err err = ERR_INIT;
	const struct secret_source longer = { .kind = SECRET_TEXT, .text = "hunter2222" };
	const struct secret_source shorter = { .kind = SECRET_TEXT, .text = "x" };
	bool ok = secret_read(&longer, &query, &a, &err);

	secret_wipe(&a);
	secret_wipe(&a);
	ok = ok && secret_read(&shorter, &query, &b, &err);
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
	check_credential();
	check_netrc();
	check_prompt();
	check_memory();
	check_wipe();
	return tap_done();
}
