/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * Runs a fuzz target without a fuzzer: over the files that are named, or over
 * the seeds below with all their beginnings and a few thousand changes of
 * them, the same each time. A target ends the program when it finds a fault.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seed {
	const char *bytes;
	size_t len;
};

#define S(bytes) { bytes, sizeof(bytes) - 1 }

static const struct seed seeds[] = {
	S(""), S("+OK [LOGIN-DELAY 60] ready\r\n"), S("-ERR [SYS/TEMP] busy"),
	S("+ dGV4dA=="), S("1 1205"), S("4294967296 99999999999999999999"),
	S("7   <a b@c.example> \t"), S("SASL PLAIN SCRAM-SHA-256"),
	S("IMPLEMENTATION x\x1b]0;y\x07"),
	S("ab.\r\n"), S("zz..\r\n.\r\n+OK\r\n"), S("\1\2a\r\n.\rb\r\n.\n.\r\n"),
	S("\0\0From a\r\n>From b\r\n>>From\r\nFrom "), S("\1\7From a\r\n\r\r\n"),
	S("\2\1aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"),
	S("\3\2>>>>>>>>>>>>>>>>>>>>From x\nFrom y\r"),
	S("mark 1700000000 0\nhint 3 at%204711\nvoid 1 2"),
	S("intent 1 2 a%20b 3 4 5 6 0123456789abcdef - 1.M2 mbox:/x"),
	S("intent 1 2 a%20b 3 4 5 6 0123456789abcdef - 1.M2 mbox:/x 7"),
	S("seen 1 2 - 3 0123456789abcdef AAAAAAAAAAAAAAAA 1"),
	S("failed 1 2 u 3 1 0 -ERR%0a\nmoved 1 2 %ff\ngone 18446744073709551615 0"),
	S("ledger 1 1700000000 jane 0011223344556677 1\ndeferred 1 2 3 4 -"),
	S("accounts:\n  a:\n    host: pop.example.com\n    user: jane\n"
		"    password: secret\n    deliver: {maildir: ~/Mail}\n"),
	S("accounts: {a: {port: 99999, keep: [1, 2], tls: \"\\x00\"}}"),
};
#define SEEDS (sizeof(seeds) / sizeof(seeds[0]))

/* In memory of its own size, so that reading behind it is found. */
static void run(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len != 0 ? len : 1);

	if (copy == NULL)
		exit(99);
	memcpy(copy, data, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

static uint32_t next(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

/* Changes, takes out or doubles some bytes; returns the new length. */
static size_t change(uint8_t *data, size_t len, size_t cap, uint32_t *state)
{
	static const uint8_t bytes[] = "\r\n. >FromZ0%-+[]:{}\0\xff\x1b\t";
	size_t at, n;

	for (n = next(state) % 4 + 1; n > 0 && len > 0; n--) {
		at = next(state) % len;
		switch (next(state) % 4) {
		case 0:
			data[at] ^= (uint8_t)(1u << next(state) % 8);
			break;
		case 1:
			data[at] = bytes[next(state) % (sizeof(bytes) - 1)];
			break;
		case 2:
			memmove(data + at, data + at + 1, --len - at);
			break;
		default:
			if (len == cap)
				break;
			memmove(data + at + 1, data + at, len++ - at);
		}
	}
	return len;
}

static void run_seed(const struct seed *seed, uint32_t state)
{
	uint8_t data[1024];
	size_t len;
	int round;

	for (len = 0; len <= seed->len; len++)
		run((const uint8_t *)seed->bytes, len);
	memcpy(data, seed->bytes, seed->len);
	len = seed->len;
	for (round = 0; round < 1000; round++) {
		len = change(data, len, sizeof(data), &state);
		run(data, len);
		if (round % 10 == 9) {
			memcpy(data, seed->bytes, seed->len);
			len = seed->len;
		}
	}
}

static bool run_file(const char *path)
{
	static uint8_t data[1 << 20];
	FILE *file = fopen(path, "r");
	size_t len;

	if (file == NULL) {
		tap_note("%s: %s", path, strerror(errno));
		return false;
	}
	len = fread(data, 1, sizeof(data), file);
	fclose(file);
	run(data, len);
	return true;
}

int main(int argc, char **argv)
{
	size_t i;
	int arg;

	/* What was going on must be seen if the target ends the program. */
	setvbuf(stdout, NULL, _IONBF, 0);
	for (arg = 1; arg < argc; arg++)
		tap_ok(run_file(argv[arg]), "%s", argv[arg]);
	for (i = 0; argc < 2 && i < SEEDS; i++) {
		run_seed(&seeds[i], (uint32_t)i);
		tap_ok(true, "seed %zu and its changes", i);
	}
	return tap_done();
}
