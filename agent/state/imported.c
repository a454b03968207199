/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/state/imported.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/fsx.h"
#include "agent/base/limits.h"
#include "agent/base/num.h"

#define NAME "imported"
#define TITLE "postrider imported 1 "
#define FETCHMAIL_UID 128

/* Writing. */

static void put_escaped(FILE *out, const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (s[i] > ' ' && s[i] < 0x7f && s[i] != '%')
			putc(s[i], out);
		else
			fprintf(out, "%%%02x", (unsigned char)s[i]);
}

static void put_all(FILE *out, const struct imported *im)
{
	size_t i;

	fprintf(out, TITLE "%" PRId64 " %d%d%d ", im->time, im->folds,
		im->cuts, im->must_match);
	put_escaped(out, im->from, strlen(im->from));
	putc('\n', out);
	for (i = 0; i < im->count; i++) {
		put_escaped(out, im->uids[i].uid, im->uids[i].len);
		putc('\n', out);
	}
	fprintf(out, "end %zu\n", im->count);
}

bool imported_write(int dir, const struct imported *im, struct err *err)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	bool ok;

	if (out == NULL)
		mem_exhausted();
	put_all(out, im);
	if (fclose(out) != 0)
		mem_exhausted();
	ok = fsx_replace_durably(dir, NAME, text, len, 0600, err);
	free(text);
	return ok;
}

/* Reading. */

static int hex(char c)
{
	const char *digits = "0123456789abcdef", *at = strchr(digits, c);

	return c == '\0' || at == NULL ? -1 : (int)(at - digits);
}

/* In place; false for what put_escaped() does not write. */
static bool unescape(char *s, size_t *len)
{
	size_t i, n = 0;

	for (i = 0; i < *len; i++) {
		if (s[i] == '%') {
			if (*len - i < 3 || hex(s[i + 1]) < 0
			    || hex(s[i + 2]) < 0)
				return false;
			s[n++] = (char)(hex(s[i + 1]) * 16 + hex(s[i + 2]));
			i += 2;
		} else if (s[i] <= ' ' || s[i] >= 0x7f) {
			return false;
		} else {
			s[n++] = s[i];
		}
	}
	*len = n;
	return true;
}

static int compare(const void *a, const void *b)
{
	const struct imported_uid *x = a, *y = b;
	size_t len = x->len < y->len ? x->len : y->len;
	int order = memcmp(x->uid, y->uid, len);

	return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

static bool read_title(struct imported *im, char *line, size_t len)
{
	char *word = line + strlen(TITLE), *end = line + len, *space;
	uint64_t time;
	size_t n;

	if (len < strlen(TITLE) || memcmp(line, TITLE, strlen(TITLE)) != 0
	    || (space = memchr(word, ' ', (size_t)(end - word))) == NULL
	    || !num_u64(word, (size_t)(space - word), INT64_MAX, &time)
	    || end - space < 6 || space[4] != ' '
	    || strspn(space + 1, "01") != 3)
		return false;
	im->time = (int64_t)time;
	im->folds = space[1] == '1';
	im->cuts = space[2] == '1';
	im->must_match = space[3] == '1';
	n = (size_t)(end - (space + 5));
	im->from = space + 5;
	if (!unescape(space + 5, &n))
		return false;
	space[5 + n] = '\0';
	return true;
}

/* The last line has come: is it the last, and are they all here? */
static bool is_end(const struct imported *im, const char *line, size_t len,
	const char *rest)
{
	uint64_t n;

	return *rest == '\0' && num_u64(line + 4, len - 4, SIZE_MAX, &n)
		&& n == im->count;
}

/* Every line but the first: `text` ends with a NUL. */
static bool read_uids(struct imported *im, char *text)
{
	char *lf;
	size_t len;

	for (; (lf = strchr(text, '\n')) != NULL; text = lf + 1) {
		len = (size_t)(lf - text);
		if (len > 4 && memcmp(text, "end ", 4) == 0)
			return is_end(im, text, len, lf + 1);
		if (!unescape(text, &len))
			return false;
		im->uids[im->count++] = (struct imported_uid){ text, len };
	}
	return false;
}

static bool parse(struct imported *im, char *text, size_t len,
	struct arena *arena)
{
	char *lf = memchr(text, '\n', len);
	size_t i, lines = 0;

	if (lf == NULL || strlen(text) != len
	    || !read_title(im, text, (size_t)(lf - text)))
		return false;
	for (i = 0; i < len; i++)
		lines += text[i] == '\n';
	im->uids = arena_array(arena, lines, sizeof(*im->uids));
	if (!read_uids(im, lf + 1))
		return false;
	qsort(im->uids, im->count, sizeof(*im->uids), compare);
	return true;
}

static bool slurp(int fd, const char *path, struct arena *arena,
	struct imported **im_r, struct err *err)
{
	struct stat st;
	size_t got;
	char *text;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)
	    || st.st_size > LIMIT_IMPORTED)
		return err_set(err, ERR_CONFIG,
			"%s/" NAME " is no list of an import: remove it, and import again", path);
	text = arena_alloc(arena, (size_t)st.st_size + 1);
	*im_r = arena_alloc(arena, sizeof(**im_r));
	if (!fsx_pread(fd, text, (size_t)st.st_size, 0, &got, NAME, err))
		return false;
	return parse(*im_r, text, got, arena) || err_set(err, ERR_CONFIG,
		"%s/" NAME ", the list of what was fetched before, is damaged: remove it, and import again", path);
}

bool imported_read(int dir, const char *path, struct arena *arena,
	struct imported **im_r, struct err *err)
{
	int fd = openat(dir, NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK
		| O_CLOEXEC);
	bool ok;

	*im_r = NULL;
	if (fd < 0)
		return errno == ENOENT || err_sys(err, errno,
			"cannot read %s/" NAME, path);
	ok = slurp(fd, path, arena, im_r, err);
	close(fd);
	return ok;
}

/* As the program would have noted it, in `room`. */
static struct imported_uid noted(const struct imported *im, const char *uid,
	size_t len, char *room)
{
	size_t i;

	if (im->cuts && len > FETCHMAIL_UID)
		len = FETCHMAIL_UID;
	if (!im->folds || len > LIMIT_REPLY_LINE)
		return (struct imported_uid){ uid, len };
	for (i = 0; i < len; i++)
		room[i] = uid[i] == '/' ? '-' : uid[i];
	return (struct imported_uid){ room, len };
}

bool imported_has(const struct imported *im, const char *uid, size_t len)
{
	char room[LIMIT_REPLY_LINE];
	struct imported_uid key = noted(im, uid, len, room);

	return im->count != 0 && bsearch(&key, im->uids, im->count,
		sizeof(*im->uids), compare) != NULL;
}

bool imported_remove(int dir, const char *path, struct err *err)
{
	if (unlinkat(dir, NAME, 0) == 0 || errno == ENOENT)
		return true;
	return err_sys(err, errno, "cannot remove %s/" NAME, path);
}
