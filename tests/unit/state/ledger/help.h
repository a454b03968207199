/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_STATE_LEDGER_HELP_H
#define TESTS_UNIT_STATE_LEDGER_HELP_H

#include "tests/unit/scratch.h"

#include "agent/base/digest.h"
#include "agent/state/ledger/ledger.h"

/*
 * Ledgers in directories of the scratch directory; what must work for a test
 * to mean anything ends the program when it does not.
 */

#define HELP __attribute__((unused)) static
#define ACCOUNT "test"

/* `content` and `header` stand for the bytes; NULL: no header identity; one
 * that begins with "~" is weak. */
HELP struct identity identity_of(const char *content, const char *header)
{
	struct identity id;

	memset(&id, 0, sizeof(id));
	id.content = digest_of(content, strlen(content));
	id.is_weak = header != NULL && header[0] == '~';
	id.has_header = header != NULL && !id.is_weak;
	if (header != NULL)
		id.header = digest_of(header, strlen(header));
	return id;
}

/* NULL with *err when it is refused. */
HELP struct ledger *try_ledger(const char *dir, struct err *err)
{
	int fd = scratch_subdir(dir);
	struct ledger *l = ledger_open(fd, scratch_path(dir), ACCOUNT, false,
		err);

	if (l != NULL && !ledger_begin(l, err)) {
		ledger_close(l);
		l = NULL;
	}
	/* It is only a descriptor of a directory: leaking it would cost more
	 * than the bookkeeping of who closes it. */
	if (l == NULL)
		close(fd);
	return l;
}

HELP struct ledger *need_ledger(const char *dir)
{
	struct err err = ERR_INIT;
	struct ledger *l = try_ledger(dir, &err);

	if (l == NULL)
		printf("# %s\n", err.text);
	scratch_need(l != NULL, "cannot open a ledger");
	return l;
}

HELP struct ledger_entry *put_intent(struct ledger *l, const char *uid,
	size_t len, uint64_t listed, const struct identity *identity)
{
	struct ledger_entry *entry = NULL;
	struct ledger_what what;
	struct err err = ERR_INIT;

	memset(&what, 0, sizeof(what));
	what.uid = uid;
	what.uid_len = len;
	what.listed = listed;
	what.size = listed + 1;
	what.stored = listed + 2;
	what.place = listed + 3;
	what.at = listed % 2 == 0 ? 0 : listed + 4;
	what.identity = *identity;
	what.name = "1.M2P3Q4R5Tabc.host";
	what.dest = "maildir:/home/jane doe/Mail";
	scratch_need(ledger_intent(l, &what, &entry, &err),
		"cannot write an intent");
	return entry;
}

HELP struct ledger_entry *put_delivered(struct ledger *l, const char *uid,
	size_t len, uint64_t listed, const struct identity *identity)
{
	struct ledger_entry *entry = put_intent(l, uid, len, listed, identity);
	struct err err = ERR_INIT;

	scratch_need(ledger_delivered(l, entry, &err), "cannot write");
	return entry;
}

HELP void need_sync(struct ledger *l)
{
	struct err err = ERR_INIT;

	scratch_need(ledger_sync(l, &err), "cannot flush a ledger");
}

#endif
