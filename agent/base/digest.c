/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/base/digest.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "agent/base/arena.h"
#include "agent/base/log.h"

struct digester {
	gnutls_hash_hd_t hash;
};

static void need(int rc, const char *what)
{
	if (rc >= 0)
		return;
	log_error("%s failed: %s", what, gnutls_strerror(rc));
	_exit(EX_TEMPFAIL);
}

struct digester *digest_new(void)
{
	struct digester *d = mem_grow(NULL, 1, sizeof(*d));

	need(gnutls_hash_init(&d->hash, GNUTLS_DIG_SHA256), "SHA-256");
	return d;
}

void digest_add(struct digester *d, const void *data, size_t len)
{
	need(gnutls_hash(d->hash, data, len), "SHA-256");
}

void digest_add_text(struct digester *d, const char *text)
{
	digest_add(d, text != NULL ? "+" : "-", 1);
	if (text != NULL)
		digest_add(d, text, strlen(text) + 1);
}

struct digest digest_take(struct digester *d)
{
	unsigned char sum[32];
	struct digest digest;
	char *c;

	gnutls_hash_output(d->hash, sum);
	/* 12 bytes make 16 characters without padding. */
	digest_base64(sum, 12, digest.text, sizeof(digest.text));
	for (c = digest.text; *c != '\0'; c++) {
		if (*c == '+')
			*c = '-';
		else if (*c == '/')
			*c = '_';
	}
	return digest;
}

void digest_free(struct digester *d)
{
	if (d == NULL)
		return;
	gnutls_hash_deinit(d->hash, NULL);
	free(d);
}

struct digest digest_of(const void *data, size_t len)
{
	struct digester *d = digest_new();
	struct digest digest;

	digest_add(d, data, len);
	digest = digest_take(d);
	digest_free(d);
	return digest;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return memcmp(a->text, b->text, DIGEST_LEN) == 0;
}

/* What a letter stands for, and 1. */
static const unsigned char values[UCHAR_MAX + 1] = {
	['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4,
	['E'] = 5, ['F'] = 6, ['G'] = 7, ['H'] = 8,
	['I'] = 9, ['J'] = 10, ['K'] = 11, ['L'] = 12,
	['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
	['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20,
	['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
	['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28,
	['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
	['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36,
	['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
	['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44,
	['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
	['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52,
	['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
	['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60,
	['8'] = 61, ['9'] = 62, ['-'] = 63, ['_'] = 64,
};

static uint32_t value_of(char c)
{
	return values[(unsigned char)c] - 1u;
}

bool digest_parse(const char *text, size_t len, struct digest *digest_r)
{
	bool ok = len == DIGEST_LEN;
	size_t i;

	if (!ok)
		return false;
	for (i = 0; i < len; i++)
		ok &= values[(unsigned char)text[i]] != 0;
	memcpy(digest_r->text, text, len);
	digest_r->text[len] = '\0';
	return ok;
}

void digest_pack(const struct digest *digest, char *out)
{
	const char *c = digest->text;
	uint32_t v;

	for (; c < digest->text + DIGEST_LEN; c += 4, out += 3) {
		v = value_of(c[0]) << 18 | value_of(c[1]) << 12
			| value_of(c[2]) << 6 | value_of(c[3]);
		out[0] = (char)(v >> 16);
		out[1] = (char)(v >> 8);
		out[2] = (char)v;
	}
}

void digest_unpack(const char *packed, struct digest *digest_r)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const unsigned char *p = (const unsigned char *)packed;
	char *c = digest_r->text;
	uint32_t v;

	for (; c < digest_r->text + DIGEST_LEN; c += 4, p += 3) {
		v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
		c[0] = letters[v >> 18];
		c[1] = letters[v >> 12 & 63];
		c[2] = letters[v >> 6 & 63];
		c[3] = letters[v & 63];
	}
	*c = '\0';
}

void digest_base64(const void *data, size_t len, char *out, size_t cap)
{
	gnutls_datum_t in = { NULL, (unsigned int)len }, text = { NULL, 0 };
	unsigned char *copy = mem_grow(NULL, len + 1, 1);

	/* GnuTLS takes its input without const. */
	memcpy(copy, data, len);
	in.data = copy;
	need(gnutls_base64_encode2(&in, &text), "base64");
	if (text.size >= cap)
		need(GNUTLS_E_SHORT_MEMORY_BUFFER, "base64");
	memcpy(out, text.data, text.size);
	out[text.size] = '\0';
	/* It may have held a password. */
	gnutls_memset(text.data, 0, text.size);
	gnutls_memset(copy, 0, len);
	gnutls_free(text.data);
	free(copy);
}

bool digest_unbase64(const char *text, size_t len, char *out, size_t cap,
	size_t *len_r)
{
	unsigned char *copy = mem_grow(NULL, len + 1, 1);
	gnutls_datum_t in = { copy, (unsigned int)len }, raw = { NULL, 0 };
	bool ok;

	memcpy(copy, text, len);
	*len_r = 0;
	/* GnuTLS does not know that nothing stands for nothing. */
	ok = len == 0 || gnutls_base64_decode2(&in, &raw) >= 0;
	free(copy);
	if (ok && raw.size < cap) {
		if (raw.size != 0)
			memcpy(out, raw.data, raw.size);
		out[raw.size] = '\0';
		*len_r = raw.size;
	} else {
		ok = false;
	}
	gnutls_free(raw.data);
	return ok;
}

bool digest_md5(const void *data, size_t len, char *out)
{
	unsigned char sum[16];
	size_t i;

	if (gnutls_hash_fast(GNUTLS_DIG_MD5, data, len, sum) < 0)
		return false;
	for (i = 0; i < sizeof(sum); i++)
		snprintf(out + 2 * i, 3, "%02x", sum[i]);
	return true;
}

uint64_t digest_random(void)
{
	uint64_t v;

	need(gnutls_rnd(GNUTLS_RND_NONCE, &v, sizeof(v)), "random numbers");
	return v;
}
