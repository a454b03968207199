/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include "tests/unit/delivery/dest_help.h"

/* Staged files: their names, what is left of them after a crash, and what may
 * be swept away. */

static struct stage stage;
static struct err err = ERR_INIT;

static void create(struct item *item, const char *text)
{
	memset(item, 0, sizeof(*item));
	scratch_need(stage_create(&stage, item, &err)
		&& write(item->fd, text, strlen(text)) == (ssize_t)strlen(text),
		"cannot stage");
	item->stored = strlen(text);
}

/* SECONDS.M<micros>P<pid>Q<n>R<random>T<tag>.HOST */
static bool well_named(const char *name)
{
	int n = 0;

	sscanf(name, "%*[0-9].M%*[0-9]P%*[0-9]Q%*[0-9]R%*16[0-9a-f]T" TAG
		".%n", &n);
	return n != 0 && name[n] != '\0' && strpbrk(name, "/:,; \t") == NULL
		&& strchr(name, 'T') - strchr(name, 'R') == 17;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void test_names(size_t n)
{
	static char names[2000][ITEM_NAME];
	bool ok = true, fit = true;
	struct item item;
	struct stat st;
	size_t i;

	for (i = 0; i < n; i++) {
		create(&item, "");
		snprintf(names[i], ITEM_NAME, "%s", item.name);
		fit = fit && well_named(item.name)
			&& strlen(item.name) + 1 < ITEM_NAME
			&& item.state == ITEM_STAGED && item.hint[0] == '\0'
			&& fstat(item.fd, &st) == 0
			&& (st.st_mode & 07777) == 0600
			&& fcntl(item.fd, F_GETFD) == FD_CLOEXEC;
		ok = ok && stage_remove(&stage, &item, &err) && item.fd == -1;
	}
	tap_ok(fit, "names have the form of Maildir, files are ours alone");
	tap_ok(ok && scratch_count("stage", NULL) == 0, "all are removed");
	qsort(names, n, sizeof(names[0]), by_name);
	for (i = 1; i < n; i++)
		ok = ok && strcmp(names[i - 1], names[i]) != 0;
	tap_ok(ok, "%zu names, no two the same", n);
}

static void test_long_tag(void)
{
	static const char tag[] = "0123456789abcdef0123456789abcdef012345678";
	struct stage other;
	struct item item;

	stage_init(&other, stage.dir, "stage", tag);
	memset(&item, 0, sizeof(item));
	tap_ok(stage_create(&other, &item, &err)
		&& stage_remove(&other, &item, &err), "a tag that is too long");
}

struct reopen {
	const char *name, *change;	/* what becomes of "0123456789" */
	enum item_state state;
};

static const struct reopen reopens[] = {
	{ "whole", "0123456789", ITEM_STAGED },
	{ "one byte short", "012345678", ITEM_VOID },
	{ "one byte long", "01234567890", ITEM_VOID },
	{ "empty", "", ITEM_VOID },
	{ "missing", NULL, ITEM_VOID },
};

static void test_reopen(void)
{
	const struct reopen *r = reopens;
	char path[PATH_MAX], buf[16];
	struct item item;

	for (; r < reopens + sizeof(reopens) / sizeof(reopens[0]); r++) {
		create(&item, "0123456789");
		stage_close(&item);
		snprintf(path, sizeof(path), "stage/%s", item.name);
		if (r->change == NULL)
			unlink(scratch_path(path));
		else
			scratch_write(path, r->change, strlen(r->change));
		tap_ok(stage_reopen(&stage, &item, &err)
			&& item.state == r->state
			&& (item.fd >= 0) == (r->state == ITEM_STAGED)
			&& (item.fd < 0 || read(item.fd, buf, 16) == 10),
			"reopened %s", r->name);
		tap_ok(stage_remove(&stage, &item, &err),
			"removed, whatever is left");
	}
}

/* The number says which files are kept by keep(). */
static const struct sweep {
	const char *name;
	bool kept, stays;
} sweeps[] = {
	{ "1.M1P1Q1R1T" TAG ".host", false, false },
	{ "1.M2P1Q1R1T" TAG ".host", true, true },
	{ "1.M3P1Q1R1T" TAG ".", false, false },
	{ "1.M4P1Q1R1T" TAG, false, true },
	{ "1.M5P1Q1R1T" TAG "0.host", false, true },
	{ "1.M6P1Q1R1T0" TAG ".host", false, true },
	{ "1.M7P1Q1R1T00112233aabbccde.host", false, true },
	{ "1.M8P1Q1R1T00112233AABBCCDD.host", false, true },
	{ "1.M9P1.Thost", false, true },
	{ TAG, false, true },
	{ ".hidden", false, true },
	{ "1.MaP1Q1R1T" TAG ".Tree.T" TAG, false, false },
};
#define SWEEPS (sizeof(sweeps) / sizeof(sweeps[0]))

static bool keep(void *arg, const char *name)
{
	size_t i;

	++*(unsigned int *)arg;
	for (i = 0; i < SWEEPS; i++)
		if (strcmp(sweeps[i].name, name) == 0)
			return sweeps[i].kept;
	return true;
}

static void test_sweep(void)
{
	unsigned int asked = 0;
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < SWEEPS; i++) {
		snprintf(path, sizeof(path), "stage/%s", sweeps[i].name);
		scratch_write(path, "x", 1);
	}
	tap_ok(stage_sweep(&stage, keep, &asked, &err), "sweep");
	for (i = 0; i < SWEEPS; i++) {
		snprintf(path, sizeof(path), "stage/%s", sweeps[i].name);
		tap_ok(scratch_exists(path) == sweeps[i].stays, "%s %s",
			sweeps[i].name, sweeps[i].stays ? "stays" : "goes");
		unlink(scratch_path(path));
	}
	tap_ok(asked == 4, "only our own are asked for");
}

static void test_sync(size_t n)
{
	struct item items[MAX_ITEMS], *list[MAX_ITEMS] = { NULL };
	size_t i;

	for (i = 0; i < n; i++) {
		create(&items[i], "text");
		list[i] = &items[i];
	}
	tap_ok(stage_sync(&stage, list, n, &err), "%zu files flushed", n);
	stage.slow_syncfs = true;
	tap_ok(stage_sync(&stage, list, n, &err), "one by one as well");
	stage_init(&stage, stage.dir, stage.path, TAG);
	for (i = 0; i < n; i++)
		items[i].state = i == 0 ? ITEM_DEFERRED : i % 2 == 0
			? ITEM_DELIVERED : ITEM_VOID;
	stage_clear(&stage, list, n);
	tap_ok(scratch_count("stage", NULL) == 1 && items[0].fd == -1
		&& items[n - 1].fd == -1, "delivered and void ones are "
		"cleared away, a refused one stays");
	tap_ok(stage_remove(&stage, &items[0], &err), "remove");
}

static void pack(struct item *item, const char *text)
{
	memset(item, 0, sizeof(*item));
	scratch_need(stage_pack(&stage, item, &err)
		&& write(item->fd, text, strlen(text)) == (ssize_t)strlen(text),
		"cannot stage");
	item->stored = strlen(text);
	stage_seal(&stage, item);
}

static bool reads(const struct item *item, uint64_t from, const char *text)
{
	char buf[16];
	size_t got;

	return stage_read(item, buf, sizeof(buf), from, &got, &err)
		&& got == strlen(text) && memcmp(buf, text, got) == 0;
}

/* Three in one file; the second one broke off. */
static void test_pack(void)
{
	struct item items[3], *list[3] = { &items[0], &items[1], &items[2] };
	char path[PATH_MAX];
	int good;

	pack(&items[0], "first");
	pack(&items[1], "half");
	tap_ok(stage_remove(&stage, &items[1], &err), "one is cut off again");
	pack(&items[1], "half");
	good = stage.pack.fd;
	snprintf(path, sizeof(path), "stage/%s", items[0].name);
	stage.pack.fd = open(scratch_path(path), O_RDONLY);
	tap_ok(!stage_remove(&stage, &items[1], &err)
		&& stage.pack.end == 9, "or stays in between");
	close(stage.pack.fd);
	stage.pack.fd = good;
	tap_ok(stage_remove(&stage, &items[1], &err), "until it can be");
	pack(&items[1], "second");
	pack(&items[2], "third");
	snprintf(path, sizeof(path), "stage/%s", items[0].name);
	tap_ok(stage_sync(&stage, list, 3, &err)
		&& scratch_count("stage", NULL) == 1
		&& scratch_holds(path, "firstsecondthird", 16)
		&& strcmp(items[0].name, items[2].name) == 0,
		"they share a file");
	tap_ok(reads(&items[1], 0, "second") && reads(&items[1], 3, "ond")
		&& reads(&items[1], 7, ""), "and are read one by one");
	stage_close(&items[1]);
	tap_ok(reads(&items[2], 0, "third"), "closing one keeps the others");
	items[0].state = items[2].state = ITEM_DELIVERED;
	stage_clear(&stage, list, 3);
	tap_ok(scratch_holds(path, "firstsecondthird", 16),
		"as long as one waits, the file stays");
	unlink(scratch_path(path));
	pack(&items[0], "first");
	pack(&items[1], "second");
	snprintf(path, sizeof(path), "stage/%s", items[0].name);
	tap_ok(stage_remove(&stage, &items[0], &err)
		&& stage_remove(&stage, &items[1], &err)
		&& scratch_holds(path, "", 0), "nothing is left of none");
	pack(&items[0], "first");
	tap_ok(items[0].at == 0 && scratch_holds(path, "first", 5)
		&& stage_sync(&stage, list, 1, &err), "the next batch");
	items[0].state = ITEM_VOID;
	stage_clear(&stage, list, 1);
	tap_ok(scratch_holds(path, "", 0), "goes when all are through");
	stage_end(&stage);
	tap_ok(scratch_count("stage", NULL) == 0, "the file goes at the end");
}

static const struct {
	const char *name;
	size_t size;
	enum item_state states[2];
} packs[] = {
	{ "whole", 11, { ITEM_STAGED, ITEM_STAGED } },
	{ "longer", 12, { ITEM_STAGED, ITEM_STAGED } },
	{ "one byte short", 10, { ITEM_STAGED, ITEM_VOID } },
	{ "short of all of the second", 3, { ITEM_VOID, ITEM_VOID } },
	{ "empty", 0, { ITEM_VOID, ITEM_VOID } },
};

/* Recovery: the file of an earlier pass. */
static void test_pack_reopen(void)
{
	struct item items[2], *list[2] = { &items[0], &items[1] };
	char path[PATH_MAX];
	size_t i;

	pack(&items[0], "first");
	pack(&items[1], "second");
	snprintf(path, sizeof(path), "stage/%s", items[0].name);
	for (i = 0; i < sizeof(packs) / sizeof(packs[0]); i++) {
		stage_end(&stage);
		scratch_write(path, "firstsecond+", packs[i].size);
		recover_item(&items[0]);
		recover_item(&items[1]);
		tap_ok(stage_reopen(&stage, &items[0], &err)
			&& stage_reopen(&stage, &items[1], &err)
			&& items[0].state == packs[i].states[0]
			&& items[1].state == packs[i].states[1]
			&& (items[1].fd < 0 || reads(&items[1], 0, "second")),
			"a file of two: %s", packs[i].name);
		items[0].state = items[1].state = ITEM_DELIVERED;
		stage_clear(&stage, list, 2);
		tap_ok(items[0].fd < 0 && items[1].fd < 0
			&& scratch_exists(path), "is closed");
	}
	unlink(scratch_path(path));
}

/* A descriptor that cannot be flushed. */
static void test_sync_fails(void)
{
	struct item item, *list[1] = { &item };
	int good;

	create(&item, "text");
	good = item.fd;
	item.fd = open("/proc/self/status", O_RDONLY);
	stage.slow_syncfs = true;
	tap_ok(item.fd < 0 || (!stage_sync(&stage, list, 1, &err)
		&& err.class == ERR_RETRY), "a flush that fails is told");
	stage_close(&item);
	item.fd = good;
	tap_ok(stage_remove(&stage, &item, &err), "remove");
}

int main(void)
{
	owner_make("stage");
	stage_init(&stage, owner.env.stage_dir, owner.stage_path, TAG);
	test_names(2000);
	test_long_tag();
	test_reopen();
	test_sweep();
	test_sync(1);
	test_sync(20);
	test_sync_fails();
	stage.packs = true;
	test_pack();
	test_pack_reopen();
	scratch_end();
	return tap_done();
}
