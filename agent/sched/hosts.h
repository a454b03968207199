/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_SCHED_HOSTS_H
#define AGENT_SCHED_HOSTS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Numbers for host names, so that counting their connections takes no search.
 * Case does not matter.
 */

struct hosts {
	size_t *names;			/* by number: where in `text` */
	size_t count, room;
	uint32_t *table;		/* number + 1, or 0; by hash */
	size_t slots;			/* a power of two */
	char *text;
	size_t text_len, text_room;
};

/* The number of a host: 0, 1, 2... in the order they were first asked for. */
uint32_t hosts_number(struct hosts *h, const char *name);
/* Memory in use, in bytes. */
size_t hosts_size(const struct hosts *h);
void hosts_free(struct hosts *h);

#endif
