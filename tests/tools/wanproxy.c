/*
 * wanproxy: a TCP proxy that behaves like a long line.
 *
 * Every byte arrives a fixed time after it was sent, in both directions, at
 * full throughput or at a given rate; and the line may break, fall silent or
 * spoil bytes at a chosen point.
 */
#include "tests/tools/endpoint.h"
#include "tests/tools/pair.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { LISTENERS = 16, SECOND = 1000000000, MILLISECOND = 1000000 };

struct options {
	const char *listen[LISTENERS];
	size_t n_listen;
	const char *to;
	const char *port_file;
	const char *report;
	struct lane_config lane;
	bool up;
	bool handshake;
	uint64_t only;		/* the fault is on this connection alone; 0: on all */
};

struct proxy {
	const struct options *opt;
	struct endpoint target;
	int listeners[LISTENERS];
	struct pair **pairs;
	size_t n;
	uint64_t accepted;
	struct pollfd *polled;
	sigset_t normal;
};

static volatile sig_atomic_t asked_to_stop;

static uint64_t
clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

static bool
add_pair(struct proxy *x, int fd)
{
	struct pair **more = realloc(x->pairs, (x->n + 1) * sizeof *more);
	struct lane_config plain = x->opt->lane, faulty = plain;
	uint64_t when = clock_now() + (x->opt->handshake ? 3 * plain.delay : 0);
	struct pair *p;

	plain.fault = LANE_NO_FAULT;
	if (!more) {
		close(fd);
		return false;
	}
	x->pairs = more;
	x->accepted++;
	if (x->opt->only != 0 && x->opt->only != x->accepted)
		faulty = plain;
	p = pair_new(fd, &x->target, when, x->opt->up ? &plain : &faulty,
		     x->opt->up ? &faulty : &plain);
	if (p)
		x->pairs[x->n++] = p;
	return p != NULL;
}

static void
accept_all(struct proxy *x, int listener)
{
	int fd;

	do {
		fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	} while (fd >= 0 && add_pair(x, fd));
}

static void
report(const struct proxy *x, const struct pair *p)
{
	struct pair_report r = pair_report(p);
	FILE *file = x->opt->report ? fopen(x->opt->report, "a") : NULL;

	if (!file)
		return;
	fprintf(file, "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", r.up, r.down, r.bursts);
	fclose(file);
}

static void
bury(struct proxy *x)
{
	for (size_t i = 0; i < x->n;) {
		if (pair_is_over(x->pairs[i])) {
			report(x, x->pairs[i]);
			pair_free(x->pairs[i]);
			x->pairs[i] = x->pairs[--x->n];
		} else {
			i++;
		}
	}
}

/* Fill the poll table; the time of the next timer. */
static uint64_t
prepare(struct proxy *x)
{
	struct pollfd *r = realloc(x->polled, (LISTENERS + 2 * x->n) * sizeof *r);
	uint64_t first = UINT64_MAX;

	if (!r) {
		perror("wanproxy");
		exit(EX_OSERR);
	}
	x->polled = r;
	for (size_t i = 0; i < x->opt->n_listen; i++)
		*r++ = (struct pollfd){ .fd = x->listeners[i], .events = POLLIN };
	for (size_t i = 0; i < x->n; i++, r += 2) {
		uint64_t t = pair_prepare(x->pairs[i], r);

		if (t < first)
			first = t;
	}
	return first;
}

static bool
wait_for(struct proxy *x, uint64_t until)
{
	uint64_t now = clock_now(), ns = until > now ? until - now : 0;
	struct timespec ts = { (time_t)(ns / SECOND), (long)(ns % SECOND) };
	nfds_t n = x->opt->n_listen + 2 * x->n;

	return ppoll(x->polled, n, until == UINT64_MAX ? NULL : &ts, &x->normal) >= 0;
}

static void
loop(struct proxy *x)
{
	while (!asked_to_stop) {
		size_t n = x->n, listeners = x->opt->n_listen;
		uint64_t now;

		if (!wait_for(x, prepare(x)))
			continue;
		now = clock_now();
		for (size_t i = 0; i < n; i++)
			pair_step(x->pairs[i], x->polled + listeners + 2 * i, now);
		for (size_t i = 0; i < listeners; i++) {
			if (x->polled[i].revents)
				accept_all(x, x->listeners[i]);
		}
		bury(x);
	}
}

/* ---- options ---- */

static const char help[] =
	"usage: wanproxy --to ADDR:PORT [OPTION]...\n"
	"A TCP proxy that behaves like a long line.\n\n"
	"  --listen ADDR:PORT      where to listen, may be repeated [127.0.0.1:0];\n"
	"                          prints `listening ADDR PORT'\n"
	"  --port-file FILE        write the ports, one a line\n"
	"  --to ADDR:PORT          the server\n"
	"  --delay MS              one-way delay of every byte, may have a fraction [0]\n"
	"  --handshake             let connecting take its round trip too: the onward\n"
	"                          connection opens after three one-way delays\n"
	"  --rate BYTES            a second, in each direction [no limit]\n"
	"  --buffer BYTES          that may wait in each direction [8388608]\n"
	"  --report FILE           append a line a connection when it has ended: bytes\n"
	"                          from the client, bytes from the server, and how often\n"
	"                          the client spoke after it had been sent something\n"
	"Faults, counted in bytes from the server to the client of each connection:\n"
	"  --cut-after N           FIN in both directions\n"
	"  --reset-after N         RST in both directions\n"
	"  --stall-after N         nothing more passes, not even the end\n"
	"  --garbage-after N[:SEED]  the rest becomes random bytes\n"
	"  --flip-after N[:BIT]    one bit of byte N + 1 is wrong\n"
	"  --up                    count and spoil client to server instead\n"
	"  --only K                on the Kth connection alone\n";

static bool
number(const char *text, uint64_t *n_r, uint64_t *second_r)
{
	char *end;

	errno = 0;
	*n_r = strtoull(text, &end, 10);
	if (end != text && *end == ':' && second_r)
		*second_r = strtoull(end + 1, &end, 10);
	if (end != text && *end == '\0' && *text != '-' && errno == 0)
		return true;
	fprintf(stderr, "wanproxy: %s: not a number\n", text);
	return false;
}

static bool
milliseconds(const char *text, uint64_t *ns_r)
{
	char *end;
	double ms = strtod(text, &end);

	if (end == text || *end || !(ms >= 0 && ms < 1e9)) {
		fprintf(stderr, "wanproxy: %s: not a time in milliseconds\n", text);
		return false;
	}
	*ns_r = (uint64_t)(ms * MILLISECOND);
	return true;
}

static enum lane_fault
fault_named(const char *name)
{
	static const struct {
		const char *name;
		enum lane_fault fault;
	} faults[] = {
		{ "--cut-after", LANE_CUT_AFTER }, { "--reset-after", LANE_RESET_AFTER },
		{ "--stall-after", LANE_STALL_AFTER }, { "--flip-after", LANE_FLIP_AFTER },
		{ "--garbage-after", LANE_GARBAGE_AFTER },
	};

	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
		if (strcmp(faults[i].name, name) == 0)
			return faults[i].fault;
	}
	return LANE_NO_FAULT;
}

static bool
set_listen(struct options *opt, const char *value)
{
	if (opt->n_listen == LISTENERS) {
		fprintf(stderr, "wanproxy: too many --listen\n");
		return false;
	}
	opt->listen[opt->n_listen++] = value;
	return true;
}

/* An option with a value. */
static bool
set(struct options *opt, const char *name, const char *value)
{
	enum lane_fault fault = fault_named(name);

	if (fault != LANE_NO_FAULT) {
		opt->lane.fault = fault;
		return number(value, &opt->lane.after, &opt->lane.seed);
	}
	if (strcmp(name, "--listen") == 0)
		return set_listen(opt, value);
	if (strcmp(name, "--to") == 0)
		opt->to = value;
	else if (strcmp(name, "--port-file") == 0)
		opt->port_file = value;
	else if (strcmp(name, "--report") == 0)
		opt->report = value;
	else if (strcmp(name, "--delay") == 0)
		return milliseconds(value, &opt->lane.delay);
	else if (strcmp(name, "--rate") == 0)
		return number(value, &opt->lane.rate, NULL);
	else if (strcmp(name, "--buffer") == 0)
		return number(value, &opt->lane.room, NULL);
	else if (strcmp(name, "--only") == 0)
		return number(value, &opt->only, NULL);
	else
		fprintf(stderr, "wanproxy: %s: unknown option; see --help\n", name);
	return opt->to == value || opt->port_file == value || opt->report == value;
}

static bool
read_options(int argc, char **argv, struct options *opt)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--up") == 0)
			opt->up = true;
		else if (strcmp(argv[i], "--handshake") == 0)
			opt->handshake = true;
		else if (i + 1 == argc || !set(opt, argv[i], argv[i + 1]))
			return false;
		else
			i++;
	}
	if (opt->n_listen == 0)
		opt->listen[opt->n_listen++] = "127.0.0.1:0";
	if (!opt->to)
		fprintf(stderr, "wanproxy: no --to ADDR:PORT; see --help\n");
	return opt->to != NULL;
}

static void
on_signal(int number_of)
{
	(void)number_of;
	asked_to_stop = 1;
}

static void
catch_signals(struct proxy *x)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGINT);
	sigprocmask(SIG_BLOCK, &blocked, &x->normal);
	sigdelset(&x->normal, SIGTERM);
	sigdelset(&x->normal, SIGINT);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
}

static bool
start(struct proxy *x)
{
	if (!endpoint_parse(x->opt->to, &x->target))
		return false;
	for (size_t i = 0; i < x->opt->n_listen; i++) {
		x->listeners[i] = endpoint_listen(x->opt->listen[i]);
		if (x->listeners[i] < 0)
			return false;
	}
	catch_signals(x);
	return endpoint_announce(x->listeners, x->opt->n_listen, x->opt->port_file);
}

int
main(int argc, char **argv)
{
	struct options opt = { .lane = { .room = 8 << 20 } };
	struct proxy x = { .opt = &opt };

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(help, stdout);
		return EX_OK;
	}
	if (!read_options(argc, argv, &opt))
		return EX_USAGE;
	if (!start(&x))
		return EX_UNAVAILABLE;
	loop(&x);
	while (x.n > 0)
		pair_free(x.pairs[--x.n]);
	free(x.pairs);
	free(x.polled);
	return EX_OK;
}
