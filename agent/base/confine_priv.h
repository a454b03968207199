/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_BASE_CONFINE_PRIV_H
#define AGENT_BASE_CONFINE_PRIV_H

#include "agent/base/confine.h"

/*
 * The two halves: system calls (confine_calls.c), and files, ports and signals
 * (confine_files.c). Both say what they can do here, and do it.
 */

unsigned int confine_calls_can(void);
void confine_calls_prepare(void);
bool confine_calls_now(const struct confine_rules *rules, struct err *err)
	MUST_USE;

unsigned int confine_files_can(void);
bool confine_files_now(const struct confine_rules *rules, struct err *err)
	MUST_USE;

#endif
