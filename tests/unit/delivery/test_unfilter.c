/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include "delivery/unfilter.h"
#include "tests/unit/delivery/dest_help.h"

/*
 * What was staged for one kind of destination can be staged for another: every
 * message, through every form, and back.
 */

static struct err err = ERR_INIT;

static const struct text {
	const char *what, *bytes;
	size_t len;
} texts[] = {
#define TEXT(what, bytes) { what, bytes, sizeof(bytes) - 1 }
	TEXT("an ordinary one", "Subject: x\r\n\r\nbody\r\n"),
	TEXT("an empty one", ""),
	TEXT("no line end", "Subject: x\r\n\r\nbody"),
	TEXT("From_ lines", "From a\r\n\r\nFrom b\r\n>From c\r\n>>>From d\r\n"),
	TEXT("quotes that are none", ">\r\n>>\r\n>Fro\r\n>>From\r\nFromage\r\n"),
	TEXT("held back at its end", "x\r\n>>From"),
	TEXT("a From_ line at its end", "x\r\n>From "),
	TEXT("quotes at its end", "x\r\n>>>"),
	TEXT("bare LF, CR and both", "a\nb\rc\r\r\nd\n\r\ne\r"),
	TEXT("NUL and 8 bit", "a\0b\r\n\377\376\r\n\0"),
	TEXT("empty lines", "\r\n\r\n\r\n"),
};

static const struct filter_options forms[] = {
	{ false, false, false }, { true, false, false },
	{ false, true, false }, { true, true, false },
	{ false, false, true },
};

/* Long runs of '>' and lines that fill more than one block. */
#define LARGE 120000
static char large[LARGE];

static void make_large(void)
{
	size_t i;

	memset(large, '>', LARGE);
	memcpy(large + 50000, "From x\r\n", 8);
	for (i = 60000; i < LARGE; i++)
		large[i] = (char)(i % 997 == 0 ? '\n' : 'a' + i % 23);
}

/* Stages as a destination of this form does; the item is open. */
static void stage_as(struct item *item, const struct filter_options *form,
	struct source *source, const char *bytes, size_t len)
{
	struct filter_chain *chain = filter_new(form);
	struct sink *sink;
	uint64_t pumped;

	memset(item, 0, sizeof(*item));
	snprintf(item->name, sizeof(item->name), "staged");
	item->fd = open(scratch_path(source == NULL ? "first" : "second"),
		O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	sink = filter_start(chain, item->fd, "staged",
		form->mboxrd ? "From x\n" : "", form->mboxrd ? "\n" : "", &err);
	scratch_need(sink != NULL, "cannot stage");
	if (source != NULL)
		scratch_need(pump(source, sink, 0, &pumped, &err) == PUMP_OK,
			"cannot stage again");
	else
		scratch_need(sink->push(sink, bytes, len, &err)
			&& sink->finish(sink, &err), "cannot stage");
	item->size = filter_size(chain);
	item->stored = filter_stored(chain);
	filter_free(chain);
}

static bool equal_files(const struct item *a, const struct item *b)
{
	char x[4096], y[4096];
	size_t got, there;
	uint64_t at = 0;

	if (a->size != b->size || a->stored != b->stored)
		return false;
	do {
		if (!stage_read(a, x, sizeof(x), at, &got, &err)
		    || !stage_read(b, y, sizeof(y), at, &there, &err)
		    || got != there || memcmp(x, y, got) != 0)
			return false;
		at += got;
	} while (got != 0);
	return true;
}

/* From this form into that, and it is what it would have been at once. */
static bool through(const struct filter_options *from,
	const struct filter_options *to, const char *bytes, size_t len)
{
	struct unfilter *u = unfilter_new();
	struct item first, second, direct;
	bool same;

	stage_as(&first, from, NULL, bytes, len);
	stage_as(&second, to, unfilter_start(u, &first, *from), NULL, 0);
	close(first.fd);
	stage_as(&direct, to, NULL, bytes, len);
	same = equal_files(&second, &direct);
	close(second.fd);
	close(direct.fd);
	unfilter_free(u);
	return same;
}

static void test_text(const char *what, const char *bytes, size_t len)
{
	size_t i, k, bad = 0;

	for (i = 0; i < 4; i++)
		for (k = 0; k < 4; k++)
			bad += !through(&forms[i], &forms[k], bytes, len);
	tap_ok(bad == 0, "%s, from each form into each", what);
}

/* A staged file that is shorter than it should be. */
static void test_short(const struct filter_options *form)
{
	struct unfilter *u = unfilter_new();
	struct source *source;
	struct item item;
	char buf[4096];
	size_t len = 1;
	bool ok = true;

	stage_as(&item, form, NULL, large, LARGE);
	item.stored -= 20;
	source = unfilter_start(u, &item, *form);
	err_clear(&err);
	while (ok && len != 0)
		ok = source->pull(source, buf, sizeof(buf), &len, &err);
	tap_ok(!ok && err.class == ERR_MSG, "one that is cut off%s",
		form->gzip ? ", compressed" : "");
	close(item.fd);
	unfilter_free(u);
}

int main(void)
{
	size_t i;

	scratch_make("unfilter");
	make_large();
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		test_text(texts[i].what, texts[i].bytes, texts[i].len);
	test_text("a large one", large, LARGE);
	test_short(&forms[0]);
	test_short(&forms[3]);
	scratch_end();
	return tap_done();
}
