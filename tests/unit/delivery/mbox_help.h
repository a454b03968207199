/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_DELIVERY_MBOX_HELP_H
#define TESTS_UNIT_DELIVERY_MBOX_HELP_H

#include <inttypes.h>

#include "tests/unit/delivery/dest_help.h"

/*
 * An mbox after a crash: a batch is delivered for real, what it wrote is kept,
 * and the file is then put into whatever state the crash may have left.
 */

#define BATCH 3
#define HEAD 700			/* a long header, over 512 bytes */

HELP struct err err = ERR_INIT;
HELP char box[PATH_MAX];

HELP const char mine[] = "From old\n\nan older message\n\n";
/* As long as that, and it could be compressed. */
HELP const char member[] = "\x1f\x8b\x08\x08 old\n\nan older message\n\n";
HELP const char foreign[] = "From other Mon Nov 30 02:41:54 2026\n\na foreign mail\n\n";

/* One crash: the mbox before, and as it would be after the whole batch. */
HELP struct {
	struct item items[BATCH], *list[BATCH];
	size_t n;
	uint64_t at[BATCH + 1];		/* where each begins; the end */
	char *whole;
	size_t len;
	char *bodies[BATCH];		/* as they are in the mbox */
	size_t body_len[BATCH];
} crash;

/* A message with a header of about `head` bytes, and the same end as all. */
HELP size_t compose(char *out, size_t cap, size_t i, size_t head,
	size_t body)
{
	size_t n = (size_t)snprintf(out, cap, "Message-ID: <%zu@x>\r\nX: ", i);

	for (; n < head; n++)
		out[n] = (char)('a' + (n * 7 + i) % 26);
	n += (size_t)snprintf(out + n, cap - n, "\r\n\r\n");
	for (; body > 0; body--, n++)
		out[n] = (char)(body % 70 == 0 ? '\n' : 'A' + (body * 11 + i)
			% 26);
	n += (size_t)snprintf(out + n, cap - n, "\r\n-- \r\nthe footer of a "
		"mailing list, the same below each of its messages\r\n");
	return n;
}

/* What is in the file now is what a crash may spoil; the items are known by
 * the ledger alone. */
HELP void keep_batch(void)
{
	size_t i;

	crash.whole = scratch_read("box", &crash.len);
	crash.at[0] = sizeof(mine) - 1;
	for (i = 0; i < crash.n; i++) {
		crash.at[i + 1] = crash.at[i] + crash.items[i].stored;
		crash.bodies[i] = crash.whole + crash.at[i];
		crash.body_len[i] = crash.items[i].stored;
		recover_item(&crash.items[i]);
	}
}

/* Delivers the batch behind `mine`, and keeps what was written. */
HELP void run_batch(size_t n, size_t head, size_t body, bool gzip)
{
	static char text[200000];
	struct dest *dest;
	size_t i, len;

	owner_forget();
	scratch_write("box", gzip ? member : mine, sizeof(mine) - 1);
	dest = need_dest("mbox", box, gzip);
	crash.n = n;
	for (i = 0; i < n; i++) {
		len = compose(text, sizeof(text), i, head, body);
		crash.list[i] = &crash.items[i];
		stage_message(dest, &crash.items[i], text, len);
	}
	scratch_need(dest->kind->commit(dest, crash.list, n, &err),
		"cannot deliver");
	keep_batch();
	dest_close(dest);
}

HELP void end_batch(void)
{
	free(crash.whole);
	scratch_remove(scratch_path("stage"));
	close(owner.env.stage_dir);
	owner.env.stage_dir = scratch_subdir("stage");
	unlink(box);
}

HELP size_t put(char *out, const void *bytes, size_t len)
{
	memcpy(out, bytes, len);
	return len;
}

HELP size_t count_of(const char *hay, size_t len, const char *needle,
	size_t n)
{
	const char *hit;
	size_t count = 0;

	while ((hit = memmem(hay, len, needle, n)) != NULL) {
		count++;
		len -= (size_t)(hit + n - hay);
		hay = hit + n;
	}
	return count;
}

/* Settles as a new process would; false unless all is delivered. */
HELP bool settle(bool gzip)
{
	struct dest *dest = need_dest("mbox", box, gzip);
	bool ok = settle_dest(dest, crash.list, crash.n, &err);
	size_t i;

	for (i = 0; i < crash.n; i++)
		ok = ok && crash.items[i].state == ITEM_DELIVERED;
	/* Killed before release: the staged files stay. */
	dest_close(dest);
	for (i = 0; i < crash.n; i++)
		recover_item(&crash.items[i]);
	return ok;
}

/* Every message once and whole; `times` the foreign mail. */
HELP bool all_there(size_t times)
{
	size_t len = 0, i;
	char *file = scratch_read("box", &len);
	bool ok = file != NULL;

	for (i = 0; ok && i < crash.n; i++)
		ok = count_of(file, len, crash.bodies[i], crash.body_len[i])
			== 1;
	if (ok)
		ok = count_of(file, len, foreign, sizeof(foreign) - 1)
			== times;
	free(file);
	return ok;
}

#endif
