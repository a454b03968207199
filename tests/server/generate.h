/*
 * generate: fills maildrops with messages that look like mail.
 *
 * The same options make the same messages on every machine.  Beside the
 * usual header fields each has
 *
 *	X-Popd-Maildrop: NAME
 *	X-Popd-Serial: N		from 1
 *	X-Popd-SHA256: HEX		of the body with LF line ends
 *
 * so that a test can tell, from what was delivered, which message it is and
 * whether it is whole.  Some lines begin with a dot or with `From ', some
 * contain 8-bit text.
 */
#ifndef TESTS_SERVER_GENERATE_H
#define TESTS_SERVER_GENERATE_H

#include <stdbool.h>

#include "tests/server/options.h"

/*
 * Make the directory of every account, and if OPT says --generate fill those
 * that hold no message.  False after a line on standard error.
 */
bool generate_all(const struct options *opt);

#endif
