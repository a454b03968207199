/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

#include "agent/base/arena.h"
#include "agent/status/status.h"

/* The file of metrics, as the daemon keeps it. */

static struct arena *arena;
static struct err err = ERR_INIT;

static void report(void *arg, const char *line)
{
	(void)arg;
	tap_note("%s", line);
}

static const struct config *configuration(void)
{
	static const char accounts[] =
		"\ndefaults: {host: h, user: u, password: {env: P}, deliver: {maildir: /m}}\n"
		"accounts:\n  home: {}\n  away: {enabled: false}\n  work: {}\n";
	const struct config *config;
	char text[PATH_MAX + 300];

	snprintf(text, sizeof(text), "state: %s%s", scratch_dir, accounts);
	scratch_need(config_parse("f", text, strlen(text), arena, report, NULL,
		&config, &err), err.text);
	return config;
}

static void remember(const char *account, uint64_t messages)
{
	struct memory memory;
	int dir = scratch_subdir(account);

	memset(&memory, 0, sizeof(memory));
	memory.outcome.messages = messages;
	memory_write(dir, &memory);
	close(dir);
}

static bool says(const char *name, const char *words)
{
	size_t len;
	char *text = scratch_read(name, &len);
	bool found = text != NULL && strstr(text, words) != NULL;

	free(text);
	return found;
}

int main(void)
{
	const struct config *config;
	struct stat st;

	scratch_make("status");
	arena = arena_new();
	config = configuration();
	remember("home", 7);
	umask(077);
	tap_ok(status_write_metrics(config, scratch_path("m.prom"), &err),
		"a first file");
	tap_ok(says("m.prom", "messages_total{account=\"home\"} 7\n")
		&& says("m.prom", "messages_total{account=\"work\"} 0\n")
		&& says("m.prom", "\n# EOF\n"), "all enabled accounts");
	tap_ok(!says("m.prom", "away"), "and no other");
	tap_ok(stat(scratch_path("m.prom"), &st) == 0
		&& (st.st_mode & 07777) == 0644, "everybody may read it");
	remember("home", 8);
	tap_ok(status_write_metrics(config, scratch_path("m.prom"), &err)
		&& says("m.prom", "messages_total{account=\"home\"} 8\n"),
		"replaced");
	tap_ok(scratch_count(".", NULL) == 2, "nothing else is left");
	tap_ok(!status_write_metrics(config, scratch_path("none/m.prom"), &err)
		&& err.class == ERR_RETRY && strstr(err.text, "none/m.prom")
		!= NULL, "a folder that is not there is named");
	arena_free(arena);
	scratch_end();
	return tap_done();
}
