/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <stddef.h>

#include "agent/parent/verdict.h"

/* What each way to end a pass means for the next one. */

static const struct row {
	enum err_class class;
	enum err_code code;
	enum sched_event want;
	const char *what;
} rows[] = {
	{ ERR_NONE, ERR_CODE_NONE, SCHED_OK, "it went well" },
	{ ERR_MSG, ERR_CODE_NONE, SCHED_OK, "a message waits for its own time" },
	{ ERR_STOP, ERR_CODE_NONE, SCHED_MISSED, "it was asked to stop" },
	{ ERR_RETRY, ERR_CODE_NONE, SCHED_FAILED, "network, disk, program" },
	{ ERR_PROTO, ERR_CODE_NONE, SCHED_FAILED, "the server misbehaves" },
	{ ERR_LOGIN, ERR_CODE_NONE, SCHED_REFUSED, "refused for no reason" },
	{ ERR_CONFIG, ERR_CODE_NONE, SCHED_STUCK, "a person must change it" },
	{ ERR_LOGIN, ERR_CODE_AUTH, SCHED_STUCK, "[AUTH]" },
	{ ERR_RETRY, ERR_CODE_IN_USE, SCHED_FAILED, "[IN-USE]" },
	{ ERR_LOGIN, ERR_CODE_IN_USE, SCHED_FAILED, "[IN-USE] to a login" },
	{ ERR_RETRY, ERR_CODE_LOGIN_DELAY, SCHED_DELAYED, "[LOGIN-DELAY]" },
	{ ERR_RETRY, ERR_CODE_SYS_TEMP, SCHED_FAILED, "[SYS/TEMP]" },
	{ ERR_LOGIN, ERR_CODE_SYS_TEMP, SCHED_FAILED, "[SYS/TEMP] to a login" },
	{ ERR_PROTO, ERR_CODE_SYS_PERM, SCHED_FAILED, "[SYS/PERM]" },
	{ ERR_RETRY, ERR_CODE_BUSY, SCHED_MISSED, "another one of ours" },
	{ ERR_RETRY, ERR_CODE_DIED, SCHED_FAILED, "the worker crashed" },
};

static bool is_end(enum sched_event event)
{
	return event >= SCHED_OK && event <= SCHED_STUCK;
}

/* A worker may put any two together. */
static void test_all(void)
{
	struct report report = { .class = ERR_NONE };
	bool ok = true;

	for (report.class = 0; report.class <= ERR_CONFIG; report.class++)
		for (report.code = 0; report.code < ERR_CODES; report.code++)
			ok = ok && is_end(verdict(&report));
	tap_ok(ok, "whatever a worker says, its pass has ended");
}

int main(void)
{
	struct report report = { .class = ERR_NONE };
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		report.class = rows[i].class;
		report.code = rows[i].code;
		tap_ok(verdict(&report) == rows[i].want, "%s", rows[i].what);
	}
	test_all();
	return tap_done();
}
