/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

#include <inttypes.h>

#include "agent/base/digest.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "agent/state/memory.h"

/* What is remembered of an account: what comes back from the file, what a
 * spoilt file does, and how passes add up. */

static int dir;

/* Every member has a value of its own. */
static struct memory full(size_t ticket_len)
{
	struct memory m;
	size_t i;

	memset(&m, 0, sizeof(m));
	m.outcome.tried = 1700000001;
	m.outcome.succeeded = 1700000002;
	m.outcome.failing_since = 1700000003;
	m.outcome.noticed = 1700000004;
	m.outcome.failed = INT64_MAX;
	m.outcome.cert_expiry = 1700000006;
	m.outcome.passes = UINT64_MAX;
	m.outcome.messages = 8;
	m.outcome.bytes = 9;
	/* Two classes are never counted. */
	for (i = ERR_MSG; i <= ERR_CONFIG; i++)
		m.outcome.failures[i] = 10 + i;
	m.outcome.streak = 30;
	m.outcome.class = ERR_LOGIN;
	m.outcome.code = ERR_CODE_AUTH;
	memset(m.outcome.text, 'x', sizeof(m.outcome.text) - 1);
	snprintf(m.outcome.server, sizeof(m.outcome.server), " two  blanks ");
	memset(m.found.host, 'h', sizeof(m.found.host) - 1);
	snprintf(m.found.address, sizeof(m.found.address), "2001:db8::1");
	m.found.at = 1700000007;
	m.expire_warned = 1700000031;
	m.fault_warned = 1700000032;
	m.cert_warned = 1700000033;
	memset(m.recall.key, 'k', sizeof(m.recall.key) - 1);
	m.recall.learned = 1700000034;
	m.recall.doubted = 1700000035;
	memset(m.recall.before, 'b', sizeof(m.recall.before) - 1);
	memset(m.recall.after, 'a', sizeof(m.recall.after) - 1);
	snprintf(m.recall.mechanism, sizeof(m.recall.mechanism), "plain");
	m.recall.ticket_len = ticket_len;
	for (i = 0; i < ticket_len; i++)
		m.recall.ticket[i] = (unsigned char)(i * 7);
	m.glance.listed = 1700000036;
	m.glance.due = INT64_MAX;
	m.glance.count = 37;
	m.glance.size = 38;
	m.glance.skipped = 39;
	memset(m.glance.uid, 'u', sizeof(m.glance.uid) - 1);
	memset(m.glance.policy, 'p', sizeof(m.glance.policy) - 1);
	return m;
}

static bool reads_as(const struct memory *wanted)
{
	struct memory m;

	memset(&m, 0xff, sizeof(m));
	memory_read(dir, &m);
	return memcmp(&m, wanted, sizeof(m)) == 0;
}

static bool reads_empty(void)
{
	const struct memory none = { .expire_warned = 0 };
	struct memory m;

	memory_read(dir, &m);
	return m.outcome.tried == none.outcome.tried && m.outcome.passes == 0
		&& m.outcome.text[0] == '\0' && m.expire_warned == 0;
}

static void test_round_trip(void)
{
	struct memory m = full(LIMIT_TICKET), loaded;

	memory_write(dir, &m);
	tap_ok(reads_as(&m), "every member comes back");
	memory_load(scratch_dir, "box", &loaded);
	tap_ok(memcmp(&loaded, &m, sizeof(m)) == 0, "also by its path");
	memory_load(scratch_dir, "none", &loaded);
	tap_ok(loaded.outcome.tried == 0, "an account that has no directory");
	memset(&m, 0, sizeof(m));
	memory_write(dir, &m);
	tap_ok(reads_as(&m), "an empty one comes back");
	tap_ok(scratch_count("box", NULL) == 1, "no other file is left");
}

static void test_damage(void)
{
	struct memory m = full(5);
	char *data, *spoilt;
	size_t len, i, bad = 0;

	memory_write(dir, &m);
	data = scratch_read("box/memory", &len);
	spoilt = malloc(len);
	scratch_need(data != NULL && spoilt != NULL, "no memory");
	for (i = 0; i < len; i++) {
		scratch_write("box/memory", data, i);
		bad += !reads_empty();
	}
	tap_ok(bad == 0, "cut anywhere, it is forgotten (%zu not)", bad);
	for (i = 0; i < len; i++) {
		memcpy(spoilt, data, len);
		spoilt[i] ^= 0x20;
		scratch_write("box/memory", spoilt, len);
		bad += !reads_empty();
	}
	tap_ok(bad == 0, "changed anywhere, it is forgotten (%zu not)", bad);
	scratch_write("box/memory", data, len);
	scratch_append("box/memory", "x\n", 2);
	tap_ok(reads_empty(), "with more at its end, it is forgotten");
	scratch_write("box/memory", data, len);
	tap_ok(reads_as(&m), "whole, it is read");
	free(data);
	free(spoilt);
}

/* A file with a right checksum. */
static void write_signed(const char *body, size_t len)
{
	struct digest digest = digest_of(body, len);
	char last[64];

	snprintf(last, sizeof(last), "check %s\n", digest.text);
	scratch_write("box/memory", body, len);
	scratch_append("box/memory", last, strlen(last));
}

static const struct {
	const char *body, *what;
	int64_t tried;			/* 0: nothing may be taken */
} hostile[] = {
	{ "postrider memory 1\ntried 7\n", "a right one", 7 },
	{ "postrider memory 1\ntried 7\nnews 1 2 3\n", "an unknown key", 7 },
	{ "postrider memory 1\ntried 7\ntried 8\n", "a key given twice", 8 },
	{ "postrider memory 2\ntried 7\n", "another version", 0 },
	{ "postrider memory 1\ntried -7\n", "a negative time", 0 },
	{ "postrider memory 1\ntried 9223372036854775808\n",
	  "a time that is too large", 0 },
	{ "postrider memory 1\ntried 7\npasses 1e3\n", "no number", 0 },
	{ "postrider memory 1\ntried 7\npasses\n", "no value", 0 },
	{ "postrider memory 1\ntried 7\n\n", "an empty line", 0 },
	{ "postrider memory 1\ntried 7\nclass 7\n", "no class", 0 },
	{ "postrider memory 1\ntried 7\ncode 4294967297\n", "no code", 0 },
	{ "postrider memory 1\ntried 7\ntext a\033[2Jb\n",
	  "a control character", 0 },
	{ "postrider memory 1\ntried 7\ntext \351\n", "no ASCII", 0 },
	{ "postrider memory 1\ntried 7\nrecall_ticket AA!A\n",
	  "no base64", 0 },
	{ "postrider memory 1\ntried 7\nglance_uid 12345678901234567\n",
	  "a digest that is too long", 0 },
};

static void test_hostile(void)
{
	struct memory m;
	char *huge;
	size_t i;

	for (i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		write_signed(hostile[i].body, strlen(hostile[i].body));
		memory_read(dir, &m);
		tap_ok(m.outcome.tried == hostile[i].tried, "%s",
			hostile[i].what);
	}
	huge = malloc(LIMIT_MEMORY_FILE);
	scratch_need(huge != NULL, "no memory");
	memset(huge, 'x', LIMIT_MEMORY_FILE);
	memcpy(huge, "postrider memory 1\ntried 7\ntext ", 32);
	huge[1000] = '\n';
	write_signed(huge, 1001);
	tap_ok(reads_empty(), "a text that is too long");
	huge[LIMIT_MEMORY_FILE - 1] = '\n';
	write_signed(huge, LIMIT_MEMORY_FILE);
	tap_ok(reads_empty(), "a file that is too large");
	free(huge);
}

static void test_odd_files(void)
{
	struct memory m = full(5);

	unlink(scratch_path("box/memory"));
	tap_ok(reads_empty(), "no file");
	scratch_need(mkfifo(scratch_path("box/memory"), 0600) == 0, "no fifo");
	tap_ok(reads_empty(), "a pipe does not hold us up");
	memory_write(dir, &m);
	tap_ok(reads_as(&m), "and is replaced");
	scratch_write("other", "keep", 4);
	unlink(scratch_path("box/memory"));
	scratch_need(symlink(scratch_path("other"),
		scratch_path("box/memory")) == 0
		&& symlink(scratch_path("other"),
			scratch_path("box/memory.new")) == 0, "no link");
	tap_ok(reads_empty(), "a link is not followed");
	memory_write(dir, &m);
	tap_ok(reads_as(&m) && scratch_holds("other", "keep", 4),
		"nor written through");
	unlink(scratch_path("box/memory"));
	scratch_need(mkdir(scratch_path("box/memory"), 0700) == 0, "mkdir");
	memory_write(dir, &m);
	tap_ok(reads_empty() && !scratch_exists("box/memory.new"),
		"what cannot be replaced stays, and leaves nothing behind");
	rmdir(scratch_path("box/memory"));
}

static struct report report(enum err_class class, const char *text)
{
	struct report r;

	memset(&r, 0, sizeof(r));
	r.class = class;
	snprintf(r.text, sizeof(r.text), "%s", text);
	r.counts.delivered = 2;
	r.counts.fetched_bytes = 100;
	return r;
}

static bool add(struct outcome *o, enum err_class class, int64_t now)
{
	const struct report r = report(class, err_class_name(class));

	return outcome_add(o, &r, now);
}

static void test_outcome(void)
{
	struct report busy = report(ERR_RETRY, "busy");
	struct outcome o;

	memset(&o, 0, sizeof(o));
	tap_ok(add(&o, ERR_NONE, 100) && o.tried == 100 && o.succeeded == 100
		&& o.passes == 1 && o.messages == 2 && o.bytes == 100
		&& o.failed == 0 && o.text[0] == '\0', "a good pass");
	tap_ok(add(&o, ERR_RETRY, 200) && add(&o, ERR_LOGIN, 300)
		&& o.failing_since == 200 && o.failed == 300 && o.streak == 2
		&& o.succeeded == 100 && o.tried == 300
		&& o.failures[ERR_RETRY] == 1 && o.failures[ERR_LOGIN] == 1
		&& strcmp(o.text, "login") == 0, "two bad ones");
	busy.code = ERR_CODE_BUSY;
	tap_ok(!outcome_add(&o, &busy, 400) && !add(&o, ERR_STOP, 400)
		&& o.tried == 300 && o.passes == 3 && o.messages == 10,
		"a lock and a stop are no news, but their messages count");
	tap_ok(add(&o, ERR_MSG, 500) && o.succeeded == 500 && o.streak == 0
		&& o.failing_since == 0 && o.failures[ERR_MSG] == 1
		&& strcmp(o.text, "message") == 0,
		"trouble with a message is none of the account");
	tap_ok(add(&o, ERR_NONE, 600) && o.failed == 500
		&& strcmp(o.text, "message") == 0, "the last error stays");
	add(&o, ERR_PROTO, 5000);
	add(&o, ERR_PROTO, 700);
	tap_ok(o.failing_since == 700, "a clock that was ahead");
}

static void test_turn(void)
{
	struct outcome o;

	memset(&o, 0, sizeof(o));
	add(&o, ERR_NONE, 1000);
	tap_ok(outcome_turn(&o, 50, 1000) == TURN_NONE, "all is well");
	add(&o, ERR_RETRY, 1010);
	tap_ok(outcome_turn(&o, 50, 1010) == TURN_NONE, "it begins to fail");
	add(&o, ERR_RETRY, 1059);
	tap_ok(outcome_turn(&o, 50, 1059) == TURN_NONE, "not for long enough");
	add(&o, ERR_RETRY, 1060);
	tap_ok(outcome_turn(&o, 50, 1060) == TURN_FAILING, "long enough");
	add(&o, ERR_RETRY, 1070);
	tap_ok(outcome_turn(&o, 50, 1070) == TURN_NONE, "told once");
	add(&o, ERR_NONE, 1080);
	tap_ok(outcome_turn(&o, 50, 1080) == TURN_RECOVERED, "it is back");
	add(&o, ERR_NONE, 1090);
	tap_ok(outcome_turn(&o, 50, 1090) == TURN_NONE, "told once");
	add(&o, ERR_RETRY, 1100);
	add(&o, ERR_NONE, 1110);
	tap_ok(outcome_turn(&o, 50, 1110) == TURN_NONE,
		"who was not told of the failure is not told of its end");
}

int main(void)
{
	struct err err = ERR_INIT;

	scratch_make("memory");
	dir = scratch_subdir("box");
	/* Its warnings are meant. */
	if (!log_open(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, "stderr", &err))
		return 99;
	test_round_trip();
	test_damage();
	test_hostile();
	test_odd_files();
	test_outcome();
	test_turn();
	close(dir);
	scratch_end();
	return tap_done();
}
