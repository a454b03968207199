/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/base/confine_priv.h"

/*
 * Files, ports and signals: Landlock. What is not named is not there to be
 * opened, made or removed; what is open already stays so.
 *
 * The kernel's interface is written out here, so that it does not depend on
 * how old the headers are that this was built with: the kernel itself says
 * what it knows.
 */

#if defined(__linux__) && !defined(UNCONFINED)

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

/* linux/landlock.h */
#define BIT(n) (UINT64_C(1) << (n))
#define FS_WRITE_FILE BIT(1)
#define FS_READ_FILE BIT(2)
#define FS_READ_DIR BIT(3)
#define FS_REMOVE_DIR BIT(4)
#define FS_REMOVE_FILE BIT(5)
#define FS_MAKE_DIR BIT(7)
#define FS_MAKE_REG BIT(8)
#define FS_REFER BIT(13)	/* rename and link to another folder */
#define FS_TRUNCATE BIT(14)
#define NET_BIND BIT(0)
#define NET_CONNECT BIT(1)
#define SCOPE_ABSTRACT BIT(0)
#define SCOPE_SIGNAL BIT(1)
#define RULE_PATH 1
#define RULE_PORT 2
#define ASK_VERSION 1

/* What makes sense for a file that is no folder. */
#define FS_OF_FILE (BIT(0) | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | BIT(15))

struct ruleset {
	uint64_t fs, net, scoped;
};

struct path_rule {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

struct port_rule {
	uint64_t allowed, port;
};

/* From which version on there is what. */
enum { ABI_REFER = 2, ABI_TRUNCATE, ABI_NET, ABI_IOCTL, ABI_SCOPES };

static const uint64_t uses[] = {
	[CONFINE_READ] = FS_READ_FILE | FS_READ_DIR,
	[CONFINE_CHANGE] = FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE,
	[CONFINE_BESIDE] = FS_WRITE_FILE | FS_TRUNCATE | FS_MAKE_REG
		| FS_REMOVE_FILE | FS_READ_DIR,
	[CONFINE_OWN] = FS_READ_FILE | FS_READ_DIR | FS_WRITE_FILE
		| FS_TRUNCATE | FS_MAKE_DIR | FS_MAKE_REG | FS_REMOVE_DIR
		| FS_REMOVE_FILE | FS_REFER,
};

static long version(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, ASK_VERSION);
}

/* The first version forbids rename from tmp/ to new/ whatever the rules say. */
unsigned int confine_files_can(void)
{
	long abi = version();

	if (abi < ABI_REFER)
		return 0;
	return CONFINE_FILES | (abi >= ABI_NET ? CONFINE_PORTS : 0u)
		| (abi >= ABI_SCOPES ? CONFINE_SIGNALS : 0u);
}

static uint64_t known_fs(long abi)
{
	uint64_t known = BIT(14) - 1;

	if (abi >= ABI_TRUNCATE)
		known |= FS_TRUNCATE;
	if (abi >= ABI_IOCTL)
		known |= BIT(15);
	return known;
}

/* A path that is not there, or not ours to see, is of no use anyway. */
static bool allow_path(int set, const char *path, uint64_t allowed,
	struct err *err)
{
	struct path_rule rule = { allowed, open(path, O_PATH | O_CLOEXEC) };
	struct stat st;
	bool ok;

	if (rule.fd < 0)
		return true;
	if (fstat(rule.fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed &= FS_OF_FILE;
	ok = rule.allowed == 0 || syscall(SYS_landlock_add_rule, set, RULE_PATH,
		&rule, 0) == 0 || err_sys(err, errno, "cannot allow %s", path);
	close(rule.fd);
	return ok;
}

static bool allow_port(int set, uint64_t allowed, uint64_t port,
	struct err *err)
{
	struct port_rule rule = { allowed, port };

	return syscall(SYS_landlock_add_rule, set, RULE_PORT, &rule, 0) == 0
		|| err_sys(err, errno, "cannot allow a port");
}

static bool allow_all(int set, const struct ruleset *what,
	const struct confine_rules *rules, struct err *err)
{
	bool ok = true;
	size_t i;

	for (i = 0; ok && i < rules->path_count; i++)
		ok = allow_path(set, rules->paths[i].path,
			uses[rules->paths[i].use] & what->fs, err);
	/* An address of ours, with any port that is free. */
	if (ok && (what->net & NET_BIND) != 0)
		ok = allow_port(set, NET_BIND, 0, err);
	for (i = 0; ok && what->net != 0 && i < rules->port_count; i++)
		ok = allow_port(set, NET_CONNECT, rules->ports[i], err);
	return ok;
}

static bool restrict_self(int set, struct err *err)
{
	return syscall(SYS_landlock_restrict_self, set, 0) == 0
		|| err_sys(err, errno, "cannot restrict the files");
}

bool confine_files_now(const struct confine_rules *rules, struct err *err)
{
	long abi = version();
	struct ruleset what = { .fs = known_fs(abi) };
	size_t size = sizeof(what.fs);
	int set;
	bool ok;

	if (abi < ABI_REFER)
		return true;
	if (abi >= ABI_NET) {
		size = offsetof(struct ruleset, scoped);
		what.net = NET_BIND;
		if (rules->port_count != 0)
			what.net |= NET_CONNECT;
	}
	if (abi >= ABI_SCOPES) {
		size = sizeof(what);
		what.scoped = SCOPE_ABSTRACT | SCOPE_SIGNAL;
	}
	/* The descriptor is close-on-exec by itself. */
	set = (int)syscall(SYS_landlock_create_ruleset, &what, size, 0);
	if (set < 0)
		return err_sys(err, errno, "cannot restrict the files");
	ok = allow_all(set, &what, rules, err) && restrict_self(set, err);
	close(set);
	return ok;
}

#elif defined(HAVE_UNVEIL)

#include <errno.h>
#include <unistd.h>

static const char *const uses[] = {
	[CONFINE_READ] = "r", [CONFINE_CHANGE] = "rw",
	[CONFINE_BESIDE] = "rwc", [CONFINE_OWN] = "rwc",
};

unsigned int confine_files_can(void)
{
	return CONFINE_FILES;
}

bool confine_files_now(const struct confine_rules *rules, struct err *err)
{
	size_t i;

	for (i = 0; i < rules->path_count; i++)
		if (unveil(rules->paths[i].path, uses[rules->paths[i].use]) < 0
		    && errno != ENOENT && errno != EACCES)
			return err_sys(err, errno, "cannot allow %s",
				rules->paths[i].path);
	return unveil(NULL, NULL) == 0
		|| err_sys(err, errno, "cannot restrict the files");
}

#else

unsigned int confine_files_can(void)
{
	return 0;
}

bool confine_files_now(const struct confine_rules *rules, struct err *err)
{
	(void)rules;
	(void)err;
	return true;
}

#endif
