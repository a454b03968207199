/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_TAP_H
#define TESTS_UNIT_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

/*
 * The Test Anything Protocol, as much as a unit test needs: one line a test,
 * the plan last. A program ends with `return tap_done();`.
 */

static struct {
	unsigned run, failed;
} tap;

/* Prints "ok N - what" or "not ok N - what"; returns `ok`. */
__attribute__((format(printf, 2, 3), unused))
static bool tap_ok(bool ok, const char *what, ...)
{
	va_list ap;

	tap.run++;
	tap.failed += !ok;
	printf("%sok %u - ", ok ? "" : "not ", tap.run);
	va_start(ap, what);
	vprintf(what, ap);
	va_end(ap);
	putchar('\n');
	return ok;
}

/* A line that explains; for failures. */
__attribute__((format(printf, 1, 2), unused))
static void tap_note(const char *fmt, ...)
{
	va_list ap;

	printf("# ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* The plan and the exit status. */
__attribute__((unused))
static int tap_done(void)
{
	printf("1..%u\n", tap.run);
	fflush(stdout);
	return tap.failed != 0;
}

#endif
