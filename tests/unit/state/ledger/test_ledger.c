/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <inttypes.h>
#include <signal.h>
#include <sys/resource.h>

#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "tests/unit/state/ledger/help.h"

/* The ledger's life: what is written is there again, and nothing else. */

static struct err err = ERR_INIT;

struct uid {
	const char *name, *bytes;
	size_t len;
};

#define U(name, bytes) { name, bytes, sizeof(bytes) - 1 }

static char longest[LIMIT_UID], longer[LIMIT_UID + 1], other[LIMIT_UID + 1],
	huge[65536];

static const struct uid uids[] = {
	U("plain", "0001"), U("another", "0002"), U("empty", ""), U("-", "-"),
	U("blanks", " a b "), U("percent", "%25"), U("NUL", "a\0b"),
	U("NUL and more", "a\0c"), U("cut at NUL", "a"), U("8-bit", "\xff\x80"),
	U("line end", "\r\n"), U("a path", "../../x"),
	{ "1,024 bytes", longest, sizeof(longest) },
	{ "1,025 bytes", longer, sizeof(longer) },
	{ "1,025 others", other, sizeof(other) },
	{ "64 KiB", huge, sizeof(huge) },
};
#define UIDS (sizeof(uids) / sizeof(uids[0]))

static struct ledger_entry *find(const struct ledger *l, const struct uid *u)
{
	struct ledger_entry *e = ledger_find(l, u->bytes, u->len, NULL);

	/* Exactly one. */
	if (e != NULL && ledger_find(l, u->bytes, u->len, e) != NULL)
		return NULL;
	return e;
}

static void test_uids(void)
{
	struct identity id = identity_of("c", "h");
	struct ledger *l = need_ledger("uids");
	struct ledger_entry *e[UIDS];
	size_t i;
	bool ok;

	memset(longer, 'x', sizeof(longer));
	memset(longest, 'x', sizeof(longest));
	memset(other, 'x', sizeof(other));
	other[LIMIT_UID] = 'y';
	memset(huge, 0xfe, sizeof(huge));
	for (i = 0; i < UIDS; i++)
		e[i] = put_intent(l, uids[i].bytes, uids[i].len, i, &id);
	for (ok = true, i = 0; i < UIDS; i++)
		ok = ok && find(l, &uids[i]) == e[i];
	tap_ok(ok, "each UID leads to its entry");
	ledger_close(l);
	l = need_ledger("uids");
	for (i = 0; i < UIDS; i++)
		tap_ok(find(l, &uids[i]) == ledger_at(l, i)
			&& ledger_at(l, i)->listed == i
			&& !ledger_at(l, i)->claimed,
			"and again after loading: %s", uids[i].name);
	tap_ok(ledger_find(l, "0003", 4, NULL) == NULL
		&& ledger_find(l, "000", 3, NULL) == NULL
		&& ledger_find(l, longest, 1023, NULL) == NULL,
		"an unknown UID leads nowhere");
	ledger_close(l);
}

static void test_same_uid(void)
{
	struct identity id = identity_of("c", "h");
	struct ledger *l = need_ledger("same");
	struct ledger_entry *a = put_intent(l, "u", 1, 1, &id), *e;
	struct ledger_entry *b = put_intent(l, "u", 1, 2, &id), *c;
	size_t n = 0;

	c = put_intent(l, "u", 1, 3, &id);
	tap_ok(a->id < b->id && b->id < c->id && c->claimed, "ids grow");
	tap_ok(ledger_void(l, b, &err), "one is void");
	for (e = NULL; (e = ledger_find(l, "u", 1, e)) != NULL; n++)
		if (e == b)
			n += 10;
	tap_ok(n == 2, "entries with one UID are found, void ones are not");
	ledger_close(l);
}

static bool has_identity(const struct ledger_entry *e,
	const struct identity *id)
{
	struct identity own = ledger_identity(e);

	return identity_same(&own, id) && own.has_header == id->has_header
		&& digest_equal(&own.content, &id->content);
}

/* Writes and reads back between any two steps. */
static struct ledger *again(struct ledger *l, const char *dir)
{
	ledger_close(l);
	return need_ledger(dir);
}

static void test_life(void)
{
	struct identity id = identity_of("c", "h");
	struct ledger *l = need_ledger("life");
	int64_t now = clock_wall();
	struct ledger_entry *e = put_intent(l, "u", 1, 7, &id);
	const struct ledger_pending *p;
	char epoch[32];

	snprintf(epoch, sizeof(epoch), "%s", ledger_epoch(l));
	l = again(l, "life");
	e = ledger_at(l, 0);
	p = ledger_pending(e);
	tap_ok(ledger_count(l) == 1 && e->state == LEDGER_INTENT
		&& e->time >= now && e->listed == 7 && p->size == 8
		&& p->stored == 9 && p->place == 10 && p->at == 11
		&& has_identity(e, &id)
		&& strcmp(p->name, "1.M2P3Q4R5Tabc.host") == 0
		&& strcmp(p->dest, "maildir:/home/jane doe/Mail") == 0
		&& p->hint[0] == '\0' && p->tries == 0, "an intent");
	tap_ok(strcmp(epoch, ledger_epoch(l)) == 0 && strlen(epoch) == 16
		&& strspn(epoch, "0123456789abcdef") == 16, "the epoch stays");
	tap_ok(ledger_hint(l, e, "at 12", &err)
		&& ledger_hint(l, e, "start 2", &err)
		&& ledger_deferred(l, e, "no\nroom", &err), "is refused");
	l = again(l, "life");
	e = ledger_at(l, 0);
	p = ledger_pending(e);
	tap_ok(e->state == LEDGER_INTENT && strcmp(p->hint, "start 2") == 0
		&& p->tries == 1 && strcmp(p->reason, "no\nroom") == 0
		&& p->next_try <= clock_wall(), "and tried again");
	tap_ok(ledger_delivered(l, e, &err), "then delivered");
	l = again(l, "life");
	e = ledger_at(l, 0);
	tap_ok(e->state == LEDGER_DELIVERED && e->time >= now
		&& has_identity(e, &id), "it stays so");
	tap_ok(ledger_pending(e)->name[0] == '\0'
		&& ledger_pending(e)->tries == 0, "what was staged is forgotten");
	tap_ok(ledger_deleting(l, e, &err)
		&& (l = again(l, "life")) != NULL
		&& ledger_at(l, 0)->state == LEDGER_DELETING, "deleting");
	e = ledger_at(l, 0);
	now = e->time;
	tap_ok(ledger_delivered(l, e, &err) && e->time == now,
		"DELE was refused: when it was delivered is still known");
	tap_ok(ledger_gone(l, e, &err) && (l = again(l, "life")) != NULL
		&& ledger_at(l, 0)->state == LEDGER_GONE, "gone");
	ledger_close(l);
}

/* An open intent goes to another destination, under the same id. */
static void test_redirect(void)
{
	struct identity id = identity_of("c", "h");
	struct ledger_what what = { .name = "2.M3", .dest = "mbox:/x",
		.size = 1, .stored = 2, .place = 3, .at = 4 };
	struct ledger *l = need_ledger("redirect");
	struct ledger_entry *e = put_intent(l, "u", 1, 7, &id);
	const struct ledger_pending *p;
	uint64_t is = e->id;

	tap_ok(ledger_hint(l, e, "at 12", &err)
		&& ledger_redirect(l, e, &what, &err), "redirected");
	l = again(l, "redirect");
	e = ledger_at(l, 0);
	p = ledger_pending(e);
	tap_ok(ledger_count(l) == 1 && e->id == is && e->uid_len == 1
		&& e->listed == 7 && has_identity(e, &id)
		&& strcmp(p->name, "2.M3") == 0 && p->hint[0] == '\0'
		&& strcmp(p->dest, "mbox:/x") == 0 && p->size == 1
		&& p->stored == 2 && p->place == 3 && p->at == 4, "to the new place only");
	tap_ok(ledger_delivered(l, e, &err)
		&& !ledger_redirect(l, e, &what, &err),
		"not once it is delivered");
	ledger_close(l);
}

static void test_waits(void)
{
	static const int64_t waits[] = { 0, 0, 300, 600, 1200, 2400, 4800,
		9600, 19200, 21600, 21600 };
	struct identity id = identity_of("c", NULL);
	struct ledger *l = need_ledger("waits");
	struct ledger_entry *e = put_intent(l, "u", 1, 7, &id);
	int64_t wait;
	bool ok = true;
	size_t i;

	for (i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		ok = ok && ledger_deferred(l, e, "no", &err);
		wait = ledger_pending(e)->next_try - clock_wall();
		ok = ok && wait <= waits[i] && wait >= waits[i] - 2;
	}
	tap_ok(ok && ledger_pending(e)->tries == i,
		"refusals are tried again later and later");
	ledger_close(l);
}

static void test_failed(void)
{
	struct ledger_what what = { .uid = "u", .uid_len = 1, .listed = 5 };
	struct ledger_entry *e;
	struct ledger *l = need_ledger("failed");

	what.identity = identity_none();
	tap_ok(ledger_failed(l, NULL, &what, "-ERR", &err)
		&& ledger_failed(l, ledger_at(l, 0), NULL, "-ERR 2", &err)
		&& ledger_baseline(l, &what, &err), "failed twice; baseline");
	l = again(l, "failed");
	e = ledger_at(l, 0);
	tap_ok(ledger_count(l) == 2 && e->state == LEDGER_FAILED
		&& ledger_pending(e)->tries == 2
		&& strcmp(ledger_pending(e)->reason, "-ERR 2") == 0
		&& e->listed == 5 && e->uid_len == 1, "a failure is kept");
	e = ledger_at(l, 1);
	tap_ok(e->state == LEDGER_BASELINE && e->listed == 5
		&& !has_identity(e, &what.identity),
		"a baseline is kept, and is the same as nothing");
	tap_ok(ledger_moved(l, e, "\xff new", 5, 6, &err)
		&& ledger_find(l, "\xff new", 5, NULL) == e
		&& ledger_find(l, "u", 1, NULL) == ledger_at(l, 0)
		&& ledger_find(l, "u", 1, ledger_at(l, 0)) == NULL,
		"a moved entry is found under its new UID only");
	l = again(l, "failed");
	tap_ok(ledger_find(l, "\xff new", 5, NULL) == ledger_at(l, 1)
		&& ledger_find(l, "\xff new", 5, ledger_at(l, 1)) == NULL,
		"and again after loading");
	ledger_close(l);
}

/* The disk is full, then it is not. */
static void test_full(void)
{
	struct identity id = identity_of("c", NULL);
	struct rlimit old, small;
	struct ledger *l = need_ledger("full");
	struct ledger_what what = { .uid = "v", .uid_len = 1, .name = "n",
		.dest = "d", .identity = id };
	struct ledger_entry *e;
	struct stat st;

	put_delivered(l, "u", 1, 7, &id);
	need_sync(l);
	scratch_need(stat(scratch_path("full/ledger"), &st) == 0
		&& getrlimit(RLIMIT_FSIZE, &old) == 0, "no limit");
	small = old;
	small.rlim_cur = (rlim_t)st.st_size + 20;
	signal(SIGXFSZ, SIG_IGN);
	scratch_need(setrlimit(RLIMIT_FSIZE, &small) == 0, "no limit");
	tap_ok(ledger_intent(l, &what, &e, &err) && !ledger_sync(l, &err)
		&& err.class == ERR_RETRY, "a full disk is an error");
	setrlimit(RLIMIT_FSIZE, &old);
	tap_ok(!ledger_intent(l, &what, &e, &err) && !ledger_flush(l, &err)
		&& !ledger_sync(l, &err), "and stays one");
	l = again(l, "full");
	tap_ok(ledger_count(l) == 1
		&& ledger_at(l, 0)->state == LEDGER_DELIVERED,
		"all that was durable is there");
	ledger_close(l);
}

int main(void)
{
	/* A torn end is told to the log. */
	scratch_need(log_open(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, "stderr",
		&err), "no log");
	scratch_make("ledger");
	test_uids();
	test_same_uid();
	test_life();
	test_redirect();
	test_waits();
	test_failed();
	test_full();
	scratch_end();
	return tap_done();
}
