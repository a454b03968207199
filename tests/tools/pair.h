/*
 * pair: one proxied connection, from the client to us and from us to the
 * server, with a lane each way.
 *
 * Driven from outside: pair_prepare says what to wait for, pair_step does it.
 * Ends are passed on as they are: FIN one way, RST, a refused connection as
 * RST.  Times are in nanoseconds of CLOCK_MONOTONIC.
 */
#ifndef TESTS_TOOLS_PAIR_H
#define TESTS_TOOLS_PAIR_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/tools/endpoint.h"
#include "tests/tools/lane.h"

struct pair;

/*
 * Own the client's non-blocking socket FD; connect to TARGET, which must stay,
 * at time WHEN.  DOWN is the lane to the client.  NULL without memory, with FD
 * closed.
 */
struct pair *pair_new(int fd, const struct endpoint *target, uint64_t when,
		      const struct lane_config *down, const struct lane_config *up);
void pair_free(struct pair *p);

/*
 * Fill R[0] and R[1] for poll; the time at which pair_step is due anyway, or
 * UINT64_MAX.
 */
uint64_t pair_prepare(const struct pair *p, struct pollfd *r);

/* Do what the results in R, and the time, ask for. */
void pair_step(struct pair *p, const struct pollfd *r, uint64_t now);

/*
 * What has passed: bytes from the client, bytes from the server, and how often
 * the client spoke after it had been sent something, the first time included.
 */
struct pair_report {
	uint64_t up, down, bursts;
};
struct pair_report pair_report(const struct pair *p);

/* Both ways have ended; the sockets are closed. */
bool pair_is_over(const struct pair *p);

#endif
