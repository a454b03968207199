/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "delivery/lock.h"
#include "tests/unit/delivery/dest_help.h"

/* The lock of an mbox against other processes, alive and dead. */

static struct err err = ERR_INIT;
static char box[PATH_MAX];

#define HELD_MS 300

static const char old_mail[] = "From a\n\na\n\n", foreign[] = "From b\n\nb\n\n";

/* What another program does while we wait; `ready` tells that it began. */
enum other { FCNTL, FCNTL_APPEND, FCNTL_REPLACE, DOTLOCK, BOTH };

static void hold_fcntl(void)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(box, O_RDWR | O_APPEND | O_CREAT, 0600);

	if (fd < 0 || fcntl(fd, F_SETLK, &whole) < 0)
		_exit(1);
}

static void hold_dotlock(void)
{
	char text[128], host[64] = "";

	gethostname(host, sizeof(host) - 1);
	snprintf(text, sizeof(text), "%ld %s\n", (long)getpid(), host);
	scratch_write("box.lock", text, strlen(text));
}

static void run_other(enum other what, int ready)
{
	if (what == DOTLOCK || what == BOTH)
		hold_dotlock();
	if (what != DOTLOCK)
		hold_fcntl();
	if (write(ready, "x", 1) != 1)
		_exit(1);
	clock_sleep(HELD_MS);
	if (what == FCNTL_APPEND)
		scratch_append("box", foreign, sizeof(foreign) - 1);
	if (what == FCNTL_REPLACE) {
		scratch_write("box.new", foreign, sizeof(foreign) - 1);
		rename(scratch_path("box.new"), box);
	}
	if (what == DOTLOCK || what == BOTH)
		unlink(scratch_path("box.lock"));
	_exit(0);
}

static pid_t start_other(enum other what)
{
	pid_t pid = -1;
	int ready[2];
	char byte;

	scratch_need(pipe(ready) == 0 && (pid = fork()) >= 0, "cannot fork");
	if (pid == 0)
		run_other(what, ready[1]);
	close(ready[1]);
	scratch_need(read(ready[0], &byte, 1) == 1, "no other process");
	close(ready[0]);
	return pid;
}

static const struct waiting {
	const char *name, *after;
	enum other what;
} waitings[] = {
	{ "a lock with fcntl", old_mail, FCNTL },
	{ "a dotlock", old_mail, DOTLOCK },
	{ "both", old_mail, BOTH },
	{ "a lock, and mail is appended", "From a\n\na\n\nFrom b\n\nb\n\n",
		FCNTL_APPEND },
	{ "a lock, and the file is replaced", foreign, FCNTL_REPLACE },
};

static void test_waiting(const struct waiting *w)
{
	struct stat held, named;
	struct dest_lock *lock;
	bool created = true;
	clock_ms start;
	pid_t pid;
	int status;

	scratch_write("box", old_mail, sizeof(old_mail) - 1);
	/* From before it began to hold the lock. */
	start = clock_now();
	pid = start_other(w->what);
	lock = lock_mbox(box, TAG, true, &created, &err);
	tap_ok(lock != NULL && !created && clock_now() - start >= HELD_MS,
		"waits for %s", w->name);
	tap_ok(lock != NULL && fstat(lock_fd(lock), &held) == 0
		&& stat(box, &named) == 0 && held.st_ino == named.st_ino
		&& scratch_holds("box", w->after, strlen(w->after)),
		"then it holds the file of that name, as it is now");
	lock_release(lock);
	waitpid(pid, &status, 0);
	tap_ok(status == 0 && !scratch_exists("box.lock")
		&& !scratch_exists("box.lock." TAG), "nothing is left");
	unlink(box);
}

/* A reader's lock while we deliver, and our delivery then fails: the mail
 * that came in while we waited stays. */
static void test_foreign_bytes(void)
{
	struct dest *dest = need_dest("mbox", box, false);
	struct item item, *list[1] = { &item };
	pid_t pid;

	stage_message(dest, &item, "x\r\n", 3);
	scratch_write("box", old_mail, sizeof(old_mail) - 1);
	pid = start_other(FCNTL_APPEND);
	owner.fail_sync = 1;
	tap_ok(!dest->kind->commit(dest, list, 1, &err)
		&& scratch_holds("box", "From a\n\na\n\nFrom b\n\nb\n\n", 22),
		"mail that came while we waited is not cut off again");
	waitpid(pid, NULL, 0);
	dest_close(dest);
	unlink(box);
}

/* A dotlock that somebody has left: %P a dead process, %L a living one, %H
 * this host. */
static const struct left {
	const char *name, *text;
	int age;			/* seconds */
	bool goes;
} lefts[] = {
	{ "of a dead process of this host", "%P:%H", 0, true },
	{ "the same, with a line end", "%P:%H\n", 0, true },
	{ "of a living process", "%L:%H", 0, false },
	{ "of a process of another host", "%P:other.example", 0, false },
	{ "another program's, dead", "%P", 0, false },
	{ "another program's, dead, with its host", "%P %H", 0, false },
	{ "another program's, old", "%P", LIMIT_DOTLOCK_STALE_S + 60, true },
	{ "another program's, not old enough", "%P",
		LIMIT_DOTLOCK_STALE_S - 60, false },
	{ "of another host, old", "%P other.example",
		LIMIT_DOTLOCK_STALE_S + 60, true },
	{ "from the future", "%P", -3600, false },
	{ "empty", "", 0, false },
	{ "empty, old", "", 3600, true },
	{ "0", "0", 0, false },
	{ "a host that begins as ours does", "%P:%Hx", 0, false },
	{ "a negative number", "-%P:%H", 0, false },
	{ "text", "locked", 0, false },
};
#define LEFTS (sizeof(lefts) / sizeof(lefts[0]))

static pid_t dead_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	return pid;
}

static void leave(const struct left *l, const char *name)
{
	struct timespec times[2] = { { 0, UTIME_OMIT }, { 0, 0 } };
	char text[256] = "";
	const char *p = l->text;
	size_t n = 0;

	for (; *p != '\0'; p++) {
		if (*p != '%')
			text[n++] = *p;
		else if (*++p == 'H')
			gethostname(text + n, sizeof(text) - n - 1);
		else
			snprintf(text + n, sizeof(text) - n, "%ld",
				(long)(*p == 'P' ? dead_process() : getpid()));
		n = strlen(text);
	}
	scratch_write(name, text, n);
	times[1].tv_sec = (time_t)clock_wall() - l->age;
	utimensat(AT_FDCWD, scratch_path(name), times, 0);
}

/* Time for all to be looked at, and more if there is much else to do here. */
static void wait_for_stale(char name[LEFTS][32])
{
	clock_ms end = clock_after(LIMIT_MBOX_LOCK_MS / 2);
	size_t i, left;

	do {
		clock_sleep(2 * HELD_MS);
		for (left = 0, i = 0; i < LEFTS; i++)
			left += lefts[i].goes && scratch_exists(name[i]);
	} while (left != 0 && clock_left(end) != 0);
}

/* All at once, as each that is respected is waited for. */
static void test_left(void)
{
	char name[LEFTS][32];
	bool gone[LEFTS];
	pid_t pids[LEFTS];
	struct dest_lock *lock;
	bool created;
	size_t i;
	int status;

	for (i = 0; i < LEFTS; i++) {
		snprintf(name[i], sizeof(name[i]), "left%zu.lock", i);
		leave(&lefts[i], name[i]);
		pids[i] = fork();
		if (pids[i] != 0)
			continue;
		name[i][strlen(name[i]) - 5] = '\0';
		lock = lock_mbox(scratch_path(name[i]), TAG, true, &created,
			&err);
		lock_release(lock);
		_exit(lock == NULL);
	}
	wait_for_stale(name);
	for (i = 0; i < LEFTS; i++) {
		gone[i] = !scratch_exists(name[i]);
		unlink(scratch_path(name[i]));
	}
	for (i = 0; i < LEFTS; i++) {
		waitpid(pids[i], &status, 0);
		tap_ok(status == 0 && gone[i] == lefts[i].goes,
			"a dotlock is %s: %s", lefts[i].goes ? "broken"
			: "respected", lefts[i].name);
	}
}

/* What opening the mbox sweeps away: dotlocks of ours, no other. */
static void test_clean(void)
{
	const struct left alive = { "", "%L:%H\n", 0, false };

	/* The number may be used again by now: the other name tells. */
	leave(&alive, "box.lock." TAG);
	if (link(scratch_path("box.lock." TAG), scratch_path("box.lock")) < 0)
		abort();
	lock_clean(box, TAG);
	tap_ok(!scratch_exists("box.lock") && !scratch_exists("box.lock." TAG),
		"our dotlock is cleaned away");
	leave(&alive, "box.lock");
	leave(&alive, "box.lock." TAG);
	scratch_write("box.lock.ffff", "x", 1);
	lock_clean(box, TAG);
	tap_ok(scratch_exists("box.lock") && scratch_exists("box.lock.ffff")
		&& !scratch_exists("box.lock." TAG),
		"another one is not");
	unlink(scratch_path("box.lock"));
	lock_clean(box, TAG);
	tap_ok(!scratch_exists("box.lock"), "nor what is not there");
}

int main(void)
{
	struct dest_lock *lock;
	bool created = false;
	size_t i;

	owner_make("lock");
	snprintf(box, sizeof(box), "%s", scratch_path("box"));
	lock = lock_mbox(box, TAG, true, &created, &err);
	tap_ok(lock != NULL && created && scratch_exists("box.lock")
		&& scratch_holds("box", "", 0), "a missing mbox is made");
	lock_release(lock);
	tap_ok(scratch_exists("box") && !scratch_exists("box.lock"),
		"release takes the dotlock away");
	lock_release(NULL);
	for (i = 0; i < sizeof(waitings) / sizeof(waitings[0]); i++)
		test_waiting(&waitings[i]);
	test_foreign_bytes();
	test_clean();
	test_left();
	scratch_end();
	return tap_done();
}
