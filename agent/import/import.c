/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/import/priv.h"

static const struct importer *const importers[] = {
	&import_fetchmail, &import_mpop, &import_getmail, &import_fdm,
};
#define IMPORTERS (sizeof(importers) / sizeof(importers[0]))

const char *import_programs(void)
{
	return "fetchmail, mpop, getmail, fdm";
}

static const struct importer *find(const char *program)
{
	size_t i;

	for (i = 0; i < IMPORTERS; i++)
		if (strcmp(importers[i]->name, program) == 0)
			return importers[i];
	return NULL;
}

static const char *usual_place(struct import *im, const struct importer *of)
{
	const char *path = NULL;
	size_t i;

	for (i = 0; of->places[i] != NULL; i++) {
		path = text_home(im->arena, of->places[i]);
		if (access(path, F_OK) == 0)
			break;
	}
	return path;
}

bool import_read(struct import *im, const char *program, const char *path,
	struct err *err)
{
	const struct importer *of = find(program);
	long pid;

	im->last = &im->accounts;
	if (of == NULL)
		return err_set(err, ERR_CONFIG,
			"cannot import from %s: there are %s", program,
			import_programs());
	im->program = of->name;
	if (import_running(of->name, &pid))
		return err_set(err, ERR_CONFIG,
			"%s is running (process %ld), and what it fetches now would be fetched again: stop it first, and keep it from starting", of->name, pid);
	im->file = path != NULL ? text_home(im->arena, path)
		: usual_place(im, of);
	if (access(im->file, R_OK) < 0)
		return err_set(err, ERR_CONFIG,
			"cannot read %s: give the path of %s's configuration",
			im->file, of->name);
	return of->read(im, im->file, err) && (im->count != 0
		|| err_set(err, ERR_CONFIG, "there is no POP3 account in %s",
			im->file));
}

char *import_config(const struct import *im)
{
	const struct import_account *a;
	const struct import_setting *s;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		mem_exhausted();
	fprintf(out, "# From %s, the configuration of %s.\n\naccounts:\n",
		im->file, im->program);
	for (a = im->accounts; a != NULL; a = a->next) {
		fprintf(out, "  %s:\n", text_yaml(im->arena, a->name));
		for (s = a->settings; s != NULL; s = s->next)
			fprintf(out, "    %s: %s\n", s->key, s->value);
	}
	if (fclose(out) != 0)
		mem_exhausted();
	return text;
}
