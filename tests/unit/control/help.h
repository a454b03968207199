/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_CONTROL_HELP_H
#define TESTS_UNIT_CONTROL_HELP_H

#include <stdlib.h>
#include <sysexits.h>

#include "agent/control/control.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

/*
 * A daemon that listens in the scratch directory and remembers what it was
 * asked.
 */

#define PATH "run/control"
/* More than the buffers of a socket hold. */
#define MUCH (4u << 20)

static struct err err = ERR_INIT;
static clock_ms now;			/* the daemon's clock */
static unsigned int served;		/* requests carried out */
static char last[256];			/* the last of them */

/* Remembers its arguments; answers what they ask for. */
static int answer(void *arg, int argc, char **argv, FILE *out)
{
	size_t n = 0;
	int i;

	(void)arg;
	served++;
	last[0] = '\0';
	for (i = 0; i < argc && n < sizeof(last); i++)
		n += (size_t)snprintf(last + n, sizeof(last) - n, "%s%s",
			i != 0 ? "|" : "", argv[i]);
	if (strcmp(argv[0], "much") == 0)
		for (n = 0; n < MUCH; n++)
			fputc('0' + (int)(n % 10), out);
	else if (strcmp(argv[0], "count") == 0)
		fprintf(out, "%d\n", argc);
	else if (strcmp(argv[0], "rude") == 0)
		fputs("a\tb\n\033[2J\x9b\r", out);
	else if (strcmp(argv[0], "fail") == 0)
		fputs("no such account\n", out);
	return strcmp(argv[0], "fail") == 0 ? EX_USAGE : EX_OK;
}

static struct control *open_there(void)
{
	struct control *c = control_open(scratch_path(PATH), answer, NULL,
		&err);

	if (c == NULL)
		tap_note("%s", err.text);
	scratch_need(c != NULL, "no control socket");
	now = clock_now();
	served = 0;
	return c;
}

static size_t callers(const struct control *c)
{
	int list[CONTROL_FDS];

	return control_descriptors(c, list) - 1;
}

/* As if the process had been killed: the socket stays behind. */
static void abandon(struct control *c)
{
	int list[CONTROL_FDS];
	size_t n = control_descriptors(c, list);

	while (n-- > 0)
		close(list[n]);
	free(c);
}

#endif
