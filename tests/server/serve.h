/*
 * serve: listeners, and one process for every session.
 */
#ifndef TESTS_SERVER_SERVE_H
#define TESTS_SERVER_SERVE_H

#include <stdbool.h>

#include "tests/server/session.h"

/*
 * Listen, announce, and serve until SIGTERM or SIGINT, --max-sessions or the
 * end of standard input; then end the sessions that are still there, except
 * after --max-sessions, when it waits for them.  True if all went well;
 * otherwise a line was printed on standard error.
 */
bool serve(const struct service *service);

#endif
