/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "agent/state/ledger/record.h"

/* One line of the ledger: nothing a server can put into a UID, and nothing a
 * person can put into a path, changes what is read back. */

struct text {
	const char *name, *bytes;
	size_t len;
};

#define T(name, bytes) { name, bytes, sizeof(bytes) - 1 }

static const struct text texts[] = {
	T("plain", "000001f34a5b6c7d"), T("empty", ""), T("a dash", "-"),
	T("two dashes", "--"), T("a blank", " "), T("blanks", " a  b "),
	T("a percent sign", "%"), T("an escape", "%20"), T("half", "%2"),
	T("NUL", "a\0b"), T("only NUL", "\0"), T("newlines", "\r\n1 x\n"),
	T("8-bit", "\x80\xff\xe2\x82\xac"), T("DEL and ESC", "\x7f\x1b[2J"),
	T("a path", "../../etc/passwd"), T("a format", "%n%s%n"),
	T("a record", "00000000 mark 1"), T("an address", "<a@b.example>"),
};

/* Constants for initialisers. */
#define BOTH { { "AbCdEfGhIjKlMnO_" }, { "0123456789-_wxyz" }, true, false }
#define CONTENT_ONLY { { "----------------" }, { "" }, false, false }

#define WEAK_HEADER { { "AbCdEfGhIjKlMnO_" }, { "0123456789-_wxyz" }, false, true }

/* One of each type; their texts are filled in. */
static const struct record records[] = {
	{ .type = RECORD_LEDGER, .version = 1, .time = 1700000000, .id = 9 },
	{ .type = RECORD_INTENT, .id = 7, .time = 1, .listed = 2, .size = 3,
		.stored = 4, .place = 5, .identity = BOTH },
	{ .type = RECORD_INTENT, .id = UINT64_MAX, .time = INT64_MAX,
		.listed = UINT64_MAX, .size = UINT64_MAX,
		.stored = UINT64_MAX, .place = UINT64_MAX, .at = UINT64_MAX,
		.identity = CONTENT_ONLY },
	{ .type = RECORD_HINT, .id = 7 },
	{ .type = RECORD_DELIVERED, .id = 7, .time = 9 },
	{ .type = RECORD_DEFERRED, .id = 7, .time = 9, .tries = 3,
		.next_try = INT64_MAX },
	{ .type = RECORD_VOID, .id = 0, .time = 0 },
	{ .type = RECORD_DELETING, .id = 7, .time = 9 },
	{ .type = RECORD_GONE, .id = 7, .time = 9 },
	{ .type = RECORD_SEEN, .id = 7, .time = 9, .listed = 5,
		.identity = BOTH, .state = LEDGER_GONE },
	{ .type = RECORD_SEEN, .id = 7, .time = 9, .listed = 5,
		.identity = WEAK_HEADER, .state = LEDGER_GONE },
	{ .type = RECORD_SEEN, .id = 7, .time = 9, .listed = 5,
		.identity = CONTENT_ONLY, .state = LEDGER_DELIVERED },
	{ .type = RECORD_FAILED, .id = 7, .time = 9, .listed = 5, .tries = 1,
		.next_try = 300 },
	{ .type = RECORD_MOVED, .id = 7, .time = 9, .listed = 3 },
	{ .type = RECORD_INEXACT, .time = 9 },
	{ .type = RECORD_LEFT, .id = 7, .time = 9 },
	{ .type = RECORD_CLOCK, .time = 9 },
	{ .type = RECORD_MARK, .time = 9, .before = UINT32_MAX },
};
#define RECORDS (sizeof(records) / sizeof(records[0]))

static const char *const names[RECORD_TYPES] = {
	"ledger", "intent", "hint", "delivered", "deferred", "void",
	"deleting", "gone", "seen", "failed", "moved", "inexact", "left",
	"clock", "mark",
};

static bool has_text(enum record_type type)
{
	return type == RECORD_LEDGER || type == RECORD_HINT
		|| type == RECORD_DEFERRED || type == RECORD_FAILED;
}

static bool has_uid(enum record_type type)
{
	return type == RECORD_INTENT || type == RECORD_SEEN
		|| type == RECORD_FAILED || type == RECORD_MOVED;
}

/* What is not in a record of this type reads back as zero. */
static struct record fill(const struct record *form, const struct text *uid,
	const char *text)
{
	struct record r = *form;

	if (has_uid(r.type)) {
		r.uid = uid->bytes;
		r.uid_len = uid->len;
	}
	if (r.type == RECORD_LEDGER || r.type == RECORD_INTENT)
		r.name = text;
	if (r.type == RECORD_INTENT)
		r.dest = text;
	if (has_text(r.type))
		r.text = text;
	return r;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same(const struct record *a, const struct record *b)
{
	return a->type == b->type && a->id == b->id && a->time == b->time
		&& a->uid_len == b->uid_len && (a->uid_len == 0
			|| memcmp(a->uid, b->uid, a->uid_len) == 0)
		&& a->listed == b->listed && a->size == b->size
		&& a->stored == b->stored && a->place == b->place
		&& a->at == b->at
		&& a->identity.has_header == b->identity.has_header
		&& a->identity.is_weak == b->identity.is_weak
		&& strcmp(a->identity.content.text,
			b->identity.content.text) == 0
		&& strcmp(a->identity.header.text,
			b->identity.header.text) == 0
		&& same_text(a->name, b->name) && same_text(a->dest, b->dest)
		&& same_text(a->text, b->text) && a->tries == b->tries
		&& a->next_try == b->next_try && a->state == b->state
		&& a->version == b->version && a->before == b->before;
}

/* Is it one printable line? */
static bool one_line(const char *line, size_t n)
{
	size_t i;

	for (i = 0; i + 1 < n; i++)
		if (line[i] < ' ' || line[i] > '~')
			return false;
	return n != 0 && line[n - 1] == '\n';
}

static bool round_trip(const struct record *r, uint32_t before)
{
	static char line[LIMIT_LEDGER_LINE], again[LIMIT_LEDGER_LINE];
	uint32_t wrote = before, read = before, rewrote = before;
	struct arena *arena = arena_new();
	struct record back;
	size_t n = record_encode(r, &wrote, line, sizeof(line));
	bool ok = one_line(line, n)
		&& record_decode(&back, &read, line, n - 1, arena)
		&& read == wrote && same(r, &back)
		&& record_encode(&back, &rewrote, again, sizeof(again)) == n
		&& memcmp(line, again, n) == 0;

	arena_free(arena);
	return ok;
}

static void test_round_trips(void)
{
	const struct text *t;
	struct record r;
	size_t i, k;
	bool ok;

	for (i = 0; i < RECORDS; i++) {
		ok = true;
		for (k = 0; k < sizeof(texts) / sizeof(texts[0]); k++) {
			t = &texts[k];
			r = fill(&records[i], t, t->bytes);
			if (round_trip(&r, 0) && round_trip(&r, 0xdeadbeef))
				continue;
			ok = false;
			tap_note("with %s", t->name);
		}
		tap_ok(ok, "%s reads back, whatever its texts are",
			names[records[i].type]);
	}
}

/* The longest that may be asked for: every byte of UID and paths escaped. */
static void test_longest(void)
{
	static char uid[LIMIT_UID], path[PATH_MAX], name[128];
	const struct text t = { "longest", uid, sizeof(uid) };
	struct record r = fill(&records[2], &t, "");

	memset(uid, 0xff, sizeof(uid));
	memset(path, 0xff, sizeof(path) - 1);
	memset(name, 'n', sizeof(name) - 1);
	r.dest = path;
	r.name = name;
	tap_ok(round_trip(&r, 1), "the longest UID and path fit into a line");
}

/* A buffer that is too small: 0, the CRC as before, nothing behind it. */
static bool refuses(const struct record *r, size_t cap)
{
	char line[512];
	uint32_t crc = 5;
	size_t i;

	memset(line, '#', sizeof(line));
	if (record_encode(r, &crc, line, cap) != 0 || crc != 5)
		return false;
	for (i = cap; i < sizeof(line); i++)
		if (line[i] != '#')
			return false;
	return true;
}

static void test_capacity(void)
{
	struct record r = fill(&records[1], &texts[5], "%\n-");
	char line[512];
	uint32_t crc = 5;
	size_t n = record_encode(&r, &crc, line, sizeof(line)), cap;
	bool ok = n != 0;

	for (cap = 10; ok && cap <= n; cap++)
		ok = refuses(&r, cap);
	tap_ok(ok, "a record that does not fit leaves what is behind alone");
	for (cap = 0, ok = true; ok && cap < 10; cap++)
		ok = refuses(&r, cap);
	tap_ok(ok, "so does one whose CRC does not fit");
	crc = 5;
	/* Room for one more escape may be asked for. */
	tap_ok(record_encode(&r, &crc, line, n + 4) == n, "one that fits, fits");
}

/* Every byte, every bit: a changed line is not a record. */
static void test_changed(void)
{
	struct record r = fill(&records[1], &texts[5], "x y"), back;
	struct arena *arena = arena_new();
	char line[512];
	uint32_t crc = 77, wrong;
	size_t n = record_encode(&r, &crc, line, sizeof(line)), i;
	unsigned int bit;
	bool ok = true;

	for (i = 0; i + 1 < n; i++)
		for (bit = 0; bit < 8; bit++) {
			line[i] ^= (char)(1u << bit);
			wrong = 77;
			ok = ok && !record_decode(&back, &wrong, line, n - 1,
				arena);
			line[i] ^= (char)(1u << bit);
		}
	tap_ok(ok, "no changed bit goes unseen");
	for (ok = true, i = 0; i + 1 < n; i++) {
		wrong = 77;
		ok = ok && !record_decode(&back, &wrong, line, i, arena);
	}
	tap_ok(ok, "no shortened line is a record");
	wrong = 78;
	tap_ok(!record_decode(&back, &wrong, line, n - 1, arena)
		&& wrong == crc, "behind another line it does not fit, but "
		"tells its own CRC");
	arena_free(arena);
}

/* Lines of a file; `order` says which ones are left in it, and how. */
struct mixed {
	const char *name, *order;
	size_t good;			/* how many lines fit from the start */
};

static const struct mixed mixed[] = {
	{ "as written", "01234", 5 }, { "the first missing", "1234", 0 },
	{ "one missing", "0134", 2 }, { "the last missing", "0123", 4 },
	{ "one doubled", "011234", 2 }, { "the last doubled", "012344", 5 },
	{ "two swapped", "02134", 1 }, { "the last two swapped", "01243", 3 },
	{ "the first moved back", "10234", 0 }, { "all doubled", "0011", 1 },
	{ "twice over", "0123401234", 5 },
};

/* A mark is known by itself, whatever line it is found behind. */
static void test_mark(void)
{
	struct record mark = { .type = RECORD_MARK, .time = 1,
		.before = 0xdeadbeef }, gone = { .type = RECORD_GONE };
	struct arena *arena = arena_new();
	uint32_t crc = 0xdeadbeef;
	char line[128];
	size_t n = record_encode(&mark, &crc, line, sizeof(line)), i;
	bool ok = true;

	tap_ok(record_is_mark(line, n - 1, arena), "a mark");
	for (i = 0; i + 1 < n; i++) {
		line[i] ^= 1;
		ok = ok && !record_is_mark(line, n - 1, arena);
		line[i] ^= 1;
		ok = ok && !record_is_mark(line, i, arena);
	}
	tap_ok(ok, "changed or cut short it is none");
	crc = 0;
	n = record_encode(&gone, &crc, line, sizeof(line));
	tap_ok(!record_is_mark(line, n - 1, arena), "nor is another record");
	arena_free(arena);
}

static size_t write_lines(char lines[5][512], size_t n[5])
{
	static const size_t which[5] = { 0, 1, 4, 7, 8 };
	uint32_t crc = 0;
	struct record r;
	size_t i;

	for (i = 0; i < 5; i++) {
		r = fill(&records[which[i]], &texts[0], "text");
		n[i] = record_encode(&r, &crc, lines[i], 512);
		if (n[i] == 0)
			return 0;
	}
	return 5;
}

static void test_chain(void)
{
	char lines[5][512];
	size_t n[5], i, k, good, line;
	struct arena *arena = arena_new();
	struct record back;
	uint32_t crc;

	tap_ok(write_lines(lines, n) == 5, "five lines");
	for (i = 0; i < sizeof(mixed) / sizeof(mixed[0]); i++) {
		crc = 0;
		good = 0;
		for (k = 0; mixed[i].order[k] != '\0'; k++) {
			line = (size_t)(mixed[i].order[k] - '0');
			if (!record_decode(&back, &crc, lines[line],
				n[line] - 1, arena))
				break;
			good++;
		}
		tap_ok(good == mixed[i].good, "%s: %zu lines fit",
			mixed[i].name, mixed[i].good);
	}
	arena_free(arena);
}

/* Lines with a right CRC that are no records all the same. */
static const char *const nonsense[] = {
	"", " ", "nothing", "marks 1 0", "mark", "mark ", "mark x 0",
	"mark -1 0", "mark 1 2 3", "mark  1 0", "Mark 1 0", "mark 1",
	"mark 9223372036854775808 0", "mark 1 -1",
	"delivered 1", "delivered 18446744073709551616 1", "delivered  1 1",
	"hint 1 %", "hint 1 %4", "hint 1 %4x", "hint 1 a b", "hint 0x1 a",
	"seen 1 1 u 1 short - 1", "seen 1 1 u 1 0123456789abcdefg - 1",
	"seen 1 1 u 1 0123456789abcdef 0 1",
	"seen 1 1 u 1 0123456789abcdef - 1 1",
	/* Digests are base64url: anything else would not be written so. */
	"seen 1 1 u 1 0123456789\x01" "bcdef - 1",
	"seen 1 1 u 1 0123456789\xff" "bcdef - 1",
	"seen 1 1 u 1 0123456789abcdef 0123456789\tbcdef 1",
};

/* CRC-32 as in RFC 1952, bit by bit. */
static uint32_t crc_of(const char *s)
{
	uint32_t sum = UINT32_MAX;
	int bit;

	for (; *s != '\0'; s++) {
		sum ^= (unsigned char)*s;
		for (bit = 0; bit < 8; bit++)
			sum = sum >> 1 ^ ((sum & 1) != 0 ? 0xedb88320u : 0);
	}
	return ~sum;
}

static bool decodes(const char *words)
{
	struct arena *arena = arena_new();
	struct record back;
	char line[256];
	uint32_t crc = 0;
	int len = snprintf(line, sizeof(line), "%08" PRIx32 " %s",
		crc_of(words), words);
	bool ok = record_decode(&back, &crc, line, (size_t)len, arena);

	arena_free(arena);
	return ok;
}

/* The offset was added later, and is left out where it is 0. */
static void test_offset(void)
{
	static const char intent[] =
		"intent 7 1 u 2 3 4 5 0123456789abcdef - n d";
	struct record r = fill(&records[1], &texts[0], "n");
	char line[512], words[256];
	uint32_t crc = 0;
	size_t n = record_encode(&r, &crc, line, sizeof(line));

	tap_ok(n != 0 && memcmp(line + n - 5, " n n\n", 5) == 0,
		"an offset of 0 is not written");
	r.at = 6;
	n = record_encode(&r, &crc, line, sizeof(line));
	tap_ok(n != 0 && memcmp(line + n - 7, " n n 6\n", 7) == 0,
		"another one is the last word");
	tap_ok(decodes(intent), "an intent without it");
	snprintf(words, sizeof(words), "%s 6", intent);
	tap_ok(decodes(words), "and one with it");
	snprintf(words, sizeof(words), "%s x", intent);
	tap_ok(!decodes(words), "but nothing else");
	snprintf(words, sizeof(words), "%s 6 7", intent);
	tap_ok(!decodes(words), "and no more");
}

static void test_nonsense(void)
{
	char shown[128];
	size_t i;

	tap_ok(decodes("mark 1 0") && decodes("hint 1 -") && decodes("gone 1 2"),
		"records written by hand");
	for (i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++)
		tap_ok(!decodes(nonsense[i]), "no record: \"%s\"",
			log_escape(shown, sizeof(shown), nonsense[i],
				strlen(nonsense[i])));
}

int main(void)
{
	test_round_trips();
	test_longest();
	test_capacity();
	test_changed();
	test_mark();
	test_chain();
	test_offset();
	test_nonsense();
	return tap_done();
}
