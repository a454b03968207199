/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/pop3/dot.h"
#include "tests/unit/pop3/dot_reference.h"

/*
 * Any bytes as a multi-line reply: however it is cut into pieces, the decoder
 * agrees with one that sees it whole. The first two bytes say how it is cut.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct cut {
	uint32_t state;
};

/* The size of the next piece: mostly small. */
static size_t next_piece(struct cut *cut)
{
	cut->state = cut->state * 1664525u + 1013904223u;
	return cut->state >> 30 == 0 ? cut->state >> 16 & 1023
		: cut->state >> 16 & 7;
}

/* A piece in memory of its own, through outputs of their own. */
static size_t feed(struct dot *dot, const char *in, size_t len, char *out,
	size_t *made, struct cut *cut)
{
	size_t at = 0, used, n, cap;
	char *piece = malloc(len + 1), *part;

	memcpy(piece, in, len);
	while (at < len && !dot_ended(dot)) {
		cap = 2 + next_piece(cut);
		part = malloc(cap);
		dot_decode(dot, piece + at, len - at, part, cap, &used, &n);
		assert(used <= len - at && n <= cap && (used != 0 || n != 0));
		memcpy(out + *made, part, n);
		*made += n;
		at += used;
		free(part);
	}
	free(piece);
	return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dot dot = DOT_INIT;
	struct cut cut;
	const char *in = (const char *)data + 2;
	char *expected, *out;
	size_t at = 0, made = 0, used, wanted, n;
	bool ended;

	if (size < 2)
		return 0;
	size -= 2;
	cut.state = (uint32_t)(data[0] << 8 | data[1]);
	expected = malloc(size + 1);
	out = malloc(size + 1);
	used = dot_reference(in, size, expected, &wanted, &ended);
	while (at < size && !dot_ended(&dot)) {
		n = next_piece(&cut);
		if (n > size - at)
			n = size - at;
		at += feed(&dot, in + at, n, out, &made, &cut);
	}
	assert(at == used && made == wanted && dot_ended(&dot) == ended);
	assert(memcmp(out, expected, made) == 0);
	free(expected);
	free(out);
	return 0;
}
