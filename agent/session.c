/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/session.h"

#include <stdio.h>

#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "config/secret.h"

void session_trace(void *arg, char dir, const char *text, size_t len)
{
	char line[4 * LIMIT_REPLY_LINE + 8];

	fprintf(arg, " %c: %s\n", dir,
		log_escape(line, sizeof(line), text, len));
	fflush(arg);
}

struct client *session_connect(const struct session_options *options,
	struct err *err)
{
	const struct client_options client = { options->account,
		options->trust, options->config->secret_env, options->stop_fd,
		options->trace != NULL ? session_trace : NULL, options->trace };

	return client_open(&client, err);
}

struct client *session_open(const struct session_options *options,
	struct err *err)
{
	struct client *client;
	struct secret password;

	if (!secret_read(&options->account->password,
		options->config->secret_env, &password, err))
		return NULL;
	client = session_connect(options, err);
	if (client != NULL && !client_login(client, &password, err)) {
		client_close(client);
		client = NULL;
	}
	secret_wipe(&password);
	return client;
}
