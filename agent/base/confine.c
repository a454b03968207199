/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/base/confine_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

static bool on;

void confine_path(struct confine_rules *rules, const char *path,
	enum confine_use use)
{
	if (path == NULL)
		return;
	assert(rules->path_count < CONFINE_PATHS);
	rules->paths[rules->path_count].path = path;
	rules->paths[rules->path_count++].use = use;
}

void confine_port(struct confine_rules *rules, uint64_t port)
{
	assert(rules->port_count < CONFINE_TCP_PORTS && port <= UINT16_MAX);
	rules->ports[rules->port_count++] = (uint16_t)port;
}

unsigned int confine_can(void)
{
	unsigned int parts = confine_calls_can() | confine_files_can();

#ifdef PR_GET_NO_NEW_PRIVS
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) >= 0)
		parts |= CONFINE_PRIVS;
#endif
	return parts;
}

const char *confine_text(char *out, size_t cap, unsigned int parts)
{
	static const char *const names[] = { "no_new_privs", "system calls",
		"files", "ports", "signals" };
	size_t i, len = 0;

	snprintf(out, cap, "nothing");
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((parts >> i & 1) != 0 && len < cap)
			len += (size_t)snprintf(out + len, cap - len, "%s%s",
				len != 0 ? ", " : "", names[i]);
	return out;
}

void confine_prepare(void)
{
	confine_calls_prepare();
}

/* Lowers a limit, soft and hard; one that is lower stays. */
static void limit(int resource, rlim_t most)
{
	struct rlimit now;

	if (getrlimit(resource, &now) < 0 || now.rlim_max <= most)
		return;
	now.rlim_max = most;
	if (now.rlim_cur > most)
		now.rlim_cur = most;
	setrlimit(resource, &now);
}

static void limit_all(const struct confine_rules *rules)
{
	struct rusage used;

	/* It never forks, and root is not held by a number: see the calls. */
	limit(RLIMIT_NPROC, 0);
	limit(RLIMIT_CORE, 0);
	if (rules->cpu_s != 0 && getrusage(RUSAGE_SELF, &used) == 0)
		limit(RLIMIT_CPU, rules->cpu_s + (rlim_t)used.ru_utime.tv_sec
			+ (rlim_t)used.ru_stime.tv_sec + 1);
}

static bool give_up_privileges(struct err *err)
{
#ifdef PR_SET_NO_NEW_PRIVS
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return errno == EINVAL
			|| err_sys(err, errno, "cannot give up privileges");
#else
	(void)err;
#endif
	return true;
}

/* The files first: the other list has no call for that. */
bool confine_now(const struct confine_rules *rules, struct err *err)
{
	limit_all(rules);
	on = give_up_privileges(err) && confine_files_now(rules, err)
		&& confine_calls_now(rules, err);
	return on;
}

bool confine_is_on(void)
{
	return on;
}
