/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/log.h"
#include "tests/unit/scratch.h"

/* One event, one line, printable: whatever a server or a sender writes. */

static struct err err = ERR_INIT;

static bool printable(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s < ' ' || *s > '~')
			return false;
	return true;
}

static const struct escape {
	const char *name, *in;
	size_t len;
	const char *out;
} escapes[] = {
	{ "plain", "a Z~!", 5, "a Z~!" },
	{ "empty", "", 0, "" },
	{ "newline", "a\nb", 3, "a\\x0ab" },
	{ "CR", "a\rb", 3, "a\\x0db" },
	{ "NUL", "a\0b", 3, "a\\x00b" },
	{ "tab", "\t", 1, "\\x09" },
	{ "ESC and CSI", "\x1b[2J", 4, "\\x1b[2J" },
	{ "OSC 52", "\x1b]52;c;x\x07", 9, "\\x1b]52;c;x\\x07" },
	{ "C1 CSI", "\x9b" "31m", 4, "\\x9b31m" },
	{ "backspace", "a\bb", 3, "a\\x08b" },
	{ "DEL", "\x7f", 1, "\\x7f" },
	{ "8-bit", "\x80\xff", 2, "\\x80\\xff" },
	{ "a right-to-left override", "\xe2\x80\xae", 3, "\\xe2\\x80\\xae" },
	{ "a format", "%n%s", 4, "%n%s" },
};

static void test_escapes(void)
{
	const struct escape *e = escapes;
	char out[64];

	for (; e < escapes + sizeof(escapes) / sizeof(escapes[0]); e++)
		tap_ok(log_escape(out, sizeof(out), e->in, e->len) == out
			&& strcmp(out, e->out) == 0, "escape: %s", e->name);
}

/* Every capacity, for a text of `len` bytes of which each takes `each`. */
static void test_capacity(const char *name, char byte, size_t len, size_t each)
{
	char *in = malloc(len + 1), *out = malloc(len * each + 64);
	size_t cap, n, step = len > 100 ? 97 : 1;
	bool inside = true, whole = true, dots = true;

	memset(in, byte, len);
	for (cap = 0; cap < len * each + 20; cap += step) {
		memset(out, '#', len * each + 64);
		log_escape(out, cap, in, len);
		inside = inside && out[cap] == '#' && (cap == 0
			|| memchr(out, '\0', cap) != NULL);
		n = cap == 0 ? 0 : strlen(out);
		if (cap > len * each)
			whole = whole && n == len * each;
		else if (cap >= 8)
			dots = dots && strcmp(out + n - 3, "...") == 0
				&& (n - 3) % each == 0;
	}
	tap_ok(inside, "%zu bytes of %s: never beyond what there is", len,
		name);
	tap_ok(whole, "whole where they fit");
	tap_ok(dots, "cut with dots where they do not, never inside an escape");
	free(in);
	free(out);
}

/* What the log file holds; emptied. */
static char *logged(void)
{
	size_t len = 0;
	char *text = scratch_read("log", &len);

	scratch_need(text != NULL, "no log");
	scratch_need(truncate(scratch_path("log"), 0) == 0, "no log");
	return text;
}

static bool one_line(const char *text)
{
	const char *lf = strchr(text, '\n');

	return lf != NULL && lf[1] == '\0';
}

static bool is_line(const char *words)
{
	char *text = logged(), *at = strstr(text, " postrider: ");
	bool ok = one_line(text) && at != NULL && at < text + 40;

	if (ok) {
		at += strlen(" postrider: ");
		at[strlen(at) - 1] = '\0';
		ok = strcmp(at, words) == 0;
	}
	if (!ok)
		tap_note("%s", text);
	free(text);
	return ok;
}

static void open_log(enum log_level level, enum log_format format)
{
	scratch_need(log_open(level, format, scratch_path("log"), &err),
		"cannot open the log");
}

static void test_lines(void)
{
	struct err e = ERR_INIT;
	struct stat st;

	open_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	tap_ok(stat(scratch_path("log"), &st) == 0
		&& (st.st_mode & 07777) == 0600, "a log is ours alone");
	log_info("%s %d", "one", 1);
	tap_ok(is_line("one 1"), "a line");
	log_warn("two");
	tap_ok(is_line("warning: two"), "a warning");
	log_account("jane");
	errno = ENOENT;
	log_error("a\npostrider: forged\x1b[2J");
	tap_ok(errno == ENOENT, "errno stays");
	tap_ok(is_line("jane: a\\x0apostrider: forged\\x1b[2J"),
		"a newline forges no line");
	log_account(NULL);
	log_debug("three");
	tap_ok(!log_enabled(LOG_LEVEL_DEBUG) && log_enabled(LOG_LEVEL_INFO)
		&& scratch_holds("log", "", 0), "nothing below its level");
	err_set(&e, ERR_PROTO, "it refused");
	err_server(&e, "no\n", 3);
	log_err(LOG_LEVEL_ERROR, &e);
	tap_ok(is_line("it refused; the server said: no\\x0a"),
		"an error with the server's words, escaped once");
	log_over_progress(true);
	log_info("four");
	tap_ok(is_line("four"), "a file has no progress to clear");
	log_over_progress(false);
	tap_ok(!log_open(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, "/no/such/folder/x",
		&err) && err.class == ERR_CONFIG, "a log that cannot be "
		"opened is a mistake in the configuration");
}

static const size_t lengths[] = { 1, 2000, 2030, 2039, 2040, 2041, 2046, 2047,
	2048, 2049, 4096, 65536, 1000000 };

static void test_lengths(enum log_format format, char byte)
{
	char *text = malloc(1000001), *line;
	size_t i, n;
	bool ok = true;

	open_log(LOG_LEVEL_INFO, format);
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		n = lengths[i];
		memset(text, byte, n);
		text[n] = '\0';
		log_info("%s", text);
		line = logged();
		ok = ok && one_line(line);
		line[strcspn(line, "\n")] = '\0';
		ok = ok && printable(line) && (format == LOG_FORMAT_TEXT
			|| strcmp(line + strlen(line) - 2, "\"}") == 0);
		free(line);
	}
	tap_ok(ok, "%s: one line for bytes of %02x, however many",
		format == LOG_FORMAT_JSON ? "JSON" : "text",
		(unsigned int)(unsigned char)byte);
	free(text);
}

/* The string value of "message", unquoted. */
static bool json_message(char *line, char *out, size_t cap)
{
	static const char key[] = "\"message\":\"";
	const char *p = strstr(line, key);
	size_t n = 0;

	if (p == NULL)
		return false;
	for (p += strlen(key); *p != '"'; p++) {
		if (*p == '\\' && *++p != '\\' && *p != '"')
			return false;
		if (*p == '\0' || n + 1 == cap)
			return false;
		out[n++] = *p;
	}
	out[n] = '\0';
	return strcmp(p, "\"}\n") == 0;
}

static const struct json {
	const char *in, *out;
} jsons[] = {
	{ "plain", "plain" }, { "a \"quoted\" word", "a \"quoted\" word" },
	{ "back\\slash\\", "back\\slash\\" }, { "\"", "\"" }, { "", "" },
	{ "\",\"level\":\"x", "\",\"level\":\"x" },
	{ "line\nend", "line\\x0aend" }, { "\x1b\x9b", "\\x1b\\x9b" },
};

static void test_json(void)
{
	char *line, out[128];
	size_t i;

	open_log(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
	for (i = 0; i < sizeof(jsons) / sizeof(jsons[0]); i++) {
		log_debug("%s", jsons[i].in);
		line = logged();
		tap_ok(one_line(line) && json_message(line, out, sizeof(out))
			&& strcmp(out, jsons[i].out) == 0
			&& strstr(line, "\"level\":\"debug\"") != NULL,
			"JSON %zu", i);
		free(line);
	}
}

int main(void)
{
	scratch_make("log");
	test_escapes();
	test_capacity("text", 'a', 40, 1);
	test_capacity("ESC", 0x1b, 40, 4);
	test_capacity("ESC", 0x1b, 2048, 4);
	test_capacity("text", 'a', 65536, 1);
	test_lines();
	test_lengths(LOG_FORMAT_TEXT, 'a');
	test_lengths(LOG_FORMAT_TEXT, 0x1b);
	test_lengths(LOG_FORMAT_JSON, 'a');
	test_lengths(LOG_FORMAT_JSON, '"');
	test_lengths(LOG_FORMAT_JSON, '\\');
	test_lengths(LOG_FORMAT_JSON, '\n');
	test_json();
	scratch_end();
	return tap_done();
}
