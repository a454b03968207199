/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "agent/base/arena.h"
#include "agent/base/log.h"
#include "agent/base/num.h"
#include "agent/cmd.h"
#include "agent/session.h"

static void print_capa(const char *when, const struct capa *capa)
{
	printf("capabilities %s:%s%s%s%s%s%s%s%s%s\n", when,
		capa->known ? "" : " none announced",
		capa->uidl ? " UIDL" : "", capa->top ? " TOP" : "",
		capa->user ? " USER" : "", capa->pipelining ? " PIPELINING" : "",
		capa->stls ? " STLS" : "", capa->resp_codes ? " RESP-CODES" : "",
		capa->auth_resp_code ? " AUTH-RESP-CODE" : "",
		capa->sasl ? " SASL" : "");
	if (capa->sasl)
		printf("  login methods:%s\n", capa->sasl_list);
	if (capa->implementation[0] != '\0')
		printf("  implementation: %s\n", capa->implementation);
	if (capa->expire[0] != '\0')
		printf("  expire: %s\n", capa->expire);
	if (capa->login_delay[0] != '\0')
		printf("  login delay: %s\n", capa->login_delay);
}

static void print_connection(struct client *client,
	const struct account *account)
{
	char text[640], pin[64];

	printf("server: %s port %" PRIu64 " (%s), tls: %s\n", account->host,
		account->port, client_peer(client),
		config_tls_name(account->tls));
	printf("addresses: %s\n", client_story(client));
	printf("greeting: %s\n", client_greeting(client));
	if (client_tls(client) == NULL)
		return;
	tls_describe(client_tls(client), text, sizeof(text));
	printf("tls: %s\n", text);
	tls_pin(client_tls(client), pin, sizeof(pin));
	printf("  pin: %s\n", pin);
}

static void print_quirks(const struct capa *capa, const struct listing *list)
{
	if (!capa->known)
		printf("quirk: no CAPA\n");
	if (capa->known && !capa->pipelining)
		printf("quirk: no PIPELINING, one round trip a command\n");
	if (capa->known && !capa->top)
		printf("quirk: no TOP, known messages are told by content\n");
	if (!list->has_uids)
		printf("quirk: no UIDL\n");
}

static bool look(struct client *client, struct err *err)
{
	struct arena *arena = arena_new();
	struct listing list = { 0 };
	uint64_t count, size;
	char text[32];
	bool ok;

	ok = client_stat(client, &count, &size, err)
		&& client_listing(client, arena, &list, err);
	if (ok) {
		printf("maildrop: %" PRIu64 " messages, %s; %zu listed\n",
			count, num_format_size(text, sizeof(text), size),
			list.count);
		print_quirks(client_capa(client), &list);
	}
	free(list.messages);
	arena_free(arena);
	return ok && client_quit(client, err);
}

static bool probe(const struct session_options *options, struct err *err)
{
	struct secret password = { NULL, 0 };
	struct client *client;
	bool ok;

	if (!session_secret(options, &password, err))
		return false;
	client = session_connect(options, err);
	ok = client != NULL;
	if (ok) {
		print_connection(client, options->account);
		print_capa("before login", client_capa(client));
		ok = client_login(client, &password, err);
	}
	secret_wipe(&password);
	if (ok) {
		printf("login: %s as %s (%s)\n", client_mechanism(client),
			options->account->user, client_why(client));
		print_capa("after login", client_capa(client));
		ok = look(client, err);
	}
	client_close(client);
	return ok;
}

static int run(const struct cmd_env *env, int argc, char **argv)
{
	struct session_options options = { .config = env->config,
		.stop_fd = -1, .trace = env->trace, .may_ask = true };
	struct tls_trust *trust;
	struct err err = ERR_INIT;
	bool ok;

	(void)argc;
	options.account = cmd_account(env, argv[0]);
	if (options.account == NULL)
		return EX_USAGE;
	trust = tls_trust_new(true);
	options.trust = trust;
	ok = probe(&options, &err);
	tls_trust_free(trust);
	if (ok)
		return 0;
	log_err(LOG_LEVEL_ERROR, &err);
	return err_exit_status(err.class);
}

const struct cmd cmd_probe = {
	"probe", "ACCOUNT",
	"Connects to an account's server, logs in, and shows what it finds: greeting,\n"
	"TLS and certificate (with the line for `pin`), capabilities before and after\n"
	"the login, number and size of the messages, and what is unusual. Fetches and\n"
	"changes nothing.\n",
	1, 1, 0, run,
};
