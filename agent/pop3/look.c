/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "agent/pop3/client_priv.h"
#include "agent/pop3/listing.h"
#include "agent/pop3/window.h"

/*
 * Two commands that tell whether a long listing would tell anything new.
 */

struct looker {
	struct client *client;
	uint64_t last;
	struct look *look;
};

static bool send_one(void *arg, size_t i, struct err *err)
{
	struct looker *l = arg;

	return client_put(l->client, i == 0 ? "STAT" : "UIDL",
		i == 0 ? 0 : l->last, err);
}

/* A message that is not there any more is no error: it is news. */
static bool take_uid(const struct reply *reply, uint64_t last,
	struct look *look, struct err *err)
{
	uint64_t number;
	const char *uid;
	size_t len;

	if (reply->kind != REPLY_OK) {
		(void)reply_refused(reply, ERR_MSG, "UIDL", err);
		if (err->class != ERR_MSG)
			return false;
		err_clear(err);
		return true;
	}
	if (!reply_uidl(reply->text, reply->len, &number, &uid, &len)
	    || number != last)
		return reply_refused(reply, ERR_PROTO, "UIDL", err);
	look->uid = digest_of(uid, len);
	return true;
}

static bool recv_one(void *arg, size_t i, const struct reply *reply,
	struct err *err)
{
	struct looker *l = arg;

	client_ahead_answered(l->client);
	if (i == 1)
		return take_uid(reply, l->last, l->look, err);
	if (reply->kind == REPLY_OK && reply_list(reply->text, reply->len,
		&l->look->count, &l->look->size))
		return true;
	return reply_refused(reply, ERR_PROTO, "STAT", err);
}

bool client_look(struct client *client, uint64_t last, struct look *look_r,
	struct err *err)
{
	struct looker l = { client, last, look_r };
	struct window window = { 2, 0, send_one, recv_one, &l,
		client_take_ahead(client, AHEAD_LOOK) };

	memset(look_r, 0, sizeof(*look_r));
	client->on_trust = true;
	if (!client_window(client, &window, err))
		return false;
	client->on_trust = false;
	return true;
}
