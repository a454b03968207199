/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <inttypes.h>
#include <string.h>

#include "agent/base/num.h"

/* Numbers from outside: exactly the digits and nothing else. */

#define NO UINT64_MAX		/* not a number */

struct number {
	const char *text;
	uint64_t value;
};

static const struct number plain[] = {
	{ "0", 0 }, { "7", 7 }, { "42", 42 }, { "007", 7 },
	{ "18446744073709551614", UINT64_MAX - 1 },
	{ "18446744073709551616", NO }, { "18446744073709551620", NO },
	{ "99999999999999999999999999", NO }, { "", NO }, { " 1", NO },
	{ "1 ", NO }, { "+1", NO }, { "-1", NO }, { "1.0", NO }, { "1e3", NO },
	{ "0x10", NO }, { "1_000", NO }, { "1,000", NO }, { "/", NO },
	{ ":", NO }, { "\xd9\xa1", NO }, { "1\n", NO },
};

static const struct number hex[] = {
	{ "0", 0 }, { "f", 15 }, { "F", 15 }, { "00ff", 255 },
	{ "DeadBeef", 0xdeadbeef }, { "fffffffffffffffe", UINT64_MAX - 1 },
	{ "0000000000000000f", NO }, { "", NO }, { "0x1", NO }, { "g", NO },
	{ "-1", NO }, { " 1", NO },
};

static const struct number durations[] = {
	{ "0", 0 }, { "90", 90 }, { "90s", 90 }, { "5m", 300 }, { "2h", 7200 },
	{ "14d", 1209600 }, { "", NO }, { "s", NO }, { "m", NO }, { "1w", NO },
	{ "1M", NO }, { "1 m", NO }, { "1.5h", NO }, { "-5m", NO },
	{ "1h30m", NO }, { "1ms", NO }, { "5mm", NO },
	{ "106751991167300d", 106751991167300ull * 86400 },
	{ "106751991167301d", NO }, { "18446744073709551615s", NO },
};

static const struct number sizes[] = {
	{ "0", 0 }, { "1", 1 }, { "64K", 65536 }, { "50M", 50ull << 20 },
	{ "2G", 2ull << 30 }, { "", NO }, { "K", NO }, { "1k", NO },
	{ "1KB", NO }, { "1KiB", NO }, { "1T", NO }, { "1.5M", NO },
	{ "-1K", NO }, { "8589934591G", 8589934591ull << 30 },
	{ "8589934592G", NO },
};

static bool u64(const char *s, size_t len, uint64_t *value_r)
{
	return num_u64(s, len, UINT64_MAX, value_r);
}

static void check(const char *name,
	bool (*read)(const char *s, size_t len, uint64_t *value_r),
	const struct number *table, size_t count)
{
	uint64_t value;
	size_t i;
	bool ok;

	for (i = 0; i < count; i++) {
		value = 1234;
		ok = read(table[i].text, strlen(table[i].text), &value);
		tap_ok(ok == (table[i].value != NO)
			&& value == (ok ? table[i].value : 1234),
			"%s \"%s\"", name, table[i].value == NO
			&& strpbrk(table[i].text, "\n\xd9") != NULL
			? "(unprintable)" : table[i].text);
	}
}

static void check_bounds(void)
{
	uint64_t value;

	tap_ok(num_u64("18446744073709551615", 20, UINT64_MAX, &value)
		&& value == UINT64_MAX, "the largest of all");
	tap_ok(num_u64("65535", 5, 65535, &value) && value == 65535,
		"the largest allowed");
	tap_ok(!num_u64("65536", 5, 65535, &value), "one more");
	tap_ok(!num_u64("655350", 6, 65535, &value), "ten times as much");
	tap_ok(num_u64("0", 1, 0, &value) && value == 0, "0 of at most 0");
	tap_ok(!num_u64("1", 1, 0, &value), "1 of at most 0");
	tap_ok(!num_u64("9", 1, 5, &value), "9 of at most 5");
	tap_ok(num_u64("5", 1, 5, &value) && value == 5, "5 of at most 5");
	tap_ok(num_u64("129", 2, UINT64_MAX, &value) && value == 12,
		"no byte after the length is read");
	tap_ok(!num_u64("1\0002", 3, UINT64_MAX, &value), "a NUL is no end");
}

static void check_formats(void)
{
	static const struct number bytes[] = {
		{ "0 B", 0 }, { "999 B", 999 }, { "1.0 kB", 1000 },
		{ "1.5 MB", 1500000 }, { "2.0 GB", 2000000000 },
		{ "18446744.1 TB", UINT64_MAX },
	};
	static const struct number times[] = {
		{ "0s", 0 }, { "59s", 59 }, { "1m 00s", 60 },
		{ "3m 20s", 200 }, { "1h 01m", 3661 }, { "24h 00m", 86400 },
	};
	char out[32];
	size_t i;

	for (i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++)
		tap_ok(strcmp(num_format_size(out, sizeof(out),
			bytes[i].value), bytes[i].text) == 0, "%s",
			bytes[i].text);
	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		tap_ok(strcmp(num_format_time(out, sizeof(out),
			times[i].value), times[i].text) == 0, "%s",
			times[i].text);
}

#define CHECK(name, read, table) \
	check(name, read, table, sizeof(table) / sizeof((table)[0]))

int main(void)
{
	CHECK("number", u64, plain);
	CHECK("hex", num_hex, hex);
	CHECK("duration", num_duration, durations);
	CHECK("size", num_size, sizes);
	check_bounds();
	check_formats();
	return tap_done();
}
