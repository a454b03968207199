/*
 * transaction: the commands that need a maildrop, and QUIT, which enters the
 * UPDATE state.  One verb a function, as in login.h.
 */
#ifndef TESTS_SERVER_TRANSACTION_H
#define TESTS_SERVER_TRANSACTION_H

#include "tests/server/session.h"

session_verb transaction_stat, transaction_list, transaction_uidl, transaction_retr,
	transaction_top, transaction_dele, transaction_noop, transaction_rset, transaction_last,
	transaction_quit;

#endif
