/*
 * popd: a throw-away POP3 server.
 *
 * It serves plain directories over POP3 in TLS or in clear, makes its own
 * certificates, logs every command, and misbehaves on request.  It is meant
 * for tests and demonstrations on one machine: passwords stand on its command
 * line, and nothing is ever flushed to the disk.
 */
#include "tests/server/generate.h"
#include "tests/server/options.h"
#include "tests/server/serve.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>

static bool
prepare(struct service *sv, const struct options *opt)
{
	sv->opt = opt;
	sv->tally = mmap(NULL, sizeof *sv->tally, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sv->tally == MAP_FAILED) {
		perror("popd");
		return false;
	}
	if (!eventlog_open(&sv->log, opt->log) || !generate_all(opt))
		return false;
	if (opt->tls == TLS_NONE)
		return true;
	sv->tls = tls_server_new(opt);
	return sv->tls != NULL;
}

/* A mistake in the script shows at the start, not in the first session. */
static bool
check_script(const struct options *opt)
{
	struct script *s = script_load(opt->script, opt->rules.item, opt->rules.n, opt->seed);

	script_free(s);
	return s != NULL;
}

int
main(int argc, char **argv)
{
	struct service service = { .tls = NULL, .log = { .fd = -1 } };
	enum options_result read;
	struct options opt;
	bool ok;

	read = options_read(argc, argv, &opt);
	ok = read == OPTIONS_RUN && check_script(&opt) && prepare(&service, &opt) &&
	     serve(&service);
	if (service.log.fd >= 0)
		close(service.log.fd);
	tls_server_free(service.tls);
	options_free(&opt);
	if (read == OPTIONS_HELP)
		return EX_OK;
	return ok ? EX_OK : read == OPTIONS_BAD ? EX_USAGE : EX_UNAVAILABLE;
}
