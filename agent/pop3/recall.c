/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pop3/recall.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SEPARATOR "; "
/* What the text becomes when something could not be kept. */
#define USELESS "?"

static void add_number(struct digester *d, uint64_t number)
{
	digest_add(d, &number, sizeof(number));
}

struct digest recall_key(const struct account *account)
{
	struct digester *d = digest_new();
	const char *const *word;
	struct digest key;
	size_t i;

	digest_add_text(d, account->host);
	add_number(d, account->port);
	add_number(d, account->tls);
	digest_add_text(d, account->tls_name);
	digest_add_text(d, account->user);
	digest_add_text(d, account->socket);
	digest_add_text(d, account->proxy.host);
	add_number(d, account->proxy.port);
	for (word = account->tunnel; word != NULL && *word != NULL; word++)
		digest_add_text(d, *word);
	digest_add_text(d, NULL);
	for (i = 0; i < account->auth_count; i++)
		add_number(d, account->auth[i]);
	key = digest_take(d);
	digest_free(d);
	return key;
}

static bool useful(const char *text)
{
	return text[0] != '\0' && strcmp(text, USELESS) != 0;
}

bool recall_fits(const struct recall *recall, const struct account *account)
{
	return strcmp(recall_key(account).text, recall->key) == 0;
}

static bool is_recent(int64_t when, int64_t now)
{
	return when <= now && now - when < LIMIT_RECALL_S;
}

bool recall_allowed(const struct account *account)
{
	return account->tls != TLS_NONE || account->socket != NULL;
}

bool recall_holds(const struct recall *recall, const struct account *account,
	int64_t now)
{
	return recall_allowed(account) && is_recent(recall->learned, now)
		&& !recall_doubted(recall, now)
		&& useful(recall->before) && useful(recall->after)
		&& recall->mechanism[0] != '\0'
		&& recall_fits(recall, account);
}

void recall_doubt(struct recall *recall, int64_t now)
{
	recall->doubted = now;
	recall->ticket_len = 0;
}

void recall_forget(struct recall *recall)
{
	*recall = (struct recall){ .doubted = recall->doubted };
}

bool recall_doubted(const struct recall *recall, int64_t now)
{
	return recall->doubted != 0 && is_recent(recall->doubted, now);
}

void recall_renew(struct recall *recall, const struct recall *news,
	int64_t now)
{
	bool same = strcmp(recall->key, news->key) == 0
		&& strcmp(recall->before, news->before) == 0
		&& strcmp(recall->after, news->after) == 0
		&& strcmp(recall->mechanism, news->mechanism) == 0;
	/* Where nothing was known, the first words of the server led to it. */
	bool stays = recall_doubted(recall, now)
		&& (same || recall->learned == 0);
	int64_t doubted = stays ? recall->doubted : 0;

	*recall = *news;
	recall->doubted = doubted;
	recall->ticket_len = 0;
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
