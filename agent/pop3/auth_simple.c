/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pop3/auth_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/arena.h"
#include "agent/base/digest.h"

/*
 * USER and PASS, APOP (RFC 1939), and the SASL mechanisms that need nothing
 * but base64: PLAIN (RFC 4616), LOGIN, EXTERNAL (RFC 4422).
 */

static bool too_long(const char *verb, size_t len, struct err *err)
{
	return len + 2 > LIMIT_COMMAND_LINE && !err_set(err, ERR_CONFIG,
		"%s: the command would be longer than %d octets, which POP3 does not allow; use auth: [plain]",
		verb, LIMIT_COMMAND_LINE);
}

static bool judged(const struct reply *reply, const char *how,
	struct err *err)
{
	return reply->kind == REPLY_OK || auth_refused(reply, how, err);
}

bool auth_user(struct login *login, const char *name, struct err *err)
{
	char line[LIMIT_COMMAND_LINE + 1];
	struct reply reply;
	size_t ignored;
	bool ok;

	(void)name;
	if (too_long("USER", 5 + strlen(login->account->user), err)
	    || too_long("PASS", 5 + login->secret->len, err))
		return false;
	snprintf(line, sizeof(line), "USER %s", login->account->user);
	if (login->burst)
		ok = wire_put(login->client->wire, line, &ignored, err);
	else
		ok = client_exchange(login->client, line, &reply, err)
			&& judged(&reply, "USER", err);
	if (!ok)
		return false;
	login->client->on_trust &= login->burst;
	snprintf(line, sizeof(line), "PASS %s", login->secret->text);
	/* In a burst this is the answer to USER. */
	ok = auth_send_last(login, line, "PASS " AUTH_MASK, &reply, err);
	explicit_bzero(line, sizeof(line));
	if (ok && login->burst)
		ok = judged(&reply, "USER", err) && client_reply(login->client,
			"PASS", &reply, err);
	return ok && judged(&reply, "PASS", err);
}

/* The digest is of the timestamp and the password. */
bool auth_apop(struct login *login, const char *name, struct err *err)
{
	const char *stamp = login->client->timestamp;
	size_t n = strlen(stamp), len = n + login->secret->len;
	char *text = mem_grow(NULL, len + 1, 1), sum[33];
	char line[LIMIT_COMMAND_LINE + 1], mask[LIMIT_COMMAND_LINE + 1];
	struct reply reply;
	bool ok;

	(void)name;
	memcpy(text, stamp, n);
	memcpy(text + n, login->secret->text, login->secret->len);
	ok = digest_md5(text, len, sum) || err_set(err, ERR_CONFIG,
		"apop: this system does not allow MD5");
	explicit_bzero(text, len);
	free(text);
	if (!ok || too_long("APOP", 6 + strlen(login->account->user) + 32, err))
		return false;
	snprintf(line, sizeof(line), "APOP %s %s", login->account->user, sum);
	snprintf(mask, sizeof(mask), "APOP %s " AUTH_MASK,
		login->account->user);
	return auth_send_last(login, line, mask, &reply, err)
		&& judged(&reply, "APOP", err);
}

static char *base64(const char *data, size_t len)
{
	size_t cap = 4 * (len / 3 + 1) + 1;
	char *text = mem_grow(NULL, cap, 1);

	digest_base64(data, len, text, cap);
	return text;
}

static void forget(char *text)
{
	explicit_bzero(text, strlen(text));
	free(text);
}

/* No authorization identity, the user, the password. */
bool auth_plain(struct login *login, const char *name, struct err *err)
{
	const struct secret *password = login->secret;
	size_t user = strlen(login->account->user);
	size_t len = 2 + user + password->len;
	char *raw = mem_grow(NULL, len, 1), *message;
	struct reply reply;
	bool ok;

	raw[0] = '\0';
	memcpy(raw + 1, login->account->user, user);
	raw[1 + user] = '\0';
	memcpy(raw + 2 + user, password->text, password->len);
	message = base64(raw, len);
	explicit_bzero(raw, len);
	free(raw);
	ok = auth_message(login, name, message, &reply, err)
		&& judged(&reply, name, err);
	forget(message);
	return ok;
}

/* Two prompts, whose words differ from server to server and mean nothing. */
bool auth_login(struct login *login, const char *name, struct err *err)
{
	const char *user = login->account->user;
	struct reply reply;
	char *line;
	bool ok;

	if (!auth_invite(login, name, &reply, err))
		return false;
	if (reply.kind != REPLY_CONTINUE)
		return auth_refused(&reply, name, err);
	line = base64(user, strlen(user));
	ok = auth_send(login, line, line, &reply, err);
	free(line);
	if (!ok)
		return false;
	if (reply.kind != REPLY_CONTINUE)
		return auth_refused(&reply, name, err);
	line = base64(login->secret->text, login->secret->len);
	ok = auth_send_last(login, line, AUTH_MASK, &reply, err)
		&& judged(&reply, name, err);
	forget(line);
	return ok;
}

/* Who we are the certificate says; whose mail we want, we do. */
bool auth_external(struct login *login, const char *name, struct err *err)
{
	const char *user = login->account->user;
	char *message = base64(user, strlen(user));
	struct reply reply;
	bool ok = auth_message(login, name, message, &reply, err)
		&& judged(&reply, name, err);

	free(message);
	return ok;
}
