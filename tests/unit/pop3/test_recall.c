/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <stdlib.h>
#include <string.h>

#include "agent/pop3/recall.h"

/* What is remembered of a server: for whom it holds, how long, what puts it in
 * doubt; and capabilities, to text and back. */

#define NOW 1800000000

static const char *const ssh[] = { "ssh", "-W", "h:1", NULL };
static const char *const joined[] = { "ssh", "-Wh:1", NULL };

static struct account account(void)
{
	struct account a;

	memset(&a, 0, sizeof(a));
	a.host = "pop.example.com";
	a.port = 995;
	a.tls_name = "pop.example.com";
	a.user = "jane";
	a.auth[0] = AUTH_PLAIN;
	a.auth[1] = AUTH_LOGIN;
	return a;
}

static struct recall good(const struct account *a)
{
	struct recall r;

	memset(&r, 0, sizeof(r));
	memcpy(r.key, recall_key(a).text, sizeof(r.key));
	r.learned = NOW - 10;
	strcpy(r.before, "SASL PLAIN; PIPELINING");
	strcpy(r.after, "UIDL; PIPELINING");
	strcpy(r.mechanism, "plain");
	return r;
}

static void host(struct account *a) { a->host = "pop.example.org"; }
static void port(struct account *a) { a->port = 1995; }
static void starttls(struct account *a) { a->tls = TLS_STARTTLS; }
static void tls_name(struct account *a) { a->tls_name = "other"; }
static void user(struct account *a) { a->user = "john"; }
static void local(struct account *a) { a->socket = "/run/pop3"; }
static void proxy(struct account *a) { a->proxy.host = "proxy"; }
static void proxy_port(struct account *a) { a->proxy.port = 1080; }
static void tunnel(struct account *a) { a->tunnel = ssh; }
static void one_way(struct account *a) { a->auth_count = 1; }
static void two_ways(struct account *a) { a->auth_count = 2; }
static void other_order(struct account *a)
{
	a->auth_count = 2;
	a->auth[0] = AUTH_LOGIN;
	a->auth[1] = AUTH_PLAIN;
}
static void moved(struct account *a)
{
	/* The same bytes in a row. */
	a->host = "pop.example.compop.example.com";
	a->tls_name = "";
}
static void empty_socket(struct account *a) { a->socket = ""; }

static const struct {
	const char *what;
	void (*change)(struct account *a);
} changes[] = {
	{ "host", host }, { "port", port }, { "tls", starttls },
	{ "tls_name", tls_name }, { "user", user }, { "socket", local },
	{ "proxy", proxy }, { "the proxy's port", proxy_port },
	{ "tunnel", tunnel }, { "auth", one_way }, { "more auth", two_ways },
	{ "the order of auth", other_order }, { "two texts in one", moved },
	{ "an empty text", empty_socket },
};
#define CHANGES (sizeof(changes) / sizeof(changes[0]))

static void test_key(void)
{
	struct digest keys[CHANGES + 1];
	struct account a = account(), b;
	size_t i, j, same = 0;

	keys[CHANGES] = recall_key(&a);
	for (i = 0; i < CHANGES; i++) {
		b = account();
		changes[i].change(&b);
		keys[i] = recall_key(&b);
		tap_ok(!digest_equal(&keys[i], &keys[CHANGES]),
			"%s makes it another", changes[i].what);
	}
	for (i = 0; i < CHANGES; i++)
		for (j = 0; j < i; j++)
			same += digest_equal(&keys[i], &keys[j]);
	tap_ok(same == 0, "each is another");
	a.tunnel = ssh;
	b = account();
	b.tunnel = joined;
	tap_ok(strcmp(recall_key(&a).text, recall_key(&b).text) != 0,
		"words of a tunnel are not run together");
	b = account();
	b.keep.kind = KEEP_NEVER;
	b.limits.messages = 7;
	tap_ok(digest_equal(&keys[CHANGES], (struct digest[]){ recall_key(&b) }),
		"what the server does not see does not");
}

/* A tunnel of 10,000 words that differ in the last one. */
static void test_long_tunnel(void)
{
	const char **words = calloc(10001, sizeof(*words));
	struct account a = account();
	struct digest key;
	size_t i;

	for (i = 0; i < 10000; i++)
		words[i] = "a word";
	a.tunnel = words;
	key = recall_key(&a);
	words[9999] = "another";
	tap_ok(strcmp(key.text, recall_key(&a).text) != 0,
		"a long tunnel counts to its end");
	words[9999] = "a word";
	a.user = "john";
	tap_ok(strcmp(key.text, recall_key(&a).text) != 0,
		"and so does what comes after it");
	free(words);
}

static void test_holds(void)
{
	struct account a = account(), b;
	struct recall r = good(&a);

	tap_ok(recall_holds(&r, &a, NOW), "it holds");
	tap_ok(recall_holds(&r, &a, NOW - 10 + LIMIT_RECALL_S - 1)
		&& !recall_holds(&r, &a, NOW - 10 + LIMIT_RECALL_S),
		"for a day");
	tap_ok(!recall_holds(&r, &a, NOW - 11), "not in its own past");
	b = account();
	b.user = "john";
	tap_ok(!recall_holds(&r, &b, NOW) && !recall_fits(&r, &b),
		"not for another account");
	b = account();
	b.tls = TLS_NONE;
	r = good(&b);
	tap_ok(!recall_holds(&r, &b, NOW) && recall_fits(&r, &b),
		"not in the clear");
	b.socket = "/run/pop3";
	r = good(&b);
	tap_ok(recall_holds(&r, &b, NOW), "but over a local socket");
	r = good(&a);
	r.before[0] = '\0';
	tap_ok(!recall_holds(&r, &a, NOW), "not without capabilities");
	r = good(&a);
	strcpy(r.after, "?");
	tap_ok(!recall_holds(&r, &a, NOW), "not with useless ones");
	r = good(&a);
	r.mechanism[0] = '\0';
	tap_ok(!recall_holds(&r, &a, NOW), "not without a mechanism");
	memset(&r, 0, sizeof(r));
	tap_ok(!recall_holds(&r, &a, NOW) && !recall_fits(&r, &a),
		"not when nothing is known");
}

static bool stays_in_doubt(const struct recall *was, const struct recall *news)
{
	struct recall r = *was;

	recall_doubt(&r, NOW);
	recall_renew(&r, news, NOW + 1);
	return recall_doubted(&r, NOW + 1);
}

static void test_doubt(void)
{
	struct account a = account();
	struct recall was = good(&a), news = good(&a), r = was;

	r.ticket_len = 5;
	recall_doubt(&r, NOW);
	tap_ok(recall_doubted(&r, NOW) && !recall_holds(&r, &a, NOW)
		&& r.ticket_len == 0, "in doubt, it does not hold");
	tap_ok(!recall_doubted(&r, NOW + LIMIT_RECALL_S)
		&& !recall_doubted(&r, NOW - 1), "for a day");
	tap_ok(stays_in_doubt(&was, &news), "the same server: it stays so");
	strcpy(news.before, "SASL PLAIN");
	tap_ok(!stays_in_doubt(&was, &news), "other capabilities");
	news = good(&a);
	strcpy(news.after, "UIDL");
	tap_ok(!stays_in_doubt(&was, &news), "others after the login");
	news = good(&a);
	strcpy(news.mechanism, "login");
	tap_ok(!stays_in_doubt(&was, &news), "another mechanism");
	news = good(&a);
	news.key[0] ^= 1;
	tap_ok(!stays_in_doubt(&was, &news), "another account");
	r = was;
	recall_doubt(&r, NOW);
	recall_renew(&r, &was, NOW + LIMIT_RECALL_S);
	tap_ok(r.doubted == 0, "after a day it is forgotten");
	recall_renew(&r, &was, NOW);
	tap_ok(r.doubted == 0 && recall_holds(&r, &a, NOW),
		"who never doubted does not begin now");
}

/* Lines of CAPA, and what becomes of them. */
static const struct {
	const char *lines[4], *text;
} texts[] = {
	{ { "TOP" }, "TOP" },
	{ { "TOP", "SASL PLAIN LOGIN", "PIPELINING" },
	  "TOP; SASL PLAIN LOGIN; PIPELINING" },
	{ { "TOP", "IMPLEMENTATION a; b \351", "UIDL" }, "TOP; UIDL" },
	{ { "implementation x" }, "" },
	{ { "TOP", "X; Y", "UIDL" }, "?" },
	{ { "TOP", "X\tY" }, "?" },
	{ { "TOP", "\351" }, "?" },
	{ { "" , "TOP" }, "?" },
	{ { "?", "TOP" }, "?" },
};

static void test_text(void)
{
	char text[40];
	size_t i, j;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		text[0] = '\0';
		for (j = 0; j < 4 && texts[i].lines[j] != NULL; j++)
			recall_add(text, sizeof(text), texts[i].lines[j],
				strlen(texts[i].lines[j]));
		tap_ok(strcmp(text, texts[i].text) == 0, "\"%s\"",
			texts[i].text);
	}
	text[0] = '\0';
	recall_add(text, sizeof(text), "SASL A234567890123456789012345678901",
		36);
	tap_ok(strlen(text) == 36, "one that fits");
	recall_add(text, sizeof(text), "TOP", 3);
	tap_ok(strcmp(text, "?") == 0, "one that does not: nothing of it all");
	recall_add(text, sizeof(text), "TOP", 3);
	tap_ok(strcmp(text, "?") == 0, "for good");
}

static void test_capa(void)
{
	struct capa capa;

	recall_capa("TOP; SASL PLAIN LOGIN; PIPELINING; EXPIRE 7", &capa);
	tap_ok(capa.known && capa.top && capa.pipelining && !capa.uidl
		&& capa_has_sasl(&capa, "LOGIN")
		&& strcmp(capa.expire, "7") == 0, "all of it comes back");
	recall_capa("SASL PLAIN", &capa);
	tap_ok(capa.known && !capa.top && capa_has_sasl(&capa, "PLAIN"),
		"and nothing of what was before");
	recall_capa("?", &capa);
	tap_ok(!capa.known, "a useless text");
	recall_capa("", &capa);
	tap_ok(!capa.known, "none");
	recall_capa("; ; ;TOP; ", &capa);
	tap_ok(capa.known && !capa.uidl, "blanks and separators alone");
}

int main(void)
{
	test_key();
	test_long_tunnel();
	test_holds();
	test_doubt();
	test_text();
	test_capa();
	return tap_done();
}
