/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_BASE_ERR_H
#define AGENT_BASE_ERR_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The one error type of the program. It lives on the caller's stack; a
 * function that can fail takes a `struct err *`, returns bool, and sets the
 * error exactly once before it returns false. The class is what the
 * scheduler does next, so nobody up the stack needs to guess.
 */

enum err_class {
	ERR_NONE,
	ERR_STOP,	/* we were asked to end; nothing is wrong */
	ERR_MSG,	/* this message only; the pass goes on */
	ERR_RETRY,	/* try later: network, disk, lock, MDA */
	ERR_PROTO,	/* the server misbehaves or cannot be trusted */
	ERR_LOGIN,	/* the login was refused */
	ERR_CONFIG,	/* a person must change something */
};

/* Narrower than the class, for whoever decides when to try again. The first
 * ones are response codes of the server (RFC 2449, 3206). */
enum err_code {
	ERR_CODE_NONE,
	ERR_CODE_AUTH,		/* [AUTH]: the credentials are wrong */
	ERR_CODE_IN_USE,	/* [IN-USE]: another session has the maildrop */
	ERR_CODE_LOGIN_DELAY,	/* [LOGIN-DELAY]: asked too soon */
	ERR_CODE_SYS_TEMP,	/* [SYS/TEMP] */
	ERR_CODE_SYS_PERM,	/* [SYS/PERM]: a person must look at the server */
	ERR_CODE_BUSY,		/* another process of ours has the account */
	ERR_CODE_DIED,		/* the worker ended without a report */
	ERR_CODES
};

struct err {
	enum err_class class;
	enum err_code code;
	int sys;		/* errno, or 0 */
	char text[512];		/* our words, one line, no secret */
	char server[256];	/* the server's words, already escaped */
};

#define ERR_INIT { ERR_NONE, ERR_CODE_NONE, 0, "", "" }
#define MUST_USE __attribute__((warn_unused_result))

/* Sets class and text. Always returns false, for `return err_set(...)`. */
bool err_set(struct err *err, enum err_class class, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same for a failed system call: the class follows from `sys` (an errno
 * value), and ": <strerror>" is appended to the text. */
bool err_sys(struct err *err, int sys, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Keeps the server's words (len bytes, any content) beside ours, escaped
 * and bounded. */
void err_server(struct err *err, const char *words, size_t len);

/* Puts "prefix: " before the text; for context a callee cannot know. A stop
 * needs none: whatever went on was not what failed. */
void err_prefix(struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

void err_clear(struct err *err);

/* The sysexits.h status for a class: 0, 75, 75, 75, 76, 77, 78. */
int err_exit_status(enum err_class class);
/* "retry", "protocol", ... */
const char *err_class_name(enum err_class class);
/* The worse of two classes: a person is needed > later > nothing. */
enum err_class err_worse(enum err_class a, enum err_class b);

#endif
