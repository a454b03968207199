/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/near.h"

#include <string.h>

#define LONGEST 64

static size_t least(size_t a, size_t b, size_t c)
{
	if (b < a)
		a = b;
	return c < a ? c : a;
}

/* One row of the table of distances between all beginnings of two words; a
 * swap of neighbours looks two rows back. */
static void next_row(const char *a, size_t i, const char *b, size_t b_len,
	size_t rows[3][LONGEST + 1])
{
	size_t *before = rows[(i + 1) % 3], *last = rows[(i + 2) % 3];
	size_t *row = rows[i % 3], j;

	row[0] = i;
	for (j = 1; j <= b_len; j++) {
		row[j] = least(last[j] + 1, row[j - 1] + 1,
			last[j - 1] + (a[i - 1] != b[j - 1]));
		if (i > 1 && j > 1 && a[i - 1] == b[j - 2]
		    && a[i - 2] == b[j - 1] && before[j - 2] + 1 < row[j])
			row[j] = before[j - 2] + 1;
	}
}

static size_t distance(const char *a, const char *b)
{
	size_t rows[3][LONGEST + 1] = { { 0 } };
	size_t a_len = strlen(a), b_len = strlen(b), i, j;

	if (a_len > LONGEST || b_len > LONGEST)
		return LONGEST;
	for (j = 0; j <= b_len; j++)
		rows[0][j] = j;
	for (i = 1; i <= a_len; i++)
		next_row(a, i, b, b_len, rows);
	return rows[a_len % 3][b_len];
}

void near_start(struct near *near, const char *word)
{
	size_t len = strlen(word);

	near->word = word;
	near->best = NULL;
	near->distance = len < 3 ? 2 : len / 3 + 1;
	if (near->distance > LONGEST)
		near->distance = LONGEST;
}

void near_offer(struct near *near, const char *name)
{
	size_t d = distance(near->word, name);

	if (d < near->distance) {
		near->distance = d;
		near->best = name;
	}
}

const char *near_best(const struct near *near)
{
	return near->best;
}
