/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "delivery/mbox_find.h"

#include <stdio.h>
#include <string.h>

#include "agent/base/arena.h"
#include "agent/base/fsx.h"

#define BLOCK 32768
/* No From_ line is longer; so many bytes of two gzip members may begin alike;
 * so many line ends a program puts in front of its mail. */
#define FROM_ROOM 256
#define MEMBER_ROOM 32
#define ENDS_ROOM 6
/* From_ lines of ours begin so, and 16 digits follow. */
#define MARK "From MAILER-DAEMON@"
#define MARK_LEN (sizeof(MARK) - 1 + 16)

static size_t common(const char *a, const char *b, size_t len)
{
	size_t i = 0;

	if (memcmp(a, b, len) == 0)
		return len;
	while (a[i] == b[i])
		i++;
	return i;
}

bool mbox_match(int fd, const char *path, const struct item *item,
	uint64_t at, struct mbox_match *match_r, struct err *err)
{
	char ours[BLOCK] UNFILLED, theirs[BLOCK] UNFILLED;
	struct mbox_match *m = match_r;
	size_t got, there, i;

	m->same = m->ours = 0;
	do {
		if (!stage_read(item, ours, BLOCK, m->ours, &got, err)
		    || !fsx_pread(fd, theirs, got, at + m->ours, &there, path,
			err))
			return false;
		i = common(ours, theirs, there);
		if (m->same == m->ours)
			m->same += i;
		while (i < there && (theirs[i] == ours[i] || theirs[i] == '\0'))
			i++;
		m->ours += i;
	} while (got == BLOCK && i == got);
	return true;
}

/* The bytes around a place of the mbox. */
struct view {
	char text[2 * FROM_ROOM];
	size_t len;
	size_t here;			/* where in it the place is */
	uint64_t at;			/* where in the mbox it begins */
};

/* RFC 4155: a sender, and the time as asctime(3) writes it, in one line;
 * *end_r is where that ends. */
static bool is_from_line(const struct view *v, size_t at, size_t *end_r)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	const char *lf = memchr(v->text + at, '\n', v->len - at);
	char line[FROM_ROOM], day[4], month[4];
	int date, hour, minute;

	if (lf == NULL || lf - (v->text + at) >= FROM_ROOM
	    || v->len - at < 5 || memcmp(v->text + at, "From ", 5) != 0)
		return false;
	*end_r = (size_t)(lf - v->text);
	if (memchr(v->text + at, '\0', *end_r - at) != NULL)
		return false;
	memcpy(line, v->text + at, *end_r - at);
	line[*end_r - at] = '\0';
	return sscanf(line, "From %*s %3s %3s %d %d:%d", day, month, &date,
			&hour, &minute) == 5
		&& strstr(days, day) != NULL && strstr(months, month) != NULL;
}

static bool is_member(const struct view *v, size_t at)
{
	return v->len - at >= 3 && memcmp(v->text + at, "\x1f\x8b\x08", 3) == 0;
}

/* At the byte that is not ours. */
static bool begins_here(const struct view *v, bool gzip, size_t *at_r)
{
	size_t at = v->here, end;

	if (gzip && is_member(v, at)) {
		*at_r = at;
		return true;
	}
	while (at < v->len && at - v->here < ENDS_ROOM && v->text[at] == '\n')
		at++;
	*at_r = at;
	return is_from_line(v, at, &end);
}

/* At bytes that might be ours. The line goes on to the byte that is not; and it
 * is not one of ours that somebody has changed behind the mark. */
static bool begins_before(const struct view *v, bool gzip, size_t *at_r)
{
	size_t at, end;

	for (at = v->here; at-- > 0;) {
		*at_r = at;
		if (gzip && v->here - at <= MEMBER_ROOM && is_member(v, at))
			return true;
		if (is_from_line(v, at, &end) && end >= v->here)
			return v->here - at < MARK_LEN
				|| memcmp(v->text + at, MARK, strlen(MARK)) != 0;
	}
	return false;
}

bool mbox_begins(int fd, const char *path, bool gzip, uint64_t from,
	uint64_t until, uint64_t *begin_r, bool *there_r, struct err *err)
{
	struct view v;
	size_t at;

	v.here = until - from < FROM_ROOM ? (size_t)(until - from) : FROM_ROOM;
	v.at = until - v.here;
	if (!fsx_pread(fd, v.text, sizeof(v.text), v.at, &v.len, path, err))
		return false;
	*there_r = v.len > v.here
		&& (begins_here(&v, gzip, &at) || begins_before(&v, gzip, &at));
	if (*there_r)
		*begin_r = v.at + at;
	return true;
}
