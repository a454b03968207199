/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/advise.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/path.h"
#include "config/template.h"

struct command {
	struct mistakes *m;
	struct yaml_node *node;
	const char *const *argv;
	bool look;
};

/* Options as getopt(3) reads them, which has but one place to keep its own. */
struct options {
	const char *const *next;	/* argument */
	const char *rest;		/* letters of the one before it */
};

/* The next letter, '\0' before the first operand or at the end. `letters` as for
 * getopt(3). */
static char next_option(struct options *o, const char *letters)
{
	const char *known;
	char letter;

	if (o->rest[0] == '\0') {
		if (*o->next == NULL || (*o->next)[0] != '-'
		    || (*o->next)[1] == '\0')
			return '\0';
		o->rest = *o->next++ + 1;
		if (strcmp(o->rest, "-") == 0) {
			o->rest = "";
			return '\0';
		}
	}
	letter = *o->rest++;
	known = strchr(letters, letter);
	if (known == NULL || known[1] != ':')
		return letter;
	/* Its value is what is left of this argument, or the next one. */
	if (o->rest[0] == '\0' && *o->next != NULL)
		o->next++;
	o->rest = "";
	return letter;
}

/* Which letters are given, in `given` (of 128); the operands. */
static const char *const *read_options(const struct command *c,
	const char *letters, bool given[128])
{
	struct options o = { c->argv + 1, "" };
	char letter;

	memset(given, 0, 128 * sizeof(*given));
	while ((letter = next_option(&o, letters)) != '\0')
		given[letter & 127] = true;
	return o.next;
}

/* Are others let into the folder to put another file there? */
static const char *open_folder(struct arena *arena, const char *path)
{
	size_t len = (size_t)(strrchr(path, '/') - path);
	const char *folder = len == 0 ? "/" : arena_strndup(arena, path, len);
	struct stat st;

	return stat(folder, &st) == 0 && (st.st_mode & S_ISVTX) == 0
		&& (st.st_mode & (S_IWOTH | S_IXOTH)) == (S_IWOTH | S_IXOTH)
		? arena_printf(arena,
			"everybody can change the folder that %s is in; run: chmod o-w %s",
			path, path_quote(arena, folder)) : NULL;
}

/* What is wrong with a file of commands, or NULL. procmail lets root own it and
 * wants its folder closed, too; maildrop neither. */
static const char *fault(struct arena *arena, const char *path, bool procmail)
{
	const char *quoted = path_quote(arena, path);
	struct stat st;

	if (stat(path, &st) < 0)
		return arena_printf(arena, errno == ENOENT || errno == ENOTDIR
			? "%s does not exist" : "%s cannot be looked at", path);
	if (st.st_uid != geteuid() && (!procmail || st.st_uid != 0))
		return arena_printf(arena,
			"%s belongs to user %lu; run: chown %lu %s", path,
			(unsigned long)st.st_uid, (unsigned long)geteuid(),
			quoted);
	if ((st.st_mode & S_IWOTH) != 0)
		return arena_printf(arena,
			"everybody can change %s; run: chmod o-w %s", path,
			quoted);
	if (access(path, R_OK) < 0)
		return arena_printf(arena, "%s cannot be read", path);
	return procmail ? open_folder(arena, path) : NULL;
}

static const char *fault_of_rcfile(struct arena *arena, const char *path)
{
	if (path[0] == '~' || path[0] == '$')
		return "its path begins with ~ or $, which mean nothing here: write the whole path";
	/* Below $HOME, or filled in later: who knows. */
	if (path[0] != '/' || template_is(path)
	    || strcmp(path, "/dev/null") == 0)
		return NULL;
	return fault(arena, path, true);
}

/* procmail takes the first that it likes. */
static void rcfiles(const struct command *c, const char *const *operand)
{
	struct arena *arena = mistakes_arena(c->m);
	const char *why, *first = NULL;

	for (; *operand != NULL; operand++) {
		if (strchr(*operand, '=') != NULL)
			continue;		/* an assignment */
		why = fault_of_rcfile(arena, *operand);
		if (why == NULL)
			return;
		if (first == NULL)
			first = why;
	}
	if (first != NULL)
		mistake_advise(c->m, c->node,
			"procmail will ignore its rcfile, put the mail into the system's mailbox instead and exit with 0, as if all were well: %s",
			first);
}

static void procmail(const struct command *c)
{
	bool given[128];
	const char *const *operands = read_options(c, "a:d:f:r:", given);

	/* With -d it makes one up, and reads the files of that user; with -m it
	 * fails if it does not like the file. */
	if (given['d'])
		return;
	if (!given['f'] && !given['r'])
		mistake_advise(c->m, c->node,
			"procmail without -f writes no From_ line, so that in an mbox a message becomes a part of the one before it; write [procmail, -f, \"%%{sender}\", ...]");
	if (!given['m'] && c->look)
		rcfiles(c, operands);
}

static void maildrop(const struct command *c)
{
	bool given[128];
	const char *const *operands = read_options(c, "A:D:M:V:W:d:f:t:w:",
		given);
	const char *why, *path = operands[0];

	if (given['d'] || given['M'] || path == NULL || path[0] != '/'
	    || template_is(path) || !c->look)
		return;
	why = fault(mistakes_arena(c->m), path, false);
	if (why != NULL)
		mistake_advise(c->m, c->node,
			"maildrop will refuse its filter, and every message waits: %s",
			why);
}

static void dovecot(const struct command *c)
{
	bool given[128];

	/* Cyrus has one of this name. */
	if (strstr(c->argv[0], "cyrus") != NULL)
		return;
	(void)read_options(c, "a:c:d:f:i:m:o:p:r:s:", given);
	if (!given['e'])
		mistake_advise(c->m, c->node,
			"dovecot-lda without -e exits with 0 for mail that it rejects, as when the quota is exceeded: it sends a rejection without the text, or, if there is no Return-Path, nothing, and the message is gone; write [%s, -e, ...]",
			c->argv[0]);
}

static const struct {
	const char *name;
	void (*advise)(const struct command *command);
} known[] = {
	{ "procmail", procmail },
	{ "maildrop", maildrop },
	{ "dovecot-lda", dovecot },
	{ "deliver", dovecot },
};

void advise_pipe(struct mistakes *m, struct yaml_node *node,
	const char *const *argv, bool look)
{
	const struct command command = { m, node, argv, look };
	const char *slash = strrchr(argv[0], '/');
	const char *name = slash != NULL ? slash + 1 : argv[0];
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].name, name) == 0)
			known[i].advise(&command);
}
