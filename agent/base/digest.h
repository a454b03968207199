/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_BASE_DIGEST_H
#define AGENT_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * SHA-256, base64 and random numbers from GnuTLS, so that no cryptography is
 * written here. Running out of memory or entropy ends the process (as in
 * arena.h): a pass may die anywhere.
 */

/* A digest as it is stored and compared: the first 96 bits of SHA-256 in
 * base64url, 16 characters. Forging one needs 2^96 tries. */
#define DIGEST_LEN 16
struct digest {
	char text[DIGEST_LEN + 1];
};

struct digester;

struct digester *digest_new(void);
void digest_add(struct digester *d, const void *data, size_t len);
/* NULL is not the empty text, and no two texts together pass for one. */
void digest_add_text(struct digester *d, const char *text);
/* The digest of all that was added; starts over. */
struct digest digest_take(struct digester *d);
void digest_free(struct digester *d);

struct digest digest_of(const void *data, size_t len);
bool digest_equal(const struct digest *a, const struct digest *b);

/* As it was stored; false if it is none. */
bool digest_parse(const char *text, size_t len, struct digest *digest_r);

/* The same in fewer bytes, for who keeps a million of them. */
#define DIGEST_PACKED 12
void digest_pack(const struct digest *digest, char *out);
void digest_unpack(const char *packed, struct digest *digest_r);

/* Base64 of len bytes into out, which holds at least 4 * (len / 3 + 1) + 1. */
void digest_base64(const void *data, size_t len, char *out, size_t cap);

/* The other way, into out (cap bytes, a NUL included); *len_r without it.
 * False if the text is not base64 or does not fit. */
bool digest_unbase64(const char *text, size_t len, char *out, size_t cap,
	size_t *len_r);

/* MD5 in lower-case hexadecimal, for APOP alone: 33 bytes into out. False
 * where the system forbids MD5. */
bool digest_md5(const void *data, size_t len, char *out);

uint64_t digest_random(void);

#endif
