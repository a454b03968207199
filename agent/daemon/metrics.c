/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <unistd.h>

#include "agent/base/spawn.h"
#include "agent/daemon/notify.h"
#include "agent/daemon/priv.h"
#include "agent/parent/signals.h"
#include "agent/status/status.h"

#define PATIENCE_S 30

size_t daemon_foreign(void *arg, int *list)
{
	const struct daemon *d = arg;
	size_t n = 0;

	list[n++] = d->lock;
	if (notify_descriptor() >= 0)
		list[n++] = notify_descriptor();
	if (d->control != NULL)
		n += control_descriptors(d->control, list + n);
	return n;
}

struct metrics_job {
	const struct config *config;
	const int *foreign;
};

/* In a process of its own: it reads a file for each account. */
static int write_metrics(void *arg)
{
	const struct metrics_job *job = arg;
	struct err err = ERR_INIT;

	spawn_close(job->foreign);
	/* A file system that hangs must not collect us. */
	alarm(PATIENCE_S);
	if (!status_write_metrics(job->config, job->config->metrics, &err))
		log_err(LOG_LEVEL_WARN, &err);
	return 0;
}

void daemon_start_metrics(struct daemon *d)
{
	const struct config *config = parent_roster(d->parent)->config;
	int list[PARENT_FOREIGN + 3];
	struct metrics_job job = { config, list };
	struct err err = ERR_INIT;
	size_t n;

	if (config->metrics == NULL)
		return;
	n = daemon_foreign(d, list);
	list[n++] = signals_fd();
	list[n++] = signals_write_fd();
	list[n] = -1;
	if (spawn_worker(write_metrics, &job, &err) < 0)
		log_err(LOG_LEVEL_WARN, &err);
}
