/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <stdio.h>

#include "agent/sched/hosts.h"

/* Numbers for names. */

#define MANY 20000

static const char *name(char *buf, size_t size, const char *format, uint32_t i)
{
	snprintf(buf, size, "%s%u.example", format, (unsigned)i);
	return buf;
}

int main(void)
{
	struct hosts h = { 0 };
	char buf[64], longest[2048];
	bool ok = true;
	uint32_t i;
	size_t size;

	tap_ok(hosts_number(&h, "pop.example") == 0
		&& hosts_number(&h, "imap.example") == 1
		&& hosts_number(&h, "pop.example") == 0,
		"in the order they were first asked for");
	tap_ok(hosts_number(&h, "POP.Example") == 0, "without case");
	tap_ok(hosts_number(&h, "pop.example.") == 2
		&& hosts_number(&h, "pop") == 3 && hosts_number(&h, "") == 4,
		"but not without letters");
	for (i = 0; i < MANY; i++)
		ok = ok && hosts_number(&h, name(buf, sizeof(buf), "h", i))
			== 5 + i;
	for (i = MANY; i-- > 0;)
		ok = ok && hosts_number(&h, name(buf, sizeof(buf), "H", i))
			== 5 + i;
	tap_ok(ok && h.count == MANY + 5, "many are known again");
	for (i = 0; i < sizeof(longest) - 1; i++)
		longest[i] = 'x';
	longest[i] = '\0';
	size = hosts_size(&h);
	tap_ok(hosts_number(&h, longest) == MANY + 5
		&& hosts_number(&h, longest) == MANY + 5
		&& hosts_number(&h, longest + 1) == MANY + 6,
		"however long");
	tap_ok(hosts_size(&h) >= size && size >= MANY * 10, "size");
	hosts_free(&h);
	tap_ok(hosts_size(&h) == 0 && hosts_number(&h, "anew") == 0,
		"begins anew");
	hosts_free(&h);
	return tap_done();
}
