/*
 * fault: plays what the script wants around one event of a session.
 *
 * The order is that of the comment in script.h: what comes instead of the
 * command, what stands around its answer, what follows.
 */
#ifndef TESTS_SERVER_FAULT_H
#define TESTS_SERVER_FAULT_H

#include "tests/server/session.h"

/*
 * Carry out VERB with ARG as EVENT, under FAULT.  MULTI tells that the answer
 * of the command has several lines.
 */
void fault_play(struct session *s, const struct fault *fault, enum event event, bool multi,
		session_verb *verb, const char *arg);

/*
 * The same for the handshake.  False: it must not take place.
 */
bool fault_before_handshake(struct session *s, const struct fault *fault);
void fault_after_handshake(struct session *s, const struct fault *fault);

#endif
