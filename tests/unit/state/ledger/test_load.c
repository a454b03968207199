/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <inttypes.h>

#include "agent/state/ledger/record.h"
#include "tests/unit/state/ledger/help.h"

/*
 * What is read back from a file that was cut off or damaged: all that was ever
 * durable, or a refusal that touches nothing.
 */

#define FILE_NAME "l/ledger"

/* A ledger of three groups: the first two durable, the last only flushed. */
static char *whole;
static size_t whole_len, durable_len, last_mark;

struct state {
	size_t count;
	uint64_t ids[16], sums[16];
};

static struct state state_of(const struct ledger *l)
{
	const struct ledger_pending *p;
	const struct ledger_entry *e;
	struct state s;
	size_t i;

	memset(&s, 0, sizeof(s));
	for (i = 0; i < ledger_count(l); i++) {
		e = ledger_at(l, i);
		p = ledger_pending(e);
		/* A cut writes the file anew, without them. */
		if (e->state == LEDGER_VOID)
			continue;
		scratch_need(s.count < 16, "too many entries");
		s.ids[s.count] = e->id;
		s.sums[s.count++] = (uint64_t)e->state + 10 * p->tries
			+ 1000 * strlen(p->hint) + 1000000 * e->uid_len
			+ 100000000 * (uint64_t)e->listed;
	}
	return s;
}

static bool load(struct state *state_r, struct err *err)
{
	struct ledger *l = try_ledger("l", err);

	if (l == NULL)
		return false;
	*state_r = state_of(l);
	ledger_close(l);
	return true;
}

static size_t size_now(void)
{
	struct stat st;

	scratch_need(stat(scratch_path(FILE_NAME), &st) == 0, "no ledger");
	return (size_t)st.st_size;
}

static void write_ledger(void)
{
	static const char *const uids[] = { "one", "two", "three", "a b%" };
	struct identity id = identity_of("c", "h");
	struct ledger_entry *e[6];
	struct err err = ERR_INIT;
	struct ledger *l = need_ledger("l");
	size_t i;

	for (i = 0; i < 4; i++)
		e[i] = put_intent(l, uids[i], strlen(uids[i]), 100 + i, &id);
	need_sync(l);
	scratch_need(ledger_delivered(l, e[0], &err)
		&& ledger_delivered(l, e[1], &err)
		&& ledger_hint(l, e[2], "at 4711", &err), "cannot write");
	e[4] = put_intent(l, "five", 4, 7, &id);
	need_sync(l);
	durable_len = size_now();
	scratch_need(ledger_deferred(l, e[2], "it said no", &err)
		&& ledger_deleting(l, e[0], &err)
		&& ledger_delivered(l, e[4], &err), "cannot write");
	e[5] = put_intent(l, "six", 3, 8, &id);
	scratch_need(ledger_gone(l, e[0], &err)
		&& ledger_void(l, e[3], &err), "cannot write");
	ledger_close(l);
}

/* Where the last mark's line begins. */
static size_t find_last_mark(void)
{
	size_t at = whole_len, found = 0;

	while (found == 0 && --at > 0)
		if (whole[at - 1] == '\n' && whole_len - at > 14
		    && memcmp(whole + at + 8, " mark ", 6) == 0)
			found = at;
	return found;
}

static bool load_cut(size_t cut, const char *tail, size_t tail_len,
	struct state *state_r)
{
	struct err err = ERR_INIT;

	scratch_write(FILE_NAME, whole, cut);
	scratch_append(FILE_NAME, tail, tail_len);
	if (load(state_r, &err))
		return true;
	tap_note("cut at %zu: %s", cut, err.text);
	return false;
}

/* Whatever the tail is: as if only the whole lines before the cut were there,
 * now and the next time. */
static void test_tail(const char *name, const char *tail, size_t len,
	size_t step)
{
	struct state expected, got, again;
	struct err err = ERR_INIT;
	size_t cut, bad = 0;

	scratch_need(load_cut(durable_len, "", 0, &expected), "cannot load");
	for (cut = durable_len; cut <= whole_len; cut += step) {
		if (whole[cut - 1] == '\n' || step > 1) {
			size_t line = cut;

			while (whole[line - 1] != '\n')
				line--;
			bad += !load_cut(line, "", 0, &expected);
		}
		if (load_cut(cut, tail, len, &got) && load(&again, &err)
		    && memcmp(&expected, &got, sizeof(got)) == 0
		    && memcmp(&expected, &again, sizeof(got)) == 0)
			continue;
		if (bad++ == 0)
			tap_note("cut at %zu of %zu", cut, whole_len);
	}
	tap_ok(bad == 0, "a torn end is cut off: %s", name);
}

static void test_torn(void)
{
	static const char zeros[4096];
	struct state s;
	struct err err = ERR_INIT;

	scratch_write(FILE_NAME, whole, durable_len);
	tap_ok(load(&s, &err) && s.count == 5, "the durable part is loaded");
	scratch_write(FILE_NAME, whole, whole_len);
	tap_ok(load(&s, &err) && s.count == 5, "so is the whole");
	test_tail("at every byte", "", 0, 1);
	test_tail("zeros follow", zeros, sizeof(zeros), 9);
	test_tail("zeros and an old line follow",
		"\0\0\0\n" "00000000 x\n", 15, 9);
	test_tail("a line that does not fit follows", "x\nffffffff gone 1 2\n",
		20, 9);
}

/* After a cut the ledger goes on: nothing is read wrong later. */
static void test_goes_on(void)
{
	struct identity id = identity_of("c", NULL);
	struct err err = ERR_INIT;
	struct ledger *l;
	struct state s;
	uint64_t new_id;

	scratch_write(FILE_NAME, whole, durable_len + 3);
	l = need_ledger("l");
	new_id = put_delivered(l, "seven", 5, 9, &id)->id;
	ledger_close(l);
	tap_ok(load(&s, &err) && s.count == 6 && s.ids[5] == new_id
		&& new_id > s.ids[4], "records go on behind the cut");
	tap_ok(scratch_count("l", NULL) == 1, "no other file is left");
}

static bool refused(const char *data, size_t len)
{
	struct err err = ERR_INIT;
	struct state s;

	scratch_write(FILE_NAME, data, len);
	return !load(&s, &err) && err.class == ERR_CONFIG
		&& scratch_holds(FILE_NAME, data, len)
		&& scratch_count("l", NULL) == 1;
}

/* Every byte before what is known to be durable, with two changes of it. */
static void test_damage(void)
{
	char *copy = malloc(whole_len);
	size_t at, bad = 0, first = 0;

	memcpy(copy, whole, whole_len);
	for (at = 0; at < last_mark; at++) {
		copy[at] = (char)(whole[at] ^ 1);
		if (!refused(copy, whole_len) && bad++ == 0)
			first = at;
		copy[at] = whole[at] == '\n' ? ' ' : '\n';
		if (!refused(copy, whole_len) && bad++ == 0)
			first = at;
		copy[at] = whole[at];
	}
	tap_ok(bad == 0, "a byte changed before the last mark: refused, and "
		"nothing is touched");
	if (bad != 0)
		tap_note("%zu of %zu changes are taken for a torn end, the "
			"first at %zu; the mark is at %zu", bad, 2 * last_mark,
			first, last_mark);
	free(copy);
}

/* Lines taken away, doubled or swapped, before the last mark. */
static void test_lines(void)
{
	char *copy = malloc(2 * whole_len);
	size_t at, end, next, bad[3] = { 0, 0, 0 };

	for (at = 0; at < last_mark; at = end) {
		end = (size_t)((char *)memchr(whole + at, '\n', whole_len)
			- whole) + 1;
		memcpy(copy, whole, at);
		memcpy(copy + at, whole + end, whole_len - end);
		bad[0] += !refused(copy, whole_len - (end - at));
		memcpy(copy, whole, end);
		memcpy(copy + end, whole + at, whole_len - at);
		bad[1] += !refused(copy, whole_len + (end - at));
		if (end >= last_mark)
			break;
		next = (size_t)((char *)memchr(whole + end, '\n', whole_len)
			- whole) + 1;
		memcpy(copy, whole, whole_len);
		memcpy(copy + at, whole + end, next - end);
		memcpy(copy + at + (next - end), whole + at, end - at);
		bad[2] += !refused(copy, whole_len);
	}
	tap_ok(bad[0] == 0, "a line missing before the last mark is refused");
	tap_ok(bad[1] == 0, "a line doubled before the last mark is refused");
	tap_ok(bad[2] == 0, "two lines swapped before the last mark are "
		"refused");
	free(copy);
}

static size_t first_line(char *out, size_t cap, uint64_t version,
	const char *account)
{
	const struct record r = { .type = RECORD_LEDGER, .version = version,
		.time = 1, .name = account, .text = "0123456789abcdef",
		.id = 1 };
	uint32_t crc = 0;

	return record_encode(&r, &crc, out, cap);
}

/* A person says that the account was renamed. */
static void test_adopt(void)
{
	struct err err = ERR_INIT;
	struct ledger *l;
	struct state s;
	int dir;

	scratch_write(FILE_NAME, whole, whole_len);
	dir = scratch_subdir("l");
	l = ledger_open(dir, scratch_path("l"), "other", true, &err);
	tap_ok(l != NULL && ledger_begin(l, &err) && ledger_count(l) == 6,
		"a ledger is taken over");
	ledger_close(l);
	tap_ok(!load(&s, &err) && err.class == ERR_CONFIG,
		"and is the first account's no more");
	l = ledger_open(dir, scratch_path("l"), "other", false, &err);
	tap_ok(l != NULL && state_of(l).count == 5, "but the other's");
	ledger_close(l);
	close(dir);
}

static void test_beginning(void)
{
	char line[256];
	struct err err = ERR_INIT;
	struct state s;
	size_t n, cut;
	bool ok = true;

	n = first_line(line, sizeof(line), 1, ACCOUNT);
	scratch_write(FILE_NAME, line, n);
	tap_ok(load(&s, &err) && s.count == 0, "a ledger without entries");
	for (cut = 0; cut < n; cut++)
		ok = ok && refused(line, cut);
	tap_ok(ok, "no beginning, or a part of it: refused");
	tap_ok(refused(line, first_line(line, sizeof(line), 3, ACCOUNT)),
		"a newer version is refused");
	tap_ok(refused(line, first_line(line, sizeof(line), 2, ACCOUNT)),
		"so is this version's first line alone");
	tap_ok(refused(line, first_line(line, sizeof(line), 1, "other")),
		"the ledger of another account is refused");
	tap_ok(refused(line, first_line(line, sizeof(line), 1, ACCOUNT "2")),
		"so is one of an account whose name begins the same");
	tap_ok(refused("postrider\n", 10), "a text file is refused");
	tap_ok(refused("\0\0\0\0\n\0\0\0\n", 9), "so are zeros");
}

static uint32_t crc_of(const char *line)
{
	uint32_t crc = 0;
	size_t i;

	for (i = 0; i < 8; i++)
		crc = crc << 4 | (uint32_t)(line[i] <= '9' ? line[i] - '0'
			: line[i] - 'a' + 10);
	return crc;
}

/* A file of version 1 with one message; its state may be one there is not. */
static size_t old_file(char *out, size_t cap, uint64_t state)
{
	const struct record r = { .type = RECORD_SEEN, .id = 1, .time = 1,
		.uid = "u", .uid_len = 1, .state = state,
		.identity = identity_of("c", NULL) };
	size_t n = first_line(out, cap, 1, ACCOUNT);
	uint32_t crc = crc_of(out);

	return n + record_encode(&r, &crc, out + n, cap - n);
}

/* Right in its CRC, but no state that there is: no torn write makes this. */
static void test_state(void)
{
	char file[512];

	tap_ok(refused(file, old_file(file, sizeof(file), 9)),
		"a record of an unknown state is a newer version's: refused");
}

static void test_old_version(void)
{
	struct identity id = identity_of("c", NULL);
	struct err err = ERR_INIT;
	char file[512], *now;
	size_t n = old_file(file, sizeof(file), LEDGER_DELIVERED), len;
	struct ledger *l;
	struct state s;

	scratch_write(FILE_NAME, file, n);
	tap_ok(load(&s, &err) && s.count == 1
		&& scratch_holds(FILE_NAME, file, n),
		"an old file is read, and stays as it is");
	l = need_ledger("l");
	put_delivered(l, "v", 1, 9, &id);
	ledger_close(l);
	now = scratch_read(FILE_NAME, &len);
	tap_ok(load(&s, &err) && s.count == 2 && s.ids[0] == 1
		&& memcmp(now + 8, " ledger 2 ", 10) == 0,
		"with the first record it becomes a new one");
	free(now);
}

/* Written anew, all of it was durable before it got its name. */
static void test_compacted(void)
{
	struct err err = ERR_INIT;
	struct ledger *l;
	size_t len, at, bad = 0;
	char *file;

	scratch_write(FILE_NAME, whole, whole_len);
	l = need_ledger("l");
	scratch_need(ledger_compact(l, &err), "cannot write it anew");
	ledger_close(l);
	file = scratch_read(FILE_NAME, &len);
	for (at = 0; at < len; at++)
		bad += !refused(file, at);
	tap_ok(bad == 0, "written anew and cut anywhere: refused");
	for (at = 0, bad = 0; at < 8 * len; at++) {
		file[at / 8] ^= (char)(1 << at % 8);
		bad += !refused(file, len);
		file[at / 8] ^= (char)(1 << at % 8);
	}
	tap_ok(bad == 0, "or with any bit changed: refused");
	free(file);
}

int main(void)
{
	scratch_make("ledger-load");
	write_ledger();
	whole = scratch_read(FILE_NAME, &whole_len);
	last_mark = find_last_mark();
	tap_ok(last_mark == durable_len, "a mark follows what is durable");
	test_torn();
	test_goes_on();
	test_damage();
	test_lines();
	test_beginning();
	test_adopt();
	test_state();
	test_old_version();
	test_compacted();
	free(whole);
	scratch_end();
	return tap_done();
}
