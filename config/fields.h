/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONFIG_FIELDS_H
#define CONFIG_FIELDS_H

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "config/yaml.h"

/*
 * One row a key: what it is called, what it takes, where it goes. A new key
 * is a row here, a member in config.h and a paragraph in postrider.yaml(5).
 */

/* The ports of RFC 8314 and RFC 1939. */
#define PORT_TLS 995
#define PORT_PLAIN 110

enum field_type {
	FIELD_BOOL,	/* bool */
	FIELD_NUMBER,	/* uint64_t, within min and max */
	FIELD_SIZE,	/* uint64_t, bytes */
	FIELD_SECONDS,	/* uint64_t */
	FIELD_ENUM,	/* an enum whose values are the order of `names` */
	FIELD_WORD,	/* bool: true when the one name is given */
	FIELD_LINE,	/* const char *, one line of at most `max` bytes */
	FIELD_HOST,	/* const char *, a host name or an address */
	FIELD_PATH,	/* const char *, absolute, ~ and $NAME replaced */
	FIELD_LOG_TO,	/* const char *, stderr, syslog or a path */
	FIELD_VARIABLE,	/* const char *, the name of a variable */
	FIELD_CREDENTIAL, /* const char *, the name of a credential */
	FIELD_NETRC,	/* const char *, a path, or true for the usual one */
	FIELD_ARGV,	/* const char *const *, NULL-terminated */
	FIELD_PIPE,	/* the same, with placeholders */
	FIELD_AUTH,	/* struct account: auth and auth_count */
	FIELD_PINS,	/* const char *const *, NULL-terminated */
	FIELD_CERT,	/* const char *, a path or a pkcs11: URI */
	FIELD_TUNNEL,	/* const char *const *, NULL-terminated */
	FIELD_PROXY,	/* struct proxy */
	FIELD_SOCKET,	/* const char *, the path of a local socket */
	FIELD_ADDRESS,	/* const char *, a numeric address */
	FIELD_KEEP,	/* struct keep */
	FIELD_NOTICE,	/* struct notice: `fields` describe it, or one value */
	FIELD_MAP,	/* the struct that `fields` describe */
	FIELD_CHOICE,	/* the same, exactly one row with a `choice` given */
	FIELD_SECRET,	/* struct secret_source: a choice, or the text */
	FIELD_NODE,	/* struct yaml_node *, read later */
	FIELD_TYPES
};

struct field {
	const char *key;		/* NULL ends the table */
	enum field_type type;
	size_t offset;			/* in the struct of the table */
	uint64_t min, max;
	const char *const *names;	/* NULL-terminated */
	const struct field *fields;	/* of a map or choice */
	const void *fresh;		/* a map starts as this... */
	size_t size;			/* ...of this size, or as zeros */
	int choice;			/* in a choice: what goes into `kind`, the
					 * first member */
	const char *help;		/* a phrase for people */
};

/* What the top level of a file is read into. */
struct file_top {
	struct config config;
	struct yaml_node *include, *defaults, *accounts;
};

extern const struct field top_fields[];		/* struct file_top */
extern const struct field included_fields[];	/* struct file_top */
extern const struct field account_fields[];	/* struct account */
extern const struct field secret_fields[];	/* struct secret_source */

/* Indexed by the enums, NULL-terminated. */
extern const char *const auth_names[];
extern const char *const tls_names[];
extern const char *const trust_names[];

/* Everything not said in the file, except `state`. */
extern const struct config config_fresh;
extern const struct account account_fresh;

/* The row of that key, or NULL. */
const struct field *field_find(const struct field *fields, const char *key);

#endif
