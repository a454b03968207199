/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "agent/base/err.h"

/* The one error type: what a class means, and texts of any length. */

static const struct class {
	enum err_class class;
	const char *name;
	int status;
} classes[] = {
	{ ERR_NONE, "ok", EX_OK }, { ERR_STOP, "stopped", EX_TEMPFAIL },
	{ ERR_MSG, "message", EX_TEMPFAIL },
	{ ERR_RETRY, "retry", EX_TEMPFAIL },
	{ ERR_PROTO, "protocol", EX_PROTOCOL },
	{ ERR_LOGIN, "login", EX_NOPERM },
	{ ERR_CONFIG, "configuration", EX_CONFIG },
};
#define CLASSES (sizeof(classes) / sizeof(classes[0]))

static void test_classes(void)
{
	const struct class *c;
	size_t i, k;
	bool ok = true;

	tap_ok(CLASSES == ERR_CONFIG + 1, "each class is tested");
	for (i = 0; i < CLASSES; i++) {
		c = &classes[i];
		tap_ok(err_exit_status(c->class) == c->status
			&& strcmp(err_class_name(c->class), c->name) == 0,
			"%s ends with %d", c->name, c->status);
		/* They are written here from the best to the worst. */
		for (k = 0; k < CLASSES; k++)
			ok = ok && err_worse(c->class, classes[k].class)
				== classes[i > k ? i : k].class;
	}
	tap_ok(ok, "the worse of any two");
}

/* A copy with guards on both sides, in memory of its own. */
static struct err *fresh(void)
{
	struct err *err = malloc(sizeof(*err));

	if (err == NULL)
		exit(99);
	memset(err, 'x', sizeof(*err));
	err_clear(err);
	return err;
}

static bool terminated(const struct err *err)
{
	return memchr(err->text, '\0', sizeof(err->text)) != NULL
		&& memchr(err->server, '\0', sizeof(err->server)) != NULL;
}

static void test_set(void)
{
	struct err *err = fresh();

	tap_ok(err->class == ERR_NONE && err->sys == 0 && err->text[0] == '\0'
		&& err->server[0] == '\0', "a cleared error");
	tap_ok(!err_set(err, ERR_MSG, "%s %d", "n", 7) && err->class == ERR_MSG
		&& err->sys == 0 && strcmp(err->text, "n 7") == 0, "err_set");
	err_server(err, "no\r\n\x1b[2J", 8);
	tap_ok(strcmp(err->server, "no\\x0d\\x0a\\x1b[2J") == 0,
		"the server's words are escaped");
	tap_ok(!err_sys(err, ENOSPC, "cannot write %s", "x")
		&& err->class == ERR_RETRY && err->sys == ENOSPC
		&& strstr(err->text, "cannot write x: ") == err->text
		&& strstr(err->text, strerror(ENOSPC)) != NULL
		&& err->server[0] == '\0', "err_sys, nothing of before left");
	err_prefix(err, "account %s", "jane");
	tap_ok(strstr(err->text, "account jane: cannot write x: ") == err->text
		&& err->class == ERR_RETRY && err->sys == ENOSPC,
		"err_prefix keeps the rest");
	err_set(err, ERR_STOP, "stopped");
	err_prefix(err, "no greeting");
	tap_ok(strcmp(err->text, "stopped") == 0, "a stop is nobody's fault");
	free(err);
}

/* Each function with texts around the size of the buffer. */
static void test_lengths(void)
{
	static const size_t lengths[] = { 0, 1, 255, 256, 257, 509, 510, 511,
		512, 513, 2047, 2048, 65536 };
	char *long_text = malloc(65537);
	struct err *err = fresh();
	bool set = true, sys = true, prefix = true, server = true;
	size_t i, n, cut;

	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		n = lengths[i];
		memset(long_text, 'y', n);
		long_text[n] = '\0';
		cut = n < sizeof(err->text) ? n : sizeof(err->text) - 1;
		err_set(err, ERR_MSG, "%s", long_text);
		set = set && terminated(err) && strlen(err->text) == cut
			&& strspn(err->text, "y") == cut;
		err_prefix(err, "pre");
		prefix = prefix && terminated(err)
			&& strncmp(err->text, "pre: y", n == 0 ? 5 : 6) == 0
			&& strlen(err->text) == (cut + 5 < sizeof(err->text)
				? cut + 5 : sizeof(err->text) - 1);
		err_set(err, ERR_MSG, "text");
		err_prefix(err, "%s", long_text);
		prefix = prefix && terminated(err)
			&& strspn(err->text, "y") == cut
			&& (cut > 400 || strcmp(err->text + cut, ": text") == 0);
		err_sys(err, EIO, "%s", long_text);
		sys = sys && terminated(err) && strspn(err->text, "y") == cut;
		err_server(err, long_text, n);
		server = server && terminated(err);
	}
	tap_ok(set, "a text of any length is cut to fit");
	tap_ok(prefix, "so is one with a prefix");
	tap_ok(sys, "so is that of a failed call");
	tap_ok(server, "so are the server's words");
	free(long_text);
	free(err);
}

int main(void)
{
	test_classes();
	test_set();
	test_lengths();
	return tap_done();
}
