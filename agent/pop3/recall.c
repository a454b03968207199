/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pop3/recall.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "agent/base/digest.h"

#define SEPARATOR "; "
/* What the text becomes when something could not be kept. */
#define USELESS "?"

static size_t put(char *out, size_t cap, size_t n, const char *text)
{
	if (n >= cap)
		return n;
	return n + (size_t)snprintf(out + n, cap - n, "%s|",
		text != NULL ? text : "");
}

void recall_key(const struct account *account, char *out, size_t cap)
{
	char text[4096], numbers[80];
	const char *const *word;
	struct digest digest;
	size_t i, n = 0;

	n = put(text, sizeof(text), n, account->host);
	n = put(text, sizeof(text), n, account->tls_name);
	n = put(text, sizeof(text), n, account->user);
	n = put(text, sizeof(text), n, account->socket);
	n = put(text, sizeof(text), n, account->proxy.host);
	for (word = account->tunnel; word != NULL && *word != NULL; word++)
		n = put(text, sizeof(text), n, *word);
	snprintf(numbers, sizeof(numbers), "%" PRIu64 " %d %" PRIu64,
		account->port, (int)account->tls, account->proxy.port);
	n = put(text, sizeof(text), n, numbers);
	for (i = 0; i < account->auth_count; i++)
		n = put(text, sizeof(text), n,
			config_auth_name(account->auth[i]));
	digest = digest_of(text, n < sizeof(text) ? n : sizeof(text) - 1);
	snprintf(out, cap, "%s", digest.text);
}

static bool useful(const char *text)
{
	return text[0] != '\0' && strcmp(text, USELESS) != 0;
}

bool recall_holds(const struct recall *recall, const struct account *account,
	int64_t now)
{
	char key[sizeof(recall->key)];

	recall_key(account, key, sizeof(key));
	return strcmp(key, recall->key) == 0 && recall->learned <= now
		&& now - recall->learned < LIMIT_RECALL_S
		&& useful(recall->before) && useful(recall->after)
		&& recall->mechanism[0] != '\0';
}

static bool can_be_kept(const char *line, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (line[i] < ' ' || line[i] > '~' || line[i] == SEPARATOR[0])
			return false;
	return len != 0;
}

void recall_add(char *text, size_t cap, const char *line, size_t len)
{
	static const char prose[] = "IMPLEMENTATION";
	size_t n = strlen(text);

	/* For people only, and any text may stand there. */
	if (strcmp(text, USELESS) == 0 || (len >= sizeof(prose) - 1
		&& strncasecmp(line, prose, sizeof(prose) - 1) == 0))
		return;
	if (can_be_kept(line, len)
	    && n + strlen(SEPARATOR) + len < cap)
		snprintf(text + n, cap - n, "%s%.*s", n != 0 ? SEPARATOR : "",
			(int)len, line);
	else
		snprintf(text, cap, USELESS);
}

void recall_capa(const char *text, struct capa *capa_r)
{
	const char *end;
	size_t len;

	memset(capa_r, 0, sizeof(*capa_r));
	capa_r->known = useful(text);
	for (; capa_r->known; text = end + strlen(SEPARATOR)) {
		end = strstr(text, SEPARATOR);
		len = end != NULL ? (size_t)(end - text) : strlen(text);
		reply_capa(text, len, capa_r);
		if (end == NULL)
			return;
	}
}
