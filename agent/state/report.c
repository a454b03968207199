/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/state/report.h"

#include <stdio.h>
#include <string.h>

#include "agent/base/log.h"

void report_err(struct report *report, const struct err *err)
{
	report->class = err->class;
	report->code = err->code;
	log_escape(report->text, sizeof(report->text), err->text,
		strlen(err->text));
	snprintf(report->server, sizeof(report->server), "%s", err->server);
}
