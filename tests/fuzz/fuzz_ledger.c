/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "agent/base/limits.h"
#include "agent/state/ledger/record.h"

/*
 * Any bytes as lines of a ledger, with a CRC put right so that they are
 * looked at; and any bytes as the texts of a record. What is read can be
 * written, and reads back the same.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void assert_same(const struct record *a, const struct record *b)
{
	assert(a->type == b->type && a->id == b->id && a->time == b->time);
	assert(a->uid_len == b->uid_len && (a->uid_len == 0
		|| memcmp(a->uid, b->uid, a->uid_len) == 0));
	assert(a->listed == b->listed && a->size == b->size
		&& a->stored == b->stored && a->place == b->place
		&& a->tries == b->tries);
	assert(a->next_try == b->next_try && a->state == b->state
		&& a->version == b->version && a->before == b->before);
	assert(same_text(a->name, b->name) && same_text(a->dest, b->dest)
		&& same_text(a->text, b->text));
	assert(a->identity.has_header == b->identity.has_header);
	assert(same_text(a->identity.content.text, b->identity.content.text));
	assert(!a->identity.has_header || same_text(a->identity.header.text,
		b->identity.header.text));
}

/* Writes a record and reads it again; false if it does not fit. */
static bool round_trip(const struct record *r, struct arena *arena)
{
	static char out[LIMIT_LEDGER_LINE];
	uint32_t wrote = 7, read = 7;
	struct record back;
	size_t n = record_encode(r, &wrote, out, sizeof(out)), i;

	if (n == 0)
		return false;
	assert(n <= sizeof(out) && out[n - 1] == '\n');
	for (i = 0; i + 1 < n; i++)
		assert(out[i] >= ' ' && out[i] <= '~');
	assert(record_decode(&back, &read, out, n - 1, arena));
	assert(read == wrote);
	assert_same(r, &back);
	return true;
}

static void read_line(const char *text, size_t len, struct arena *arena)
{
	char *line = malloc(len + 10);
	uint32_t crc = 0, wrong;
	struct record r;

	snprintf(line, 10, "%08" PRIx32 " ", (uint32_t)crc32(crc,
		(const Bytef *)text, (uInt)len));
	memcpy(line + 9, text, len);
	/* A mark may have lost the line end in front of it. */
	if (record_is_mark(line, len + 9, arena))
		assert(memmem(line, len + 9, " mark ", 6) != NULL);
	wrong = 1;
	assert(!record_decode(&r, &wrong, line, len + 9, arena));
	if (record_decode(&r, &crc, line, len + 9, arena))
		assert(round_trip(&r, arena) || 3 * len + 100
			> LIMIT_LEDGER_LINE);
	/* As it came, it is a record only if its CRC is right. */
	crc = 0;
	if (len > 9 && record_decode(&r, &crc, text, len, arena))
		assert(crc == (uint32_t)crc32(0, (const Bytef *)text + 9,
			(uInt)len - 9));
	free(line);
}

/* Takes up to `want` bytes as a C string. */
static const char *take(const uint8_t **p, size_t *len, size_t want,
	struct arena *arena)
{
	size_t n = want < *len ? want : *len;
	char *text = arena_strndup(arena, (const char *)*p, n);

	*p += n;
	*len -= n;
	return text;
}

static uint64_t number(const uint8_t **p, size_t *len)
{
	uint64_t v = 0;
	size_t n = *len < 8 ? *len : 8;

	memcpy(&v, *p, n);
	*p += n;
	*len -= n;
	return v;
}

static void write_record(const uint8_t *p, size_t len, struct arena *arena)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEF_-01";
	struct record r = { .type = p[0] % RECORD_TYPES };
	const char *used[RECORD_TYPES] = { [RECORD_INTENT] = "u",
		[RECORD_SEEN] = "u", [RECORD_FAILED] = "u",
		[RECORD_MOVED] = "u" };
	size_t i;

	for (i = 0; i < DIGEST_LEN; i++)
		r.identity.content.text[i] = r.identity.header.text[i]
			= letters[(p[0] + i) % (sizeof(letters) - 1)];
	r.identity.has_header = (p[0] & 128) != 0;
	p++;
	len--;
	r.id = number(&p, &len);
	r.time = (int64_t)(number(&p, &len) >> 1);
	r.listed = number(&p, &len);
	r.name = take(&p, &len, 20, arena);
	r.dest = take(&p, &len, 20, arena);
	r.text = take(&p, &len, 20, arena);
	if (used[r.type] != NULL) {
		r.uid = (const char *)p;
		r.uid_len = len;
	}
	/* What a type does not hold is not read back. */
	if (r.type != RECORD_INTENT && r.type != RECORD_LEDGER
	    && r.type != RECORD_MARKED)
		r.name = NULL;
	if (r.type != RECORD_INTENT && r.type != RECORD_MARKED
	    && r.type != RECORD_UNMARKED)
		r.dest = NULL;
	if (r.type != RECORD_LEDGER && r.type != RECORD_HINT
	    && r.type != RECORD_DEFERRED && r.type != RECORD_FAILED)
		r.text = NULL;
	if (r.type == RECORD_MARK || r.type == RECORD_INEXACT
	    || r.type == RECORD_MARKED || r.type == RECORD_UNMARKED
	    || r.type == RECORD_FILE || r.type == RECORD_CLOCK)
		r.id = 0;
	if (r.type == RECORD_HINT || r.type == RECORD_FILE)
		r.time = 0;
	if (r.type != RECORD_INTENT && r.type != RECORD_SEEN)
		memset(&r.identity, 0, sizeof(r.identity));
	if (r.type != RECORD_INTENT && r.type != RECORD_SEEN
	    && r.type != RECORD_FAILED)
		r.listed = 0;
	if (!r.identity.has_header)
		memset(&r.identity.header, 0, sizeof(r.identity.header));
	assert(round_trip(&r, arena) || 3 * r.uid_len + 1000
		> LIMIT_LEDGER_LINE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	const char *line = (const char *)data, *lf;
	size_t left = size;

	if (size != 0)
		write_record(data, size, arena);
	while (left != 0) {
		lf = memchr(line, '\n', left);
		if (lf == NULL)
			lf = line + left;
		read_line(line, (size_t)(lf - line), arena);
		left -= (size_t)(lf - line);
		line = lf;
		if (left != 0) {
			line++;
			left--;
		}
	}
	arena_free(arena);
	return 0;
}
