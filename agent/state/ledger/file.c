/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/base/fsx.h"
#include "agent/state/ledger/priv.h"

/*
 * Lines on their way into the file: the buffer, the kernel, the disk.
 */

bool ledger_may_write(const struct ledger *l, struct err *err)
{
	return (l->ready && !l->broken) || err_set(err, ERR_RETRY,
		"%s could not be written", l->path);
}

bool ledger_put(struct ledger *l, const struct record *r, struct err *err)
{
	size_t n;

	if (!ledger_may_write(l, err))
		return false;
	if (sizeof(l->buffer) - l->len < LIMIT_LEDGER_LINE
	    && !ledger_flush(l, err))
		return false;
	n = record_encode(r, &l->crc, l->buffer + l->len, LIMIT_LEDGER_LINE);
	if (n == 0)
		return err_set(err, ERR_MSG,
			"a record for %s would be longer than %d bytes",
			l->path, LIMIT_LEDGER_LINE);
	l->len += n;
	l->lines++;
	l->synced = false;
	l->sealed = r->type == RECORD_MARK;
	return true;
}

bool ledger_flush(struct ledger *l, struct err *err)
{
	size_t len = l->len;

	if (!ledger_may_write(l, err))
		return false;
	l->len = 0;
	if (len == 0 || fsx_write(l->fd, l->buffer, len, l->path, err))
		return true;
	/* Part of a line may be there: whoever loads it cuts it off. */
	l->broken = true;
	return false;
}

bool ledger_sync(struct ledger *l, struct err *err)
{
	if (!ledger_flush(l, err))
		return false;
	if (l->synced)
		return true;
	if (!fsx_sync(l->fd, l->path, err)) {
		l->broken = true;
		return false;
	}
	l->synced = true;
	l->durable_id = l->next_id - 1;
	l->durable_lines = l->lines;
	return true;
}
