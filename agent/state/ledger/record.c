/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/state/ledger/record.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "agent/base/limits.h"
#include "agent/base/num.h"

/* "xxxxxxxx " */
#define CRC_LEN 9

enum field_type { FIELD_NUMBER, FIELD_TIME, FIELD_TEXT, FIELD_UID,
	FIELD_DIGEST, FIELD_HEADER };

/* A letter for each member of struct record. */
static const struct field {
	char letter;
	enum field_type type;
	size_t at;
} fields[] = {
	{ 'i', FIELD_NUMBER, offsetof(struct record, id) },
	{ 't', FIELD_TIME, offsetof(struct record, time) },
	{ 'u', FIELD_UID, offsetof(struct record, uid) },
	{ 'l', FIELD_NUMBER, offsetof(struct record, listed) },
	{ 'z', FIELD_NUMBER, offsetof(struct record, size) },
	{ 's', FIELD_NUMBER, offsetof(struct record, stored) },
	{ 'p', FIELD_NUMBER, offsetof(struct record, place) },
	{ 'o', FIELD_NUMBER, offsetof(struct record, at) },
	{ 'c', FIELD_DIGEST, offsetof(struct record, identity.content) },
	{ 'h', FIELD_HEADER, offsetof(struct record, identity) },
	{ 'n', FIELD_TEXT, offsetof(struct record, name) },
	{ 'd', FIELD_TEXT, offsetof(struct record, dest) },
	{ 'x', FIELD_TEXT, offsetof(struct record, text) },
	{ 'k', FIELD_NUMBER, offsetof(struct record, tries) },
	{ 'a', FIELD_TIME, offsetof(struct record, next_try) },
	{ 'S', FIELD_NUMBER, offsetof(struct record, state) },
	{ 'v', FIELD_NUMBER, offsetof(struct record, version) },
	{ 'b', FIELD_NUMBER, offsetof(struct record, before) },
	{ 'w', FIELD_NUMBER, offsetof(struct record, serial) },
	{ 'm', FIELD_NUMBER, offsetof(struct record, lines) },
};

/* Stands last where it stands, and only if it is not 0: most files hold one
 * message. */
#define OPTIONAL 'o'
/* Stands before the digest of a header without Received. */
#define WEAK '~'

/* The fields of each type, in the order of the line. */
static const struct {
	const char *name, *letters;
} types[] = {
	[RECORD_LEDGER] = { "ledger", "vtnxi" },
	[RECORD_FILE] = { "file", "wm" },
	[RECORD_INTENT] = { "intent", "itulzspchndo" },
	[RECORD_HINT] = { "hint", "ix" },
	[RECORD_DELIVERED] = { "delivered", "it" },
	[RECORD_DEFERRED] = { "deferred", "itkax" },
	[RECORD_VOID] = { "void", "it" },
	[RECORD_DELETING] = { "deleting", "it" },
	[RECORD_GONE] = { "gone", "it" },
	[RECORD_SEEN] = { "seen", "itulchS" },
	[RECORD_FAILED] = { "failed", "itulkax" },
	[RECORD_MOVED] = { "moved", "itul" },
	[RECORD_INEXACT] = { "inexact", "t" },
	[RECORD_MARKED] = { "marked", "tnd" },
	[RECORD_UNMARKED] = { "unmarked", "td" },
	[RECORD_LEFT] = { "left", "it" },
	[RECORD_CLOCK] = { "clock", "t" },
	[RECORD_MARK] = { "mark", "tb" },
};

static_assert(sizeof(types) / sizeof(types[0]) == RECORD_TYPES,
	"one row for each type of record");

static const struct field *field_of(char letter)
{
	const struct field *f = fields;

	while (f->letter != letter)
		f++;
	return f;
}

static const char hex[] = "0123456789abcdef";

static size_t put_text(char *out, size_t cap, const char *s, size_t len)
{
	size_t i, n = 0;
	unsigned char c;

	if (cap < 2)
		return cap;
	if (len == 0) {
		*out = '-';
		return 1;
	}
	for (i = 0; i < len && n + 4 <= cap; i++) {
		c = (unsigned char)s[i];
		if (c > ' ' && c < 0x7f && c != '%' && !(c == '-' && len == 1)) {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '%';
		out[n++] = hex[c >> 4];
		out[n++] = hex[c & 15];
	}
	return i == len ? n : cap;
}

static size_t put_number(char *out, size_t cap, uint64_t v)
{
	char digits[20];
	size_t n = sizeof(digits);

	do {
		digits[--n] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	if (sizeof(digits) - n >= cap)
		return cap;
	memcpy(out, digits + n, sizeof(digits) - n);
	return sizeof(digits) - n;
}

static size_t put_digest(char *out, size_t cap, const struct digest *digest)
{
	if (cap <= DIGEST_LEN)
		return cap;
	memcpy(out, digest->text, DIGEST_LEN);
	return DIGEST_LEN;
}

static size_t put_field(const struct record *record, const struct field *f,
	char *out, size_t cap)
{
	const void *p = (const char *)record + f->at;
	const struct identity *identity;
	const char *text;

	switch (f->type) {
	case FIELD_NUMBER:
		return put_number(out, cap, *(const uint64_t *)p);
	case FIELD_TIME:
		return put_number(out, cap, (uint64_t)*(const int64_t *)p);
	case FIELD_UID:
		return put_text(out, cap, record->uid, record->uid_len);
	case FIELD_DIGEST:
		return put_digest(out, cap, p);
	case FIELD_HEADER:
		identity = p;
		if (!identity->has_header && !identity->is_weak)
			return put_text(out, cap, "", 0);
		if (!identity->is_weak || cap < 2)
			return put_digest(out, cap, &identity->header);
		*out = WEAK;
		return 1 + put_digest(out + 1, cap - 1, &identity->header);
	case FIELD_TEXT:
		break;
	}
	text = *(const char *const *)p;
	return put_text(out, cap, text, strlen(text));
}

static uint32_t crc_of(uint32_t before, const char *s, size_t len)
{
	return (uint32_t)crc32(before, (const Bytef *)s, (uInt)len);
}

static void put_crc(char *out, uint32_t crc)
{
	int i;

	for (i = CRC_LEN - 1; i-- > 0; crc >>= 4)
		out[i] = hex[crc & 15];
	out[CRC_LEN - 1] = ' ';
}

size_t record_encode(const struct record *record, uint32_t *crc, char *out,
	size_t cap)
{
	const char *letter = types[record->type].letters;
	size_t n;

	if (cap <= CRC_LEN)
		return 0;
	n = CRC_LEN + (size_t)snprintf(out + CRC_LEN, cap - CRC_LEN, "%s",
		types[record->type].name);
	for (; *letter != '\0' && n + 1 < cap; letter++) {
		if (*letter == OPTIONAL && record->at == 0)
			break;
		out[n++] = ' ';
		n += put_field(record, field_of(*letter), out + n, cap - n);
	}
	if (n + 1 >= cap)
		return 0;
	*crc = crc_of(*crc, out + CRC_LEN, n - CRC_LEN);
	put_crc(out, *crc);
	out[n++] = '\n';
	return n;
}

static bool get_text(const char *s, size_t len, struct arena *arena,
	const char **text_r, size_t *len_r)
{
	char *out = arena_bytes(arena, len + 1);
	uint64_t byte;
	size_t i = 0, n = 0;

	if (len == 1 && s[0] == '-')
		len = 0;
	if (memchr(s, '%', len) == NULL) {
		memcpy(out, s, len);
		n = i = len;
	}
	for (; i < len; i++) {
		if (s[i] != '%') {
			out[n++] = s[i];
			continue;
		}
		if (i + 2 >= len || !num_hex(s + i + 1, 2, &byte))
			return false;
		out[n++] = (char)byte;
		i += 2;
	}
	out[n] = '\0';
	*text_r = out;
	*len_r = n;
	return true;
}

static bool get_field(struct record *record, const struct field *f,
	const char *s, size_t len, struct arena *arena)
{
	void *p = (char *)record + f->at;
	uint64_t number;
	size_t ignored;

	switch (f->type) {
	case FIELD_NUMBER:
		return num_u64(s, len, UINT64_MAX, p);
	case FIELD_TIME:
		if (!num_u64(s, len, INT64_MAX, &number))
			return false;
		*(int64_t *)p = (int64_t)number;
		return true;
	case FIELD_UID:
		return get_text(s, len, arena, &record->uid, &record->uid_len);
	case FIELD_DIGEST:
		return digest_parse(s, len, p);
	case FIELD_HEADER:
		record->identity.is_weak = len != 0 && s[0] == WEAK;
		if (record->identity.is_weak)
			return digest_parse(s + 1, len - 1,
				&record->identity.header);
		record->identity.has_header = !(len == 1 && s[0] == '-');
		return !record->identity.has_header
			|| digest_parse(s, len, &record->identity.header);
	case FIELD_TEXT:
		break;
	}
	return get_text(s, len, arena, p, &ignored);
}

static bool check_crc(uint32_t *crc, const char *line, size_t len)
{
	char expected[CRC_LEN];
	uint64_t stated;

	if (len <= CRC_LEN || !num_hex(line, CRC_LEN - 1, &stated))
		return false;
	put_crc(expected, crc_of(*crc, line + CRC_LEN, len - CRC_LEN));
	*crc = (uint32_t)stated;
	/* As text: each bit of the line counts, also that of a letter's case. */
	return memcmp(line, expected, CRC_LEN) == 0;
}

static size_t next_word(const char **p, const char *end, const char **word_r)
{
	const char *blank;

	*word_r = *p;
	blank = memchr(*p, ' ', (size_t)(end - *p));
	if (blank == NULL)
		blank = end;
	*p = blank < end ? blank + 1 : end;
	return (size_t)(blank - *word_r);
}

static bool find_type(const char *word, size_t len, enum record_type *type_r)
{
	int i;

	for (i = 0; i < RECORD_TYPES; i++)
		if (strlen(types[i].name) == len
		    && memcmp(types[i].name, word, len) == 0) {
			*type_r = (enum record_type)i;
			return true;
		}
	return false;
}

bool record_decode(struct record *record_r, uint32_t *crc, const char *line,
	size_t len, struct arena *arena)
{
	const char *p = line + CRC_LEN, *end = line + len, *word, *letter;
	size_t n;

	if (!check_crc(crc, line, len))
		return false;
	memset(record_r, 0, sizeof(*record_r));
	n = next_word(&p, end, &word);
	if (!find_type(word, n, &record_r->type))
		return false;
	for (letter = types[record_r->type].letters; *letter != '\0'; letter++) {
		if (*letter == OPTIONAL && p == end)
			break;
		n = next_word(&p, end, &word);
		if (!get_field(record_r, field_of(*letter), word, n, arena))
			return false;
	}
	return p == end;
}

bool record_fits(uint32_t crc, const char *line, size_t len)
{
	return check_crc(&crc, line, len);
}

bool record_is_mark(const char *line, size_t len, struct arena *arena)
{
	const char *blank = memrchr(line, ' ', len), *word, *end = line + len;
	struct record r;
	uint64_t before;
	uint32_t crc;

	/* It may have lost the line end in front of it. */
	word = memmem(line, len, " mark ", 6);
	if (word != NULL && word - line > CRC_LEN - 1) {
		line = word - (CRC_LEN - 1);
		len = (size_t)(end - line);
	}
	if (blank == NULL || !num_u64(blank + 1, (size_t)(line + len
		- (blank + 1)), UINT32_MAX, &before))
		return false;
	crc = (uint32_t)before;
	return record_decode(&r, &crc, line, len, arena)
		&& r.type == RECORD_MARK;
}
