/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_BASE_NUM_H
#define AGENT_BASE_NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Numbers from outside. Each function reads exactly len bytes and accepts
 * them only if all of them are the number: no sign, no blank, no overflow.
 */

/* Decimal digits, at most `max`. */
bool num_u64(const char *s, size_t len, uint64_t max, uint64_t *value_r);
/* Digits in base 16, lower or upper case, at most 16 of them. */
bool num_hex(const char *s, size_t len, uint64_t *value_r);
/* "90s", "5m", "2h", "14d"; a bare number means seconds. In seconds. */
bool num_duration(const char *s, size_t len, uint64_t *seconds_r);
/* "64K", "50M", "2G", powers of 1024; a bare number means bytes. */
bool num_size(const char *s, size_t len, uint64_t *bytes_r);

/* Human forms into `out` (at least 32 bytes): "1.2 MB", "3m 20s". */
const char *num_format_size(char *out, size_t cap, uint64_t bytes);
const char *num_format_time(char *out, size_t cap, uint64_t seconds);

#endif
