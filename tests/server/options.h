/*
 * options: what popd was asked to do.
 *
 * One table in options.c gives every option its name, its type, its place in
 * this structure and its line of --help.
 */
#ifndef TESTS_SERVER_OPTIONS_H
#define TESTS_SERVER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tls_mode {
	TLS_IMPLICIT,		/* handshake first, as on port 995 */
	TLS_STARTTLS,		/* offers STLS (RFC 2595) */
	TLS_NONE
};

enum cert_fault {
	CERT_GOOD,
	CERT_EXPIRED,
	CERT_NOT_YET,
	CERT_WRONG_HOST,
	CERT_SELF_SIGNED,
	CERT_UNKNOWN_CA,
	CERT_FAULTS
};

/* What --with and --without switch. */
enum feature {
	WITH_UIDL = 1 << 0,
	WITH_TOP = 1 << 1,
	WITH_CAPA = 1 << 2,
	WITH_PIPELINING = 1 << 3,
	WITH_SASL = 1 << 4,
	WITH_USER = 1 << 5,
	WITH_LAST = 1 << 6,
	WITH_RESP_CODES = 1 << 7,
	WITH_TICKETS = 1 << 8
};

struct account {
	char *name;
	char *password;
	char *dir;
};

struct words {
	const char **item;
	size_t n;
};

struct options {
	struct words listen;
	const char *port_file;
	uint64_t max_sessions;		/* 0: no end */
	bool until_eof;

	enum tls_mode tls;
	const char *tls_name;
	const char *ca_out;
	const char *cert_out;
	const char *key_cache;
	const char *cert_key;
	const char *ocsp;
	const char *client_ca;
	const char *priority;
	enum cert_fault cert_fault;

	struct account *accounts;
	size_t n_accounts;
	bool raw;
	uint64_t generate;
	uint64_t generate_size;		/* bytes of body, about */
	uint64_t lock_wait;		/* milliseconds */

	unsigned features;		/* of enum feature */
	bool strict_lockstep;
	struct words capa_extra;
	const char *sasl;		/* mechanisms, one blank between them */
	uint64_t idle;			/* seconds */

	const char *log;
	bool log_secrets;
	const char *script;
	struct words rules;
	uint64_t seed;
};

enum options_result { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_BAD };

/*
 * Read the command line.  OPTIONS_HELP: the help was printed.  OPTIONS_BAD: a
 * line was printed on standard error.  Texts point into ARGV, except those of
 * the accounts.
 */
enum options_result options_read(int argc, char **argv, struct options *opt_r);

/* Free what options_read allocated. */
void options_free(struct options *opt);

/* The account called NAME, or NULL. */
const struct account *options_account(const struct options *opt, const char *name);

#endif
