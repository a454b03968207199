/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/parent/verdict.h"

#include <assert.h>

static const enum sched_event by_class[] = {
	[ERR_NONE] = SCHED_OK,
	[ERR_STOP] = SCHED_MISSED,
	[ERR_MSG] = SCHED_OK,		/* the ledger times its next try */
	[ERR_RETRY] = SCHED_FAILED,
	[ERR_PROTO] = SCHED_FAILED,
	[ERR_LOGIN] = SCHED_REFUSED,
	[ERR_CONFIG] = SCHED_STUCK,
};
static_assert(sizeof(by_class) / sizeof(by_class[0]) == ERR_CONFIG + 1,
	"one row for each class");

enum sched_event verdict(const struct report *report)
{
	switch ((enum err_code)report->code) {
	case ERR_CODE_AUTH:
		/* RFC 3206: it is the credentials. Each further try brings the
		 * account nearer to being locked. */
		return SCHED_STUCK;
	case ERR_CODE_LOGIN_DELAY:
		return SCHED_DELAYED;
	case ERR_CODE_BUSY:
		return SCHED_MISSED;
	case ERR_CODE_IN_USE:
	case ERR_CODE_SYS_TEMP:
		return SCHED_FAILED;
	case ERR_CODE_NONE:
	case ERR_CODE_SYS_PERM:
	case ERR_CODE_DIED:
	case ERR_CODES:
		break;
	}
	return by_class[report->class];
}
