/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/fsx.h"
#include "agent/base/num.h"
#include "agent/daemon/notify.h"
#include "agent/daemon/priv.h"
#include "agent/parent/signals.h"
#include "agent/state/memory.h"

/* The commit at hand is finished; a worker that needs longer for it than this
 * is ended, and recovery does the rest. */
#define STOP_MS 2000
/* The service manager hears of us this often at least. */
#define PING_MS 30000
#define METRICS_MS 60000
/* Whoever reads the log must not make all accounts wait. */
#define LOG_MS 500

/* ---- one daemon for a state directory ---- */

static bool refuse_second(int fd, const char *state, struct err *err)
{
	char pid[24] = "";
	ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);

	if (n > 0)
		pid[strcspn(pid, "\n")] = '\0';
	return err_set(err, ERR_CONFIG,
		"process %s is the daemon of %s already; postrider stop ends it",
		n > 0 ? pid : "?", state);
}

/* The lock is the kernel's: it ends with us, however we end. */
static bool take_lock(struct daemon *d, const char *state, struct err *err)
{
	int dir = fsx_makedir(state, err), n;
	char pid[24];

	if (dir < 0)
		return false;
	d->lock = openat(dir, "daemon.lock", O_RDWR | O_CREAT | O_NOFOLLOW
		| O_CLOEXEC, 0600);
	close(dir);
	if (d->lock < 0)
		return err_sys(err, errno, "cannot open %s/daemon.lock", state);
	if (!fsx_lock(d->lock, 0)) {
		if (errno == EWOULDBLOCK)
			return refuse_second(d->lock, state, err);
		return err_sys(err, errno, "cannot lock %s/daemon.lock", state);
	}
	n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(d->lock, 0) < 0 || pwrite(d->lock, pid, (size_t)n, 0) != n)
		log_debug("cannot write the pid into the lock file");
	return true;
}

/* Without a socket nobody can talk to it, but the mail still comes. */
static bool open_control(struct daemon *d, struct err *err)
{
	char path[PATH_MAX];

	control_path(d->options->control, path, sizeof(path));
	d->control = control_open(path, daemon_ask, d, err);
	if (d->control != NULL || err->class == ERR_CONFIG)
		return d->control != NULL;
	err_prefix(err, "nobody can control this daemon");
	log_err(LOG_LEVEL_WARN, err);
	err_clear(err);
	return true;
}

/* ---- what comes of the passes ---- */

/* When a secret's file was written last, in a number. */
static uint64_t secret_stamp(const struct account *account)
{
	const struct secret_source *source =
		account->token.kind != SECRET_NONE ? &account->token
		: &account->password;
	struct stat st;

	if ((source->kind != SECRET_FILE && source->kind != SECRET_NETRC)
	    || stat(source->text, &st) < 0)
		return 0;
	return (uint64_t)st.st_mtim.tv_sec * 1000000007u
		+ (uint64_t)st.st_mtim.tv_nsec + (uint64_t)st.st_ino;
}

/* Before the pass: a secret that changes while it runs is a new one. */
static void starting(void *arg, const struct roster *roster, uint32_t id)
{
	(void)arg;
	roster->notes[id] = secret_stamp(roster->accounts[id]);
}

/* A new secret, or somebody's fetch that went well, ends a hold. */
static bool changed(void *arg, const struct roster *roster, uint32_t id)
{
	struct memory memory;

	(void)arg;
	if (roster->notes[id] != secret_stamp(roster->accounts[id]))
		return true;
	memory_load(roster->config->state, roster->accounts[id]->name, &memory);
	return memory.outcome.succeeded != 0 && memory.outcome.streak == 0;
}

static void log_result(const struct report *r)
{
	char bytes[32];

	if (r->counts.fetched != 0 || r->counts.delivered != 0)
		log_info("%" PRIu64 " fetched (%s), %" PRIu64
			" delivered, %" PRIu64 " deleted on the server",
			r->counts.fetched, num_format_size(bytes,
				sizeof(bytes), r->counts.fetched_bytes),
			r->counts.delivered, r->counts.deleted);
	if (r->class == ERR_NONE)
		log_debug("%" PRIu64 " on the server", r->counts.listed);
	else if (r->server[0] != '\0')
		log_write(r->class == ERR_STOP ? LOG_LEVEL_INFO
			: LOG_LEVEL_ERROR, "%s; the server said: %s",
			r->text, r->server);
	else
		log_write(r->class == ERR_STOP ? LOG_LEVEL_INFO
			: LOG_LEVEL_ERROR, "%s", r->text);
}

static void log_next(const struct roster *roster, uint32_t id)
{
	clock_ms due = sched_due(roster->sched, id);
	char left[32];

	if (due == INT64_MAX)
		return;
	num_format_time(left, sizeof(left), (uint64_t)clock_left(due) / 1000);
	if (sched_state(roster->sched, id) == SCHED_HELD)
		log_error("not tried again until its password or configuration changes, or an hour has passed (postrider poll %s tries at once)",
			roster->accounts[id]->name);
	else
		log_info("next try in %s", left);
}

/* A worker that could not even report left no trace of that either. */
static void remember_death(const struct roster *roster,
	const struct account *account, const struct report *report)
{
	struct memory memory;
	char path[PATH_MAX];
	int dir;

	if (snprintf(path, sizeof(path), "%s/%s", roster->config->state,
		account->name) >= (int)sizeof(path))
		return;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return;
	memory_read(dir, &memory);
	outcome_add(&memory.outcome, report, clock_wall());
	memory_write(dir, &memory);
	close(dir);
}

static void ended(void *arg, const struct parent_slot *slot)
{
	const struct report *r = &slot->proc.report;
	const struct account *account = slot->proc.account;
	struct daemon *d = arg;
	struct roster *roster = parent_roster(d->parent);

	log_account(account->name);
	log_result(r);
	if (slot->id != ROSTER_NOBODY && r->class != ERR_NONE
	    && r->class != ERR_STOP && !parent_stopping(d->parent))
		log_next(roster, slot->id);
	log_account(NULL);
	if (r->code == ERR_CODE_DIED)
		remember_death(slot->roster, account, r);
}

/* ---- beside the passes ---- */

static void tell_manager(struct daemon *d)
{
	size_t running;

	parent_active(d->parent, &running);
	notify_status("%" PRIu32 " accounts, %zu being polled",
		parent_roster(d->parent)->count, running);
}

static clock_ms ping_ms(void)
{
	clock_ms ms = notify_watchdog_ms();

	return ms != 0 ? clock_min(ms, PING_MS) : PING_MS;
}

static size_t watch(void *arg, struct pollfd *fds)
{
	const struct daemon *d = arg;

	return d->control != NULL ? control_watch(d->control, fds) : 0;
}

static clock_ms next(void *arg, clock_ms otherwise)
{
	const struct daemon *d = arg;

	otherwise = clock_min(otherwise, clock_min(d->next_ping,
		d->next_metrics));
	return d->control != NULL ? control_next(d->control, otherwise)
		: otherwise;
}

static void reload(struct daemon *d)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL) {
		log_error("no memory to read the configuration again");
		return;
	}
	notify_reloading();
	daemon_reload(d, out);
	notify_ready();
	fclose(out);
	free(text);
}

static void react(void *arg, const struct pollfd *fds, size_t count)
{
	struct daemon *d = arg;

	if (d->control != NULL)
		control_react(d->control, fds, count, clock_now());
	if (d->reload) {
		d->reload = false;
		reload(d);
	}
	if (clock_left(d->next_ping) == 0) {
		d->next_ping = clock_after(ping_ms());
		notify_watchdog();
		tell_manager(d);
	}
	if (clock_left(d->next_metrics) == 0) {
		d->next_metrics = clock_after(METRICS_MS);
		daemon_start_metrics(d);
	}
}

static void signalled(void *arg, unsigned int signals)
{
	struct daemon *d = arg;

	if ((signals & SIGNALS_STOP) != 0 && !parent_stopping(d->parent)) {
		log_info("stopping");
		parent_stop(d->parent);
	}
	if ((signals & SIGNALS_POLL) != 0)
		daemon_event(d, DAEMON_ALL, SCHED_POLL);
	d->reload |= (signals & SIGNALS_RELOAD) != 0;
}

static void serve(struct daemon *d)
{
	const struct pass_options pass = { .baseline = false };
	const struct parent_options options = {
		daemon_roster(NULL, d->options->config, NULL), pass,
		d->options->trace, STOP_MS, true,
		{ d, starting, ended, changed, watch, react, next,
			daemon_foreign, signalled },
		NULL,
	};

	d->parent = parent_new(&options);
	d->next_ping = clock_after(ping_ms());
	d->next_metrics = clock_now();
	log_info("polling %" PRIu32 " accounts",
		parent_roster(d->parent)->count);
	notify_ready();
	tell_manager(d);
	for (parent_start(d->parent); !parent_stopping(d->parent)
		|| !parent_idle(d->parent);)
		parent_turn(d->parent);
	notify_stopping();
	parent_free(d->parent);
}

enum err_class daemon_run(const struct daemon_options *options)
{
	struct daemon d = { .options = options, .lock = -1,
		.since = clock_wall() };
	struct err err = ERR_INIT;

	log_patience(LOG_MS);
	notify_open();
	if (take_lock(&d, options->config->state, &err)
	    && open_control(&d, &err) && signals_catch(true, &err)) {
		serve(&d);
		log_info("stopped");
	} else {
		log_err(LOG_LEVEL_ERROR, &err);
	}
	control_close(d.control);
	notify_close();
	if (d.lock >= 0)
		close(d.lock);
	return err.class;
}
