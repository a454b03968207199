/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"

/*
 * What is told of delivery programs that will lose mail, and of which not. The
 * e2e tests show that the programs are like that.
 */

#define BEFORE "accounts:\n  work:\n    host: h\n    user: u\n" \
	"    password: {env: P}\n"

static char folder[] = "/tmp/postrider-advise-XXXXXX";
static struct arena *arena;
static struct err err = ERR_INIT;

static void tell(void *arg, const char *line)
{
	(void)arg;
	tap_note("%s", line);
}

static const struct config *parse(const char *text)
{
	const struct config *config = NULL;

	arena_free(arena);
	arena = arena_new();
	if (!config_parse("f", text, strlen(text), arena, tell, NULL, &config,
		&err))
		exit(99);
	return config;
}

#define FROM "procmail without -f"
#define QUOTA "dovecot-lda without -e"

static const struct program {
	const char *pipe;
	const char *says;		/* NULL: nothing */
} programs[] = {
	{ "procmail", FROM }, { "/usr/bin/procmail, -p, -t", FROM },
	{ "procmail, -pt, -m, /rc", FROM }, { "procmail, -a, -f, x", FROM },
	{ "procmail, -a-f", FROM }, { "procmail, --, -f, x", FROM },
	{ "procmail, /rc, -f, x", FROM }, { "procmail, -Y, x=-f", FROM },
	{ "procmail, -f, \"%{sender}\", -p", NULL },
	{ "procmail, \"-f%{sender}\"", NULL }, { "procmail, -f-", NULL },
	{ "procmail, -ptf, x", NULL }, { "procmail, -Yfx, -t", NULL },
	{ "procmail, -r", NULL }, { "procmail, -p, -f, \"\"", NULL },
	{ "procmail, -d, jane", NULL }, { "procmail, -t, -djane", NULL },
	{ "procmail, -a, x, -f, y", NULL }, { "procmail, \"\", -f", FROM },
	{ "dovecot-lda", QUOTA }, { "/usr/lib/dovecot/dovecot-lda, -d, x", QUOTA },
	{ "/usr/lib/dovecot/deliver, -d, x", QUOTA }, { "deliver", QUOTA },
	{ "dovecot-lda, -f, -e", QUOTA }, { "dovecot-lda, -d, x, -m, -e", QUOTA },
	{ "dovecot-lda, -de", QUOTA }, { "dovecot-lda, -o, -e=x", QUOTA },
	{ "dovecot-lda, -e", NULL }, { "dovecot-lda, -d, x, -e", NULL },
	{ "dovecot-lda, -ked, x", NULL }, { "deliver, -e, -d, x", NULL },
	{ "/usr/lib/cyrus/bin/deliver, jane", NULL },
	{ "maildrop", NULL }, { "maildrop, /no/such/filter", NULL },
	{ "cat", NULL }, { "/x/procmail/cat", NULL }, { "sh, -c, procmail", NULL },
	{ "my-procmail", NULL }, { "procmail.sh", NULL },
};

static void test_program(const struct program *p)
{
	char text[400];
	const struct config *config;
	bool ok;

	snprintf(text, sizeof(text), BEFORE "    deliver: {pipe: [%s]}\n",
		p->pipe);
	config = parse(text);
	ok = p->says == NULL ? config->advice[0] == NULL
		: config->advice[0] != NULL && config->advice[1] == NULL
		&& strncmp(config->advice[0], "f:6:21: accounts.work.deliver.pipe: warning: ", 45) == 0
		&& strstr(config->advice[0], p->says) != NULL;
	if (!tap_ok(ok, "[%s]", p->pipe) && config->advice[0] != NULL)
		tap_note("%s", config->advice[0]);
}

/* Whose advice it is, and how often it is told. */
static const struct place {
	const char *name, *text, *first, *second;
} places[] = {
	{ "two accounts, in their order", "accounts:\n"
		"  b: {host: h, user: u, password: {env: P}, deliver: {pipe: [procmail]}}\n"
		"  a: {host: h, user: u, password: {env: P}, deliver: {pipe: [procmail]}}\n",
		"f:2:61: accounts.b.", "f:3:61: accounts.a." },
	{ "one for all that share the defaults",
		"defaults: {deliver: {pipe: [dovecot-lda]}}\naccounts:\n"
		"  a: {host: h, user: u, password: {env: P}}\n"
		"  b: {host: h, user: u, password: {env: P}}\n",
		"f:1:28: defaults.deliver.pipe: warning: ", NULL },
	{ "none for defaults that nobody uses",
		"defaults: {deliver: {pipe: [dovecot-lda]}}\naccounts:\n"
		"  a: {host: h, user: u, password: {env: P}, deliver: {maildir: /m}}\n",
		NULL, NULL },
	{ "none for an account that is not fetched", "accounts:\n"
		"  a: {host: h, user: u, password: {env: P}, enabled: false,\n"
		"      deliver: {pipe: [procmail]}}\n", NULL, NULL },
};

static bool begins(const char *line, const char *text)
{
	return text == NULL ? line == NULL
		: line != NULL && strncmp(line, text, strlen(text)) == 0;
}

static void test_place(const struct place *p)
{
	const char *const *advice = parse(p->text)->advice;

	if (!tap_ok(begins(advice[0], p->first) && (advice[0] == NULL
		|| begins(advice[1], p->second)), "%s", p->name)
	    && advice[0] != NULL)
		tap_note("%s", advice[0]);
}

/* Files that are named: their modes, and that of their folder. */
static const struct file {
	const char *command;
	mode_t mode, folder;		/* mode 0: there is none */
	const char *says;
} files[] = {
	{ "procmail, -f-", 0600, 0700, NULL }, { "procmail, -f-", 0644, 0755, NULL },
	{ "procmail, -f-", 0664, 0775, NULL }, { "procmail, -f-", 0600, 01777, NULL },
	{ "procmail, -f-", 0606, 0700, "chmod o-w" },
	{ "procmail, -f-", 0666, 0700, "chmod o-w" },
	{ "procmail, -f-", 0600, 0777, "the folder that" },
	{ "procmail, -f-", 0, 0700, "does not exist" },
	{ "procmail, -f-, A=b", 0, 0700, "does not exist" },
	{ "procmail, -f-, -m", 0, 0700, NULL },
	{ "procmail, -f-, /no/such", 0600, 0700, NULL },
	{ "procmail, -f-, /no/such", 0666, 0700, "/no/such does not exist" },
	{ "procmail, -f-, .rc", 0666, 0700, NULL },
	{ "procmail, -f-, \"/x%{account}\"", 0666, 0700, NULL },
	{ "procmail, -f-, /dev/null", 0666, 0700, NULL },
	{ "procmail, -f-, ~/x", 0, 0700, "begins with ~" },
	{ "procmail, -f-, $HOME/x", 0666, 0700, "begins with ~ or $" },
	{ "maildrop, -f, x", 0600, 0777, NULL }, { "maildrop", 0664, 0700, NULL },
	{ "maildrop", 0666, 0700, "chmod o-w" }, { "maildrop", 0, 0700, "exist" },
	{ "maildrop, -V, 9", 0606, 0700, "chmod o-w" },
	{ "maildrop, -d, x", 0666, 0700, NULL },
	{ "maildrop, filter", 0666, 0700, NULL },
};

static void put(const char *path, mode_t mode, const char *text)
{
	FILE *file = fopen(path, "w");

	if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0
	    || chmod(path, mode) < 0)
		exit(99);
}

static void test_file(const struct file *f)
{
	char rc[100], path[100], text[600];
	const struct config *config = NULL;
	bool ok;

	snprintf(rc, sizeof(rc), "%s/rc", folder);
	snprintf(path, sizeof(path), "%s/config", folder);
	snprintf(text, sizeof(text), BEFORE "    deliver: {pipe: [%s, %s]}\n",
		f->command, rc);
	unlink(rc);
	put(path, 0600, text);
	if (f->mode != 0)
		put(rc, f->mode, "x");
	if (chmod(folder, f->folder) < 0)
		exit(99);
	arena_free(arena);
	arena = arena_new();
	ok = config_load(path, arena, tell, NULL, &config, &err)
		&& (f->says == NULL ? config->advice[0] == NULL
		: config->advice[0] != NULL && config->advice[1] == NULL
		&& strstr(config->advice[0], f->says) != NULL);
	tap_ok(ok, "[%s, FILE], mode %04o, folder %04o: %s", f->command,
		(unsigned int)f->mode, (unsigned int)f->folder,
		f->says != NULL ? f->says : "nothing");
	if (!ok && config != NULL && config->advice[0] != NULL)
		tap_note("%s", config->advice[0]);
}

int main(void)
{
	char path[100];
	size_t i;

	if (mkdtemp(folder) == NULL)
		exit(99);
	for (i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		test_program(&programs[i]);
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		test_place(&places[i]);
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		test_file(&files[i]);
	arena_free(arena);
	snprintf(path, sizeof(path), "%s/rc", folder);
	unlink(path);
	snprintf(path, sizeof(path), "%s/config", folder);
	unlink(path);
	rmdir(folder);
	return tap_done();
}
