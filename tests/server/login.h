/*
 * login: the commands of the AUTHORIZATION state.  One verb a function; ARG
 * is what follows the command and a space, "" if nothing does.
 */
#ifndef TESTS_SERVER_LOGIN_H
#define TESTS_SERVER_LOGIN_H

#include "tests/server/session.h"

session_verb login_user, login_pass, login_auth, login_sasl, login_stls, login_capa;

/* Check the password; then the same as login_open. */
void login_check(struct session *s, const char *name, const char *password);

/* The client is NAME: open the maildrop and answer. */
void login_open(struct session *s, const char *name);

#endif
