#include "tests/server/generate.h"
#include "tests/server/maildrop.h"
#include "tests/server/random.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_SIZE = 128, HASH_SIZE = 32, DATE_SIZE = 48 };

static const time_t first_date = 1767258000;	/* 1 January 2026, 09:00 UTC */

static const char *const words[] = {
	"the", "letter", "we", "sent", "on", "Monday", "has", "arrived", "and", "every",
	"page", "of", "it", "can", "be", "read", "please", "answer", "before", "Friday",
	"because", "our", "office", "will", "close", "for", "a", "week", "gr\303\274\303\237e",
	"caf\303\251", "number", "list",
};

static const char *const starts[] = { ".", "..", ".hidden ", "From the ", ">From ", "> ", "\t" };

struct body {
	char *text;
	size_t len;
};

/* One line of words; about every fourth has a start that needs care. */
static size_t
make_line(struct random *r, char *line)
{
	size_t n = 0, want = 20 + random_below(r, 52);

	if (random_below(r, 4) == 0)
		n = (size_t)sprintf(line, "%s",
				    starts[random_below(r, sizeof starts / sizeof starts[0])]);
	while (n < want) {
		const char *w = words[random_below(r, sizeof words / sizeof words[0])];

		n += (size_t)sprintf(line + n, "%s ", w);
	}
	line[n - 1] = '\n';
	return n;
}

static bool
make_body(struct random *r, size_t size, struct body *b_r)
{
	char line[LINE_MAX_SIZE];
	size_t want = size / 2 + random_below(r, size + 1);

	b_r->len = 0;
	b_r->text = malloc(want + LINE_MAX_SIZE);
	if (!b_r->text)
		return false;
	do {
		size_t n = make_line(r, line);

		memcpy(b_r->text + b_r->len, line, n);
		b_r->len += n;
	} while (b_r->len < want);
	return true;
}

static bool
hash(const struct body *b, char *hex)
{
	unsigned char sum[HASH_SIZE];

	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, b->text, b->len, sum) < 0)
		return false;
	for (size_t i = 0; i < HASH_SIZE; i++)
		sprintf(hex + 2 * i, "%02x", sum[i]);
	return true;
}

static void
print_header(FILE *f, const char *user, uint64_t serial, struct random *r, const char *hex)
{
	time_t when = first_date + (time_t)serial * 60;
	char date[DATE_SIZE];
	struct tm tm;

	gmtime_r(&when, &tm);
	strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", &tm);
	fprintf(f, "Return-Path: <sender%" PRIu64 "@example.org>\n", serial % 97);
	fprintf(f, "Received: from mx.example.org (mx.example.org [192.0.2.7])\n"
		"\tby pop.example.com with ESMTPS id %016" PRIx64 "\n\tfor <%s@example.com>; %s\n",
		random_next(r), user, date);
	fprintf(f, "Date: %s\nFrom: Sender %" PRIu64 " <sender%" PRIu64 "@example.org>\n", date,
		serial % 97, serial % 97);
	fprintf(f, "To: %s <%s@example.com>\nSubject: Message %" PRIu64 " of the series\n", user,
		user, serial);
	fprintf(f, "Message-ID: <%" PRIu64 ".%s@popd.invalid>\nMIME-Version: 1.0\n", serial, user);
	fprintf(f, "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n");
	fprintf(f, "X-Popd-Maildrop: %s\nX-Popd-Serial: %" PRIu64 "\nX-Popd-SHA256: %s\n\n", user,
		serial, hex);
}

/* The finished text; with CRLF where files are sent as they are. */
static bool
write_text(int fd, const char *text, size_t len, bool raw)
{
	FILE *f = fdopen(fd, "w");
	bool ok;

	if (!f) {
		close(fd);
		return false;
	}
	if (!raw)
		fwrite(text, 1, len, f);
	for (size_t i = 0; raw && i < len; i++) {
		if (text[i] == '\n')
			putc('\r', f);
		putc(text[i], f);
	}
	ok = !ferror(f);
	return fclose(f) == 0 && ok;
}

static char *
make_text(const char *user, uint64_t serial, size_t size, size_t *len_r)
{
	struct body body = { NULL, 0 };
	char hex[2 * HASH_SIZE + 1], *text = NULL;
	struct random r;
	FILE *f = open_memstream(&text, len_r);

	random_seed(&r, serial);
	for (const char *c = user; *c; c++)
		r.state ^= random_next(&r) * (unsigned char)*c;
	if (f && make_body(&r, size, &body) && hash(&body, hex)) {
		print_header(f, user, serial, &r, hex);
		fwrite(body.text, 1, body.len, f);
	}
	free(body.text);
	if (f && (fclose(f) != 0 || *len_r == 0)) {
		free(text);
		text = NULL;
	}
	return text;
}

static bool
make_message(const struct options *opt, int dir, const char *user, uint64_t serial)
{
	char name[32];
	size_t len = 0;
	char *text = make_text(user, serial, opt->generate_size, &len);
	int fd;
	bool ok;

	snprintf(name, sizeof name, "m%08" PRIu64, serial);
	fd = text ? openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644) : -1;
	ok = fd >= 0 && write_text(fd, text, len, opt->raw);
	free(text);
	return ok;
}

static bool
fill(const struct options *opt, const struct account *a)
{
	struct maildrop *d = maildrop_open(a->dir, opt->raw, 0);
	int dir = open(a->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = d && dir >= 0;

	if (ok && maildrop_count(d) == 0) {
		for (uint64_t n = 1; ok && n <= opt->generate; n++)
			ok = make_message(opt, dir, a->name, n);
	}
	if (dir >= 0)
		close(dir);
	maildrop_close(d);
	return ok;
}

bool
generate_all(const struct options *opt)
{
	for (size_t i = 0; i < opt->n_accounts; i++) {
		const struct account *a = &opt->accounts[i];

		if ((mkdir(a->dir, 0755) != 0 && errno != EEXIST) ||
		    (opt->generate > 0 && !fill(opt, a))) {
			fprintf(stderr, "popd: %s: %s\n", a->dir, strerror(errno));
			return false;
		}
	}
	return true;
}
