/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "agent/base/log_escape.h"

static const struct {
	const char *name;
	int status;
} classes[] = {
	[ERR_NONE] = { "ok", EX_OK },
	[ERR_STOP] = { "stopped", EX_TEMPFAIL },
	[ERR_MSG] = { "message", EX_TEMPFAIL },
	[ERR_RETRY] = { "retry", EX_TEMPFAIL },
	[ERR_PROTO] = { "protocol", EX_PROTOCOL },
	[ERR_LOGIN] = { "login", EX_NOPERM },
	[ERR_CONFIG] = { "configuration", EX_CONFIG },
};

static_assert(sizeof(classes) / sizeof(classes[0]) == ERR_CONFIG + 1,
	"one row for each class");

bool err_set(struct err *err, enum err_class class, const char *fmt, ...)
{
	va_list ap;

	err_clear(err);
	err->class = class;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return false;
}

bool err_sys(struct err *err, int sys, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	err_clear(err);
	/* Disk, descriptors, permissions: all of them can heal without a new
	 * configuration, so they are tried again. */
	err->class = ERR_RETRY;
	err->sys = sys;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	n = strlen(err->text);
	snprintf(err->text + n, sizeof(err->text) - n, ": %s", strerror(sys));
	return false;
}

void err_server(struct err *err, const char *words, size_t len)
{
	log_escape(err->server, sizeof(err->server), words, len);
}

void err_prefix(struct err *err, const char *fmt, ...)
{
	char text[sizeof(err->text)];
	va_list ap;
	size_t n;

	if (err->class == ERR_STOP)
		return;
	memcpy(text, err->text, sizeof(text));
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	n = strlen(err->text);
	snprintf(err->text + n, sizeof(err->text) - n, ": %.*s",
		(int)(sizeof(text) - 1), text);
}

void err_clear(struct err *err)
{
	err->class = ERR_NONE;
	err->code = ERR_CODE_NONE;
	err->sys = 0;
	err->text[0] = '\0';
	err->server[0] = '\0';
}

int err_exit_status(enum err_class class)
{
	return classes[class].status;
}

const char *err_class_name(enum err_class class)
{
	return classes[class].name;
}

enum err_class err_worse(enum err_class a, enum err_class b)
{
	return a > b ? a : b;
}
