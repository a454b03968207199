/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/base/confine_priv.h"

/*
 * System calls: seccomp, by libseccomp, whose authors keep the numbers of all
 * machines. What is not in the list fails with EPERM: no program, no process,
 * no signal to others, no change of owner, mode or attributes by name, no
 * socket but of the kind that leads to the server. Paths are the business of
 * confine_files.c, since no filter can read them.
 */

#ifdef HAVE_SECCOMP

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "agent/base/arena.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

/* Stands for our own process until it is known which one that is. */
#define OWN_PID 0x7e57ab1eu

/* Names, because numbers differ; those that a system lacks are skipped. */
static const char *const allowed[] = {
	/* What is open. */
	"read", "write", "readv", "writev", "pread64", "pwrite64", "preadv",
	"pwritev", "preadv2", "pwritev2", "lseek", "_llseek", "close",
	"close_range", "fcntl", "fcntl64", "flock", "dup", "dup2", "dup3",
	"pipe", "pipe2", "fsync", "fdatasync", "syncfs", "sync_file_range",
	"sync_file_range2", "fallocate", "ftruncate", "ftruncate64",
	"fadvise64", "fadvise64_64", "fstat", "fstat64", "fstatfs",
	"fstatfs64", "fchmod", "getdents", "getdents64", "copy_file_range",
	/* Files by name, as far as the other list lets them. */
	"open", "openat", "openat2", "stat", "stat64", "lstat", "lstat64",
	"newfstatat", "fstatat64", "statx", "statfs", "statfs64", "access",
	"faccessat", "faccessat2", "readlink", "readlinkat", "getcwd", "mkdir",
	"mkdirat", "rename", "renameat", "renameat2", "link", "linkat",
	"unlink", "unlinkat", "rmdir", "umask",
	/* Waiting. */
	"poll", "ppoll", "ppoll_time64", "select", "_newselect", "pselect6",
	"pselect6_time64", "epoll_create1", "epoll_ctl", "epoll_wait",
	"epoll_pwait", "eventfd2", "nanosleep", "clock_nanosleep",
	"clock_nanosleep_time64", "restart_syscall", "futex", "futex_time64",
	"sched_yield", "wait4", "waitid",
	/* Memory. */
	"brk", "munmap", "mremap", "madvise", "mlock", "mlock2", "munlock",
	"membarrier",
	/* The time, and who we are. */
	"clock_gettime", "clock_gettime64", "clock_getres", "gettimeofday",
	"time", "getpid", "getppid", "gettid", "getuid", "geteuid", "getgid",
	"getegid", "getresuid", "getresgid", "getgroups", "getpgrp", "getpgid",
	"getsid", "getuid32", "geteuid32", "getgid32", "getegid32", "uname",
	"sysinfo", "getrusage", "getrlimit", "ugetrlimit", "times", "getcpu",
	"sched_getaffinity", "getrandom", "rseq", "set_robust_list",
	"set_tid_address",
	/* Signals that we get, and the end. */
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending",
	"rt_sigtimedwait", "rt_sigsuspend", "sigaltstack", "sigreturn", "exit",
	"exit_group",
	/* Sockets that there are; which ones there can be is said below. */
	"connect", "bind", "getsockname", "getpeername", "getsockopt",
	"setsockopt", "sendto", "recvfrom", "sendmsg", "recvmsg", "send",
	"recv", "sendmmsg", "recvmmsg", "shutdown",
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* A rule for a call whose arguments decide; one with no mask wants the value
 * itself. A call may have several. */
struct rule {
	const char *name;
	unsigned int arg;
	uint64_t mask, value;
};
#define WORD UINT64_C(0xffffffff)

static const struct rule always[] = {
	{ "mprotect", 2, PROT_EXEC, 0 },
	/* Ourselves; or whether a process is there. */
	{ "kill", 0, WORD, OWN_PID }, { "kill", 1, WORD, 0 },
	{ "tgkill", 0, WORD, OWN_PID },
	{ "ioctl", 1, WORD, TCGETS }, { "ioctl", 1, WORD, TIOCGWINSZ },
	{ "ioctl", 1, WORD, FIONREAD }, { "ioctl", 1, WORD, FIONBIO },
	/* To look at a limit, not to set it. */
	{ "prlimit64", 2, ~UINT64_C(0), 0 },
	/* The times of an open file: with a name they are those of any. */
	{ "utimensat", 1, ~UINT64_C(0), 0 },
	{ "utimensat_time64", 1, ~UINT64_C(0), 0 },
	{ "prctl", 0, WORD, PR_SET_NAME }, { "prctl", 0, WORD, PR_SET_VMA },
};

/* Nothing new becomes a program. */
static const struct rule mapping[] = {
	{ "mmap", 2, PROT_EXEC, 0 }, { "mmap2", 2, PROT_EXEC, 0 },
};

/* Libraries are loaded, and ask their services. */
static const struct rule loading[] = {
	{ "mmap", 2, 0, 0 }, { "mmap2", 2, 0, 0 }, { "mprotect", 2, 0, 0 },
	{ "socket", 0, WORD, AF_UNIX }, { "socket", 0, WORD, AF_NETLINK },
	{ "socket", 0, WORD, AF_INET }, { "socket", 0, WORD, AF_INET6 },
};

static struct filter {
	struct sock_filter *code;
	size_t count;
} filters[CONFINE_KINDS];

/* A name that this machine does not know is no call of it. */
static int add(scmp_filter_ctx ctx, const char *name, unsigned int n,
	const struct scmp_arg_cmp *args)
{
	int nr = seccomp_syscall_resolve_name(name);

	if (nr == __NR_SCMP_ERROR)
		return 0;
	return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, nr, n, args);
}

static int add_rules(scmp_filter_ctx ctx, const struct rule *rules, size_t n)
{
	int bad = 0;
	size_t i;

	for (i = 0; bad == 0 && i < n; i++) {
		const struct scmp_arg_cmp arg = SCMP_CMP(rules[i].arg,
			SCMP_CMP_MASKED_EQ, rules[i].mask, rules[i].value);

		bad = add(ctx, rules[i].name, rules[i].mask != 0, &arg);
	}
	return bad;
}

static int add_stream(scmp_filter_ctx ctx, int family)
{
	const struct scmp_arg_cmp args[] = {
		SCMP_CMP(0, SCMP_CMP_MASKED_EQ, WORD, (uint64_t)family),
		SCMP_CMP(1, SCMP_CMP_MASKED_EQ,
			WORD & ~(uint64_t)(SOCK_NONBLOCK | SOCK_CLOEXEC),
			SOCK_STREAM),
	};

	return add(ctx, "socket", COUNT(args), args);
}

static int add_kind(scmp_filter_ctx ctx, enum confine_kind kind)
{
	int bad;

	if (kind == CONFINE_LIBRARY)
		return add_rules(ctx, loading, COUNT(loading));
	bad = add_rules(ctx, mapping, COUNT(mapping));
	if (bad == 0 && kind == CONFINE_LOCAL)
		bad = add_stream(ctx, AF_UNIX);
	if (bad == 0 && kind == CONFINE_TCP)
		bad = add_stream(ctx, AF_INET);
	if (bad == 0 && kind == CONFINE_TCP)
		bad = add_stream(ctx, AF_INET6);
	return bad;
}

static int add_all(scmp_filter_ctx ctx, enum confine_kind kind)
{
	int bad = 0;
	size_t i;

	for (i = 0; bad == 0 && i < COUNT(allowed); i++)
		bad = add(ctx, allowed[i], 0, NULL);
	if (bad == 0)
		bad = add_rules(ctx, always, COUNT(always));
	return bad != 0 ? bad : add_kind(ctx, kind);
}

/* The library writes the program to a descriptor; a pipe holds it. */
static bool take_program(scmp_filter_ctx ctx, struct filter *filter)
{
	const size_t cap = BPF_MAXINSNS * sizeof(*filter->code);
	int fds[2];
	ssize_t n = -1;

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return false;
	if (seccomp_export_bpf(ctx, fds[1]) == 0) {
		filter->code = mem_grow(NULL, 1, cap);
		n = read(fds[0], filter->code, cap);
		if (n > 0)
			filter->count = (size_t)n / sizeof(*filter->code);
	}
	close(fds[0]);
	close(fds[1]);
	if (n <= 0)
		return false;
	filter->code = mem_grow(filter->code, filter->count,
		sizeof(*filter->code));
	return true;
}

static bool make(enum confine_kind kind)
{
	scmp_filter_ctx ctx;
	bool ok;

	if (filters[kind].count != 0)
		return true;
	ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	ok = ctx != NULL
		&& seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH,
			SCMP_ACT_ERRNO(EPERM)) == 0
		&& add_all(ctx, kind) == 0 && take_program(ctx, &filters[kind]);
	seccomp_release(ctx);
	return ok;
}

unsigned int confine_calls_can(void)
{
	const uint32_t action = SECCOMP_RET_ERRNO;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0
		? CONFINE_CALLS : 0u;
}

void confine_calls_prepare(void)
{
	int kind;

	/* Who cannot make one hears of it when it is needed. */
	for (kind = 0; kind < CONFINE_KINDS; kind++)
		if (!make((enum confine_kind)kind))
			return;
}

static void know_ourselves(struct filter *filter)
{
	size_t i;

	for (i = 0; i < filter->count; i++)
		if (BPF_CLASS(filter->code[i].code) == BPF_JMP
		    && filter->code[i].k == OWN_PID)
			filter->code[i].k = (uint32_t)getpid();
}

bool confine_calls_now(const struct confine_rules *rules, struct err *err)
{
	struct filter *filter = &filters[rules->kind];
	struct sock_fprog program;

	if (confine_calls_can() == 0)
		return true;
	if (!make(rules->kind))
		return err_set(err, ERR_RETRY,
			"cannot make the list of system calls");
	know_ourselves(filter);
	program.len = (unsigned short)filter->count;
	program.filter = filter->code;
	/* We share no memory with anybody who would have to be kept from
	 * guessing at it. */
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) == 0
		|| err_sys(err, errno, "cannot restrict the system calls");
}

#elif defined(HAVE_PLEDGE)

#include <errno.h>
#include <unistd.h>

static const char *const promises[] = {
	[CONFINE_TCP] = "stdio rpath wpath cpath fattr flock inet sendfd",
	[CONFINE_LOCAL] = "stdio rpath wpath cpath fattr flock unix sendfd",
	[CONFINE_LIBRARY] = "stdio rpath wpath cpath fattr flock inet unix dns sendfd",
};

unsigned int confine_calls_can(void)
{
	/* It takes away exec, and with that what no_new_privs is for. */
	return CONFINE_CALLS | CONFINE_PRIVS;
}

void confine_calls_prepare(void)
{
}

bool confine_calls_now(const struct confine_rules *rules, struct err *err)
{
	return pledge(promises[rules->kind], NULL) == 0
		|| err_sys(err, errno, "cannot restrict the system calls");
}

#else

unsigned int confine_calls_can(void)
{
	return 0;
}

void confine_calls_prepare(void)
{
}

bool confine_calls_now(const struct confine_rules *rules, struct err *err)
{
	(void)rules;
	(void)err;
	return true;
}

#endif
