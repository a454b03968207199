/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/limits.h"
#include "agent/pop3/client_priv.h"
#include "agent/pop3/listing.h"
#include "agent/pop3/window.h"

/*
 * The maildrop's listing: UIDL for identity, LIST for sizes.
 */

/* Servers may need a while to number a large maildrop. */
#define LISTING_PATIENCE 3

struct lister {
	struct client *client;
	struct arena *arena;
	const struct listing_store *store;
	struct listing *listing;
	size_t room;
	size_t uid_bytes, lines;
	const char *verbs[2];
};

static bool too_many(struct err *err)
{
	return err_set(err, ERR_PROTO, "the server lists more than %d messages", LIMIT_LISTING);
}

static struct listed *add(struct lister *l, struct err *err)
{
	struct listing *listing = l->listing;
	struct listed *m;

	if (listing->count == LIMIT_LISTING) {
		too_many(err);
		return NULL;
	}
	if (listing->count == l->room) {
		l->room = l->room == 0 ? 256 : l->room * 2;
		listing->messages = mem_grow(listing->messages, l->room,
			sizeof(*listing->messages));
	}
	m = &listing->messages[listing->count++];
	*m = (struct listed){ .uid = "" };
	return m;
}

static int by_number(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

static struct listed *find(struct listing *listing, uint64_t number)
{
	struct listed key = { .number = (uint32_t)number };

	/* Nearly always the numbers are 1, 2, 3, … */
	if (number >= 1 && number <= listing->count
	    && listing->messages[number - 1].number == number)
		return &listing->messages[number - 1];
	if (listing->count == 0)
		return NULL;
	return bsearch(&key, listing->messages, listing->count,
		sizeof(key), by_number);
}

static bool sense(const char *verb, const char *line, size_t len,
	struct err *err)
{
	err_set(err, ERR_PROTO, "a line of %s makes no sense", verb);
	err_server(err, line, len);
	return false;
}

static const char *keep_uid(const struct lister *l, const char *uid,
	size_t len)
{
	const char *known = l->store == NULL ? NULL
		: l->store->find(l->store->arg, uid, len);
	char *copy;

	if (known != NULL)
		return known;
	copy = arena_bytes(l->arena, len);
	memcpy(copy, uid, len);
	return copy;
}

static bool uidl_line(struct lister *l, const char *line, size_t len,
	struct err *err)
{
	uint64_t number;
	const char *uid;
	size_t uid_len;
	struct listed *m;

	if (!reply_uidl(line, len, &number, &uid, &uid_len) || number == 0)
		return sense("UIDL", line, len, err);
	m = add(l, err);
	if (m == NULL)
		return false;
	m->number = (uint32_t)number;
	l->uid_bytes += uid_len;
	if (l->uid_bytes > LIMIT_LISTING_BYTES)
		return err_set(err, ERR_PROTO,
			"the UIDs that the server lists are longer than %u bytes together",
			LIMIT_LISTING_BYTES);
	m->uid = keep_uid(l, uid, uid_len);
	m->uid_len = (uint32_t)uid_len;
	return true;
}

static bool list_line(struct lister *l, const char *line, size_t len,
	struct err *err)
{
	uint64_t number, size;
	struct listed *m;

	if (l->lines++ == LIMIT_LISTING)
		return too_many(err);
	if (!reply_list(line, len, &number, &size) || number == 0)
		return sense("LIST", line, len, err);
	if (l->listing->has_uids) {
		/* A message that came in between is left for the next pass. */
		m = find(l->listing, number);
		if (m != NULL)
			m->size = size;
		return true;
	}
	m = add(l, err);
	if (m == NULL)
		return false;
	m->number = (uint32_t)number;
	m->size = size;
	return true;
}

static bool put_in_order(struct listing *listing, struct err *err)
{
	size_t i = 1;

	while (i < listing->count && listing->messages[i - 1].number
	       < listing->messages[i].number)
		i++;
	if (i >= listing->count)
		return true;		/* as every server does it */
	qsort(listing->messages, listing->count, sizeof(*listing->messages),
		by_number);
	for (i = 1; i < listing->count; i++)
		if (listing->messages[i].number
		    == listing->messages[i - 1].number)
			return err_set(err, ERR_PROTO, "the server lists message %" PRIu32 " twice",
				listing->messages[i].number);
	return true;
}

static bool read_lines(struct lister *l, bool uidl, struct err *err)
{
	const char *line;
	size_t len;

	for (;;) {
		if (!wire_line(l->client->wire, &line, &len, err))
			return false;
		if (len == 1 && line[0] == '.')
			return put_in_order(l->listing, err);
		/* Dot-stuffing (RFC 1939 section 3); no number begins so. */
		if (len > 1 && line[0] == '.') {
			line++;
			len--;
		}
		if (!(uidl ? uidl_line : list_line)(l, line, len, err))
			return false;
	}
}

static bool send_one(void *arg, size_t i, struct err *err)
{
	struct lister *l = arg;

	return client_put(l->client, l->verbs[i], 0, err);
}

static bool recv_one(void *arg, size_t i, const struct reply *reply,
	struct err *err)
{
	struct lister *l = arg;
	bool uidl = strcmp(l->verbs[i], "UIDL") == 0;

	client_ahead_answered(l->client);
	client_patience(l->client, LISTING_PATIENCE
		* l->client->options.account->timeouts.command);
	if (reply->kind != REPLY_OK && uidl) {
		/* Not known here (RFC 1939 makes it optional), or out of
		 * order: the two look alike, so only a clear "later" ends
		 * the session. */
		if (!reply_refused(reply, ERR_MSG, "UIDL", err)
		    && err->class != ERR_MSG)
			return false;
		err_clear(err);
		return true;
	}
	if (reply->kind != REPLY_OK)
		return reply_refused(reply, ERR_PROTO, "LIST", err);
	if (uidl)
		l->listing->has_uids = true;
	return read_lines(l, uidl, err);
}

bool client_listing(struct client *client, struct arena *arena,
	const struct listing_store *store, struct listing *listing_r,
	struct err *err)
{
	struct lister l = { client, arena, store, listing_r, 0, 0, 0,
		{ "UIDL", "LIST" } };
	struct window window = { 2, 0, send_one, recv_one, &l,
		client_take_ahead(client, AHEAD_LISTING) };

	memset(listing_r, 0, sizeof(*listing_r));
	if (!client_window(client, &window, err))
		return false;
	client->on_trust = false;
	return true;
}
