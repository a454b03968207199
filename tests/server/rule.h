/*
 * rule: one fault rule, read from its text.  The language stands in script.h.
 */
#ifndef TESTS_SERVER_RULE_H
#define TESTS_SERVER_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/server/script.h"

enum { RULE_DEEDS = 16 };

enum rule_base { EACH, SESSION, LIFE, CHANCE };

struct action;

/* One action of a rule with its argument. */
struct deed {
	const struct action *action;
	struct number number;
	struct text text;
};

struct rule {
	char *source;
	enum event event;
	enum rule_base base;
	uint64_t nth;
	bool onwards;
	bool early_sent;
	uint64_t count;		/* of matching events in this session */
	struct text user;
	struct deed deeds[RULE_DEEDS];
	size_t n;
};

/*
 * Read a rule from N bytes of TEXT.  NULL when it went well, else what is
 * wrong; rule_free in either case.
 */
const char *rule_parse(struct rule *r, const char *text, size_t n);

void rule_free(struct rule *r);

/* Write into F what the rule does. */
void rule_apply(const struct rule *r, struct fault *f);

/* The text of its `early', or NULL. */
const struct text *rule_early(const struct rule *r);

#endif
