/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/base/num.h"

#include <inttypes.h>
#include <stdio.h>

struct unit {
	char letter;
	uint64_t factor;
};

bool num_u64(const char *s, size_t len, uint64_t max, uint64_t *value_r)
{
	uint64_t v = 0, digit;
	size_t i;

	if (len == 0)
		return false;
	for (i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		digit = (uint64_t)(s[i] - '0');
		if (digit > max || v > (max - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*value_r = v;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool num_hex(const char *s, size_t len, uint64_t *value_r)
{
	uint64_t v = 0;
	size_t i;

	if (len == 0 || len > 16)
		return false;
	for (i = 0; i < len; i++) {
		if (hex_digit(s[i]) < 0)
			return false;
		v = v << 4 | (uint64_t)hex_digit(s[i]);
	}
	*value_r = v;
	return true;
}

static bool with_unit(const char *s, size_t len, const struct unit *units,
	uint64_t *value_r)
{
	uint64_t v;

	for (; units->letter != '\0'; units++)
		if (len > 1 && s[len - 1] == units->letter)
			break;
	if (units->letter != '\0')
		len--;
	/* The last row, letter NUL, holds the factor of a bare number. */
	if (!num_u64(s, len, (UINT64_MAX >> 1) / units->factor, &v))
		return false;
	*value_r = v * units->factor;
	return true;
}

bool num_duration(const char *s, size_t len, uint64_t *seconds_r)
{
	static const struct unit units[] = {
		{ 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
		{ '\0', 1 },
	};

	return with_unit(s, len, units, seconds_r);
}

bool num_size(const char *s, size_t len, uint64_t *bytes_r)
{
	static const struct unit units[] = {
		{ 'K', 1u << 10 }, { 'M', 1u << 20 }, { 'G', 1u << 30 },
		{ '\0', 1 },
	};

	return with_unit(s, len, units, bytes_r);
}

const char *num_format_size(char *out, size_t cap, uint64_t bytes)
{
	static const char *const names[] = { "B", "kB", "MB", "GB", "TB" };
	double v = (double)bytes;
	size_t i = 0;

	while (v >= 1000 && i + 1 < sizeof(names) / sizeof(names[0])) {
		v /= 1000;
		i++;
	}
	if (i == 0)
		snprintf(out, cap, "%" PRIu64 " B", bytes);
	else
		snprintf(out, cap, "%.1f %s", v, names[i]);
	return out;
}

const char *num_format_time(char *out, size_t cap, uint64_t seconds)
{
	if (seconds < 60)
		snprintf(out, cap, "%" PRIu64 "s", seconds);
	else if (seconds < 3600)
		snprintf(out, cap, "%" PRIu64 "m %02" PRIu64 "s",
			seconds / 60, seconds % 60);
	else
		snprintf(out, cap, "%" PRIu64 "h %02" PRIu64 "m",
			seconds / 3600, seconds / 60 % 60);
	return out;
}
