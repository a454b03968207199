/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "agent/base/arena.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "agent/base/num.h"
#include "agent/command/cmd.h"
#include "agent/pass/session.h"
#include "agent/pop3/listing.h"

#define DAY_S 86400

struct probe {
	struct session_options session;
	struct secret password;
	struct arena *arena;		/* of the listings */
	struct listing first, second;
	struct recall recall;
};

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
}

static void print_date(const char *word, int64_t when)
{
	time_t t = (time_t)when;
	char date[24] = "?";
	struct tm tm;

	if (gmtime_r(&t, &tm) != NULL)
		strftime(date, sizeof(date), "%Y-%m-%d", &tm);
	printf(" %s %s", word, date);
}

static void print_chain(const struct tls *tls)
{
	struct tls_cert cert;
	unsigned int i;

	for (i = 0; tls_cert(tls, i, &cert); i++) {
		printf("certificate %u: %s\n", i + 1, cert.subject);
		if (i == 0)
			printf("  for: %s\n", cert.names);
		printf("  issuer: %s\n  valid:", cert.issuer);
		print_date("from", cert.from);
		print_date("until", cert.until);
		printf(", %" PRId64 " days left\n",
			(cert.until - clock_wall()) / DAY_S);
		printf("  key: %s\n", cert.key);
		if (i == 0)
			printf("  pin: [%s]\n", cert.pin);
	}
}

static void print_connection(struct client *client,
	const struct account *account)
{
	char text[200];

	printf("server: %s port %" PRIu64 " (%s), tls: %s\n", account->host,
		account->port, client_peer(client),
		config_tls_name(account->tls));
	printf("addresses: %s\n", client_story(client));
	printf("greeting: %s\n", client_greeting(client));
	if (client_tls(client) == NULL)
		return;
	tls_describe(client_tls(client), text, sizeof(text));
	printf("tls: %s\n", text);
	print_chain(client_tls(client));
	if (account->tls == TLS_STARTTLS)
		print_capa("before TLS", client_capa_clear(client));
}

/* `capa` is from before the login. */
static void print_login(const struct client *client,
	const struct account *account, const struct capa *capa)
{
	const char *list = capa->sasl ? capa->sasl_list : "";
	size_t len = strlen(list);

	while (len != 0 && list[len - 1] == ' ')
		len--;
	printf("login: %s as %s (%s); offered:%s%.*s\n",
		client_mechanism(client), account->user, client_why(client),
		capa->user || !capa->sasl ? " USER" : "", (int)len, list);
}

static void print_policy(const struct capa *capa)
{
	if (strncmp(capa->expire, "NEVER", 5) == 0)
		printf("expire: NEVER, the server deletes nothing by itself\n");
	else if (capa->expire[0] != '\0')
		printf("expire: %s, the server deletes messages %s\n",
			capa->expire, strcmp(capa->expire, "0") == 0
			? "once they have been fetched"
			: "of that many days");
	else
		printf("expire: not announced\n");
	if (capa->login_delay[0] != '\0')
		printf("login delay: %s seconds between two logins\n",
			capa->login_delay);
	else
		printf("login delay: not announced\n");
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

static bool look(struct probe *probe, struct client *client, struct err *err)
{
	uint64_t count, size;
	char text[32];

	if (!client_stat(client, &count, &size, err)
	    || !client_listing(client, probe->arena, NULL,
		    &probe->first, err))
		return false;
	printf("maildrop: %" PRIu64 " messages, %s; %zu listed\n", count,
		num_format_size(text, sizeof(text), size), probe->first.count);
	print_quirks(client_capa(client), &probe->first);
	return true;
}

/* The session ends; what makes the next handshake short is kept. */
static bool leave(struct probe *probe, struct client *client, struct err *err)
{
	if (!client_quit(client, err))
		return false;
	client_learn(client, &probe->recall);
	probe->session.recall = &probe->recall;
	return true;
}

static bool visit(struct probe *probe, struct err *err)
{
	const struct account *account = probe->session.account;
	struct client *client = session_connect(&probe->session, err);
	struct capa before;
	bool ok;

	if (client == NULL)
		return false;
	print_connection(client, account);
	before = *client_capa(client);
	print_capa("before login", &before);
	ok = client_login(client, &probe->password, err);
	if (ok) {
		print_login(client, account, &before);
		print_capa("after login", client_capa(client));
		print_policy(client_capa(client));
		ok = look(probe, client, err) && leave(probe, client, err);
	}
	client_close(client);
	return ok;
}

static bool visit_again(struct probe *probe, struct err *err)
{
	struct client *client = session_connect(&probe->session, err);
	bool ok;

	if (client == NULL)
		return false;
	if (client_tls(client) != NULL)
		printf("second connection: TLS %s\n",
			tls_resumed(client_tls(client)) ? "resumed"
			: "with a full handshake, the server gives no ticket");
	ok = client_login(client, &probe->password, err)
		&& client_listing(client, probe->arena, NULL,
			&probe->second, err)
		&& client_quit(client, err);
	client_close(client);
	return ok;
}

/* How many messages of the first visit have another UID in the second. Mail
 * that has come in between is at the end and does not count. */
static size_t count_changed(const struct listing *a, const struct listing *b)
{
	const struct listed *x, *y;
	size_t i, changed = 0;

	for (i = 0; i < a->count && i < b->count; i++) {
		x = &a->messages[i];
		y = &b->messages[i];
		changed += x->number == y->number && (x->uid_len != y->uid_len
			|| memcmp(x->uid, y->uid, x->uid_len) != 0);
	}
	return changed;
}

/* What cannot be found out is no failure: the first visit was a success. */
static void compare_uids(struct probe *probe)
{
	struct err err = ERR_INIT;
	size_t changed;

	if (!probe->first.has_uids)
		return;
	if (!visit_again(probe, &err)) {
		printf("uids: not compared, the second login failed: %s%s%s\n",
			err.text, err.server[0] != '\0' ? ": " : "",
			err.server);
		return;
	}
	changed = count_changed(&probe->first, &probe->second);
	if (changed == 0)
		printf("uids: the same at a second login\n");
	else
		printf("quirk: %zu of %zu UIDs are others at a second login\n",
			changed, probe->first.count);
}

static bool run_probe(struct probe *probe, struct err *err)
{
	bool ok;

	if (!session_secret(&probe->session, &probe->password, err))
		return false;
	ok = visit(probe, err);
	if (ok)
		compare_uids(probe);
	secret_wipe(&probe->password);
	explicit_bzero(&probe->recall, sizeof(probe->recall));
	free(probe->first.messages);
	free(probe->second.messages);
	return ok;
}

static int run(const struct cmd_env *env, int argc, char **argv)
{
	struct probe probe = { .session = { .config = env->config,
		.stop_fd = -1, .trace = env->trace, .may_ask = true } };
	struct tls_trust *trust;
	struct err err = ERR_INIT;
	bool ok;

	(void)argc;
	probe.session.account = cmd_account(env, argv[0]);
	if (probe.session.account == NULL)
		return EX_USAGE;
	trust = tls_trust_new(true);
	probe.session.trust = trust;
	probe.arena = arena_new();
	ok = run_probe(&probe, &err);
	arena_free(probe.arena);
	tls_trust_free(trust);
	if (ok)
		return 0;
	log_err(LOG_LEVEL_ERROR, &err);
	return err_exit_status(err.class);
}

const struct cmd cmd_probe = {
	"probe", "ACCOUNT",
	"Connects to an account's server, logs in, and shows what it finds: addresses,\n"
	"greeting, TLS, the certificates (with the line for `pin`), capabilities before\n"
	"and after TLS and the login, login method, expiry and login delay, number and\n"
	"size of the messages, and what is unusual. Logs in a second time to see whether\n"
	"UIDs stay the same. Fetches and changes nothing.\n",
	1, 1, 0, run,
};
