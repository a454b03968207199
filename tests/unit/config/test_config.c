/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tap.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/limits.h"
#include "config/config.h"

/*
 * What is written wrong is told at its place: each case gives a file and how
 * every line told about it begins. The file's name is "f".
 */

/* A right account in six lines, in pieces that a case can leave out. */
#define A "accounts:\n  work:\n"
#define H "    host: h\n"
#define U "    user: u\n"
#define P "    password: {env: P}\n"
#define D "    deliver: {maildir: /m}\n"
#define HU H U
#define RIGHT A H U P D
#define WORK ": accounts.work"

struct wrong {
	const char *text;
	const char *lines[8];
};

static const struct wrong syntax[] = {
	{ "", { "f:1:1: no account is given" } },
	{ "# nothing\n", { "f:1:1: no account is given" } },
	{ "accounts:\n", { "f:1:1: accounts: no account is given" } },
	{ "state: /x\naccounts: {}\n",
	  { "f:2:1: accounts: no account is given" } },
	{ "hello\n", { "f:1:1: keys are wanted here" } },
	{ "- a\n- b\n", { "f:1:1: keys are wanted here" } },
	{ "accounts: [\n  work: }\n", { "f:2:9: a value is missing before this" } },
	{ RIGHT "\tport: 1\n", { "f:7:1: lines are indented with spaces" } },
	{ RIGHT "   port: 1\n", { "f:7:4: this line is indented differently" } },
	{ RIGHT "    port 1\n", { "f:8:1: there is no \": \"" } },
	{ A HU "    password: a: b\n" D,
	  { "f:5:16: a key and a value cannot stand here" } },
	{ A HU "    password: @b\n" D, { "f:5:15: lines are indented" } },
	{ "state: \"/x\n", { "f:2:1: the file ends inside quotes" } },
	{ "state: /\xff\n", { "f:1:9: invalid leading UTF-8 octet" } },
	{ "state: /\xc3\xa4\nlog: \x01\n", { "f:2:6: control characters" } },
	{ RIGHT "---\n" RIGHT, { "f:7:1: a second document" } },
	{ "state: &x /a\n" RIGHT, { "f:1:8: state: anchors and aliases" } },
	{ "defaults: &d {keep: true}\n" RIGHT,
	  { "f:1:11: defaults: anchors and aliases" } },
	{ RIGHT "    keep: *x\n", { "f:7:11" WORK ".keep: anchors and" } },
	{ RIGHT "    <<: *x\n", { "f:7:9" WORK ".<<: anchors and" } },
	{ RIGHT "    keep: !!bool true\n", { "f:7:11" WORK ".keep: tags" } },
	{ RIGHT "    keep: ! true\n", { "f:7:11" WORK ".keep: tags" } },
	{ "accounts: !x {}\n", { "f:1:11: accounts: tags are not" } },
	{ RIGHT "    keep: !!str {}\n", { "f:7:11" WORK ".keep: tags" } },
	{ RIGHT "    ? [a]\n    : b\n",
	  { "f:7:7" WORK ": a key must be plain text" } },
	{ RIGHT "    *a : b\n", { "f:7:5" WORK ": a key must be plain text" } },
	{ RIGHT "    \"a\\0b\": b\n",
	  { "f:7:5" WORK ": a key must be plain text" } },
	{ RIGHT "    host: g\n",
	  { "f:7:5" WORK ".host: given twice; the first is on line 3" } },
	{ RIGHT "    host: g\n    host: g\n",
	  { "f:7:5" WORK ".host: given twice", "f:8:5" WORK ".host: given" } },
	{ RIGHT "  work: {}\n", { "f:7:3" WORK ": given twice" } },
	{ RIGHT "accounts: {}\n", { "f:7:1: accounts: given twice" } },
	{ A H "    user: \"a\\0b\"\n" P D,
	  { "f:4:11" WORK ".user: a NUL character" } },
	{ A HU "    password: \"a\\0b\"\n" D,
	  { "f:5:15" WORK ".password: a NUL character" } },
};

static const struct wrong top[] = {
	{ "sate: /x\n" RIGHT,
	  { "f:1:1: sate: unknown key; did you mean \"state\"?" } },
	{ "frobnicate: 1\n" RIGHT,
	  { "f:1:1: frobnicate: unknown key; known here: state, parallel" } },
	{ "interval: 5m\n" RIGHT, { "f:1:1: interval: unknown key" } },
	{ "state:\n" RIGHT, { "f:1:7: state: the value is missing" } },
	{ "state: \"\"\n" RIGHT, { "f:1:8: state: must be a path" } },
	{ "state: x/y\n" RIGHT, { "f:1:8: state: must be a path" } },
	{ "state: [/x]\n" RIGHT, { "f:1:8: state: a path is wanted" } },
	{ "state: ~jane/x\n" RIGHT, { "f:1:8: state: begins with ~, but" } },
	{ "state: $TEST_NOT_SET/x\n" RIGHT,
	  { "f:1:8: state: uses the environment variable TEST_NOT_SET," } },
	{ "state: /${TEST_NOT_SET}\n" RIGHT, { "f:1:8: state: uses the" } },
	{ "state: /${HOME\n" RIGHT, { "f:1:8: state: has ${ without" } },
	{ "parallel: 0\n" RIGHT,
	  { "f:1:11: parallel: must be a whole number from 1 to 1000" } },
	{ "parallel: 1001\n" RIGHT, { "f:1:11: parallel: must be a" } },
	{ "parallel: 010\n" RIGHT, { "f:1:11: parallel: must be a" } },
	{ "parallel: 0x1\n" RIGHT, { "f:1:11: parallel: must be a" } },
	{ "parallel: 1_0\n" RIGHT, { "f:1:11: parallel: must be a" } },
	{ "parallel: 1e1\n" RIGHT, { "f:1:11: parallel: must be a" } },
	{ "parallel: +1\n" RIGHT, { "f:1:11: parallel: must be a" } },
	{ "parallel: -1\n" RIGHT, { "f:1:11: parallel: must be a" } },
	{ "parallel: 1:0\n" RIGHT, { "f:1:11: parallel: must be a" } },
	{ "parallel: \"5\"\n" RIGHT, { "f:1:11: parallel: must be a" } },
	{ "parallel: none\n" RIGHT, { "f:1:11: parallel: must be a" } },
	{ "parallel: 99999999999999999999\n" RIGHT,
	  { "f:1:11: parallel: must be a" } },
	{ "per_host: {a: b}\n" RIGHT,
	  { "f:1:11: per_host: a number is wanted here" } },
	{ "log: debug\n" RIGHT, { "f:1:6: log: a map of keys is wanted" } },
	{ "log: {level: inf}\n" RIGHT,
	  { "f:1:14: log.level: must be error, warn, info or debug; did you "
	    "mean \"info\"?" } },
	{ "log: {levl: info}\n" RIGHT,
	  { "f:1:7: log.levl: unknown key; did you mean \"level\"?" } },
	{ "log: {format: xml}\n" RIGHT,
	  { "f:1:15: log.format: must be text or json" } },
	{ "log:\n  to: stdeer\n" RIGHT,
	  { "f:2:7: log.to: must be stderr, syslog or the path" } },
	{ "log: {to: ./x}\n" RIGHT, { "f:1:11: log.to: must be a path" } },
	{ "include: x\n" RIGHT, { "f:1:1: include: nothing can be included" } },
	{ "accounts: [a]\n", { "f:1:11: accounts: accounts by name" } },
	{ "accounts: a\n", { "f:1:11: accounts: accounts by name" } },
	{ "defaults: []\n" RIGHT, { "f:1:11: defaults: keys are wanted" } },
	{ "defaults:\n  prot: 5\n  keep: 3x\n" RIGHT,
	  { "f:2:3: defaults.prot: unknown key; did you mean \"port\"?",
	    "f:3:9: defaults.keep: must be true, false or" } },
	{ "defaults: {tls: none}\n" RIGHT "  b:\n" H U P D,
	  { "f:1:17: defaults.tls: without TLS everybody" } },
	{ "defaults: {port: 110}\n" RIGHT,
	  { "f:1:18: defaults.port: port 110 begins without TLS" } },
	{ "defaults: {port: 995}\n" RIGHT "    tls: starttls\n",
	  { "f:8:10" WORK ".tls: port 995 speaks TLS" } },
};

static const struct wrong account[] = {
	{ "accounts:\n  work:\n",
	  { "f:2:3" WORK ": deliver is missing: where messages go",
	    "f:2:3" WORK ": host is missing: the name", "f:2:3" WORK ": passw",
	    "f:2:3" WORK ": user is missing" } },
	{ "accounts:\n  work: x\n", { "f:2:9" WORK ": keys are wanted" } },
	{ A H U P, { "f:2:3" WORK ": deliver is missing" } },
	{ A U P D, { "f:2:3" WORK ": host is missing" } },
	{ "accounts:\n  a/b: {}\n", { "f:2:3: accounts.a/b: a name may" } },
	{ "accounts:\n  .a: {}\n", { "f:2:3: accounts..a: a name may" } },
	{ "accounts:\n  \"\": {}\n", { "f:2:3: accounts.: a name may" } },
	{ "accounts:\n  \"a\\nb\": {}\n", { "f:2:3: accounts.a\\x0ab: a" } },
	{ "accounts:\n  a2345678901234567890123456789012345678901234567890"
	  "123456789012345: {}\n",
	  { "f:2:3: accounts.a2345678901234567890123456789012345678901234567"
	    "890123456789012345: the name is longer than 64" } },
	{ RIGHT "    parallel: 5\n", { "f:7:5" WORK ".parallel: unknown" } },
	{ RIGHT "    prot: 5\n",
	  { "f:7:5" WORK ".prot: unknown key; did you mean \"port\"?" } },
	{ RIGHT "    port: 0\n", { "f:7:11" WORK ".port: must be a whole" } },
	{ RIGHT "    port: 65536\n", { "f:7:11" WORK ".port: must be a" } },
	{ RIGHT "    port: pop3\n", { "f:7:11" WORK ".port: must be a" } },
	{ RIGHT "    port:\n", { "f:7:10" WORK ".port: the value is" } },
	{ RIGHT "    tls: tls\n",
	  { "f:7:10" WORK ".tls: must be implicit, starttls or none" } },
	{ RIGHT "    tls: stattls\n",
	  { "f:7:10" WORK ".tls: must be implicit, starttls or none; did you "
	    "mean \"starttls\"?" } },
	{ RIGHT "    tls: none\n",
	  { "f:7:10" WORK ".tls: without TLS everybody on the way can read the "
	    "mail and perhaps the password; if that is meant, add "
	    "accept_plaintext: true" } },
	{ RIGHT "    tls: none\n    accept_plaintext: no\n",
	  { "f:8:23" WORK ".accept_plaintext: must be true or false" } },
	{ RIGHT "    port: 995\n    tls: none\n    accept_plaintext: true\n",
	  { "f:7:11" WORK ".port: port 995 speaks TLS from the first byte" } },
	{ RIGHT "    port: 995\n    tls: starttls\n",
	  { "f:7:11" WORK ".port: port 995 speaks TLS" } },
	{ RIGHT "    port: 110\n", { "f:7:11" WORK ".port: port 110 begins" } },
	{ A "    host: h:995\n" U P D,
	  { "f:3:11" WORK ".host: must be a host name alone; the port" } },
	{ A "    host: pop3://h\n" U P D,
	  { "f:3:11" WORK ".host: must be a host name, not a URL" } },
	{ A "    host: \"[::1]\"\n" U P D,
	  { "f:3:11" WORK ".host: must be an IPv6 address without" } },
	{ A "    host: p\xc3\xb6p\n" U P D,
	  { "f:3:11" WORK ".host: must be a host name of letters" } },
	{ A "    host: \"a b\"\n" U P D, { "f:3:11" WORK ".host: must be" } },
	{ A "    host: \"a\\n\"\n" U P D, { "f:3:11" WORK ".host: must be one" } },
	{ A "    host: -h\n" U P D, { "f:3:11" WORK ".host: must be" } },
	{ A H "    user: \"\"\n" P D, { "f:4:11" WORK ".user: must not be" } },
	{ A H "    user: \"a\\rb\"\n" P D, { "f:4:11" WORK ".user: must be one" } },
	{ A H "    user: \"a\\nb\"\n" P D, { "f:4:11" WORK ".user: must be one" } },
	{ A H "    user: |\n      a\n" P D, { "f:4:11" WORK ".user: must be one" } },
	{ A H "    user: [a]\n" P D, { "f:4:11" WORK ".user: text is wanted" } },
	{ A HU "    password:\n" D, { "f:5:14" WORK ".password: the value is" } },
	{ A HU "    password: \"\"\n" D, { "f:5:15" WORK ".password: must not" } },
	{ A HU "    password: [a]\n" D, { "f:5:15" WORK ".password: text, or" } },
	{ A HU "    password: {}\n" D,
	  { "f:5:15" WORK ".password: one of file, env, command, credential, "
	    "netrc or prompt is wanted" } },
	{ A HU "    password: {file: /a, env: A}\n" D,
	  { "f:5:26" WORK ".password.env: only one of file, env, command" } },
	{ A HU "    password: {credential: a/b}\n" D,
	  { "f:5:28" WORK ".password.credential: must be the name" } },
	{ A HU "    password: {credential: .a}\n" D,
	  { "f:5:28" WORK ".password.credential: must be the name" } },
	{ A HU "    password: {netrc: \"true\"}\n" D,
	  { "f:5:23" WORK ".password.netrc: must be a path" } },
	{ A HU "    password: {prompt: false}\n" D,
	  { "f:5:24" WORK ".password.prompt: must be true" } },
	{ A HU "    password: x\n    token: y\n" D,
	  { "f:6:5" WORK ".token: an account logs in with a password or" } },
	{ "defaults: {password: x, token: y}\n" RIGHT,
	  { "f:1:25: defaults.token: an account logs in with" } },
	{ A HU "    token: {env: $A}\n" D,
	  { "f:5:18" WORK ".token.env: must be the name" } },
	{ A HU "    token: [a]\n" D, { "f:5:12" WORK ".token: text, or a map" } },
	{ A HU D, { "f:2:3" WORK ": password is missing: the password, or" } },
	{ A HU D "    auth: [plain, gssapi, plain]\n",
	  { "f:6:27" WORK ".auth: given twice in this list" } },
	{ A HU D "    auth: [xoauth2]\n",
	  { "f:2:3" WORK ": password is missing" } },
	{ RIGHT "    auth: xoauth2\n",
	  { "f:7:11" WORK ".auth: xoauth2 needs token, which the account" } },
	{ RIGHT "    auth: external\n",
	  { "f:7:11" WORK ".auth: external needs client_cert, which" } },
	{ A HU D "    auth: [external]\n",
	  { "f:6:11" WORK ".auth: external needs client_cert, which" } },
	{ A HU "    client_cert: /dev/null\n" D "    auth: [plain]\n",
	  { "f:2:3" WORK ": password is missing" } },
	{ A HU "    token: x\n" D "    auth: [plain, login]\n",
	  { "f:7:11" WORK ".auth: plain needs password, which the account" } },
	{ A HU "    password: {file: a}\n" D,
	  { "f:5:22" WORK ".password.file: must be a path" } },
	{ A HU "    password: {env: $A}\n" D,
	  { "f:5:21" WORK ".password.env: must be the name" } },
	{ A HU "    password: {env: 1A}\n" D,
	  { "f:5:21" WORK ".password.env: must be the name" } },
	{ A HU "    password: {command: pass}\n" D,
	  { "f:5:25" WORK ".password.command: a list of a program" } },
	{ A HU "    password: {command: []}\n" D,
	  { "f:5:25" WORK ".password.command: must begin with" } },
	{ A HU "    password: {command: [~/x]}\n" D,
	  { "f:5:26" WORK ".password.command: must be the name of a" } },
	{ A HU "    password: {command: [a, {b: c}, ]}\n" D,
	  { "f:5:29" WORK ".password.command: text is wanted here" } },
	{ A HU "    password: {comand: [a]}\n" D,
	  { "f:5:16" WORK ".password: unknown key (not shown" } },
	{ RIGHT "    auth: sasl\n",
	  { "f:7:11" WORK ".auth: must be scram-sha-256-plus, scram-sha-256, "
	    "scram-sha-1-plus, scram-sha-1, cram-md5, gssapi, external, "
	    "oauthbearer, xoauth2, plain, login, user or apop" } },
	{ RIGHT "    auth: [plain, apob]\n", { "f:7:19" WORK ".auth: must be" } },
	{ RIGHT "    auth: [plain, user, plain]\n",
	  { "f:7:25" WORK ".auth: given twice in this list" } },
	{ RIGHT "    auth: []\n", { "f:7:11" WORK ".auth: must not be" } },
	{ RIGHT "    auth: [auto]\n", { "f:7:12" WORK ".auth: must be" } },
	{ RIGHT "    keep: yes\n", { "f:7:11" WORK ".keep: must be true, f" } },
	{ RIGHT "    keep: \"true\"\n", { "f:7:11" WORK ".keep: must be" } },
	{ RIGHT "    keep: 14\n", { "f:7:11" WORK ".keep: needs a unit" } },
	{ RIGHT "    keep: 0d\n", { "f:7:11" WORK ".keep: must be longer" } },
	{ RIGHT "    keep: 010d\n", { "f:7:11" WORK ".keep: must be true" } },
	{ RIGHT "    keep: 1w\n", { "f:7:11" WORK ".keep: must be true" } },
	{ RIGHT "    notice: soon\n", { "f:7:13" WORK ".notice: must be a dur" } },
	{ RIGHT "    notice: 30s\n", { "f:7:13" WORK ".notice: must be a dur" } },
	{ RIGHT "    notice: 366d\n", { "f:7:13" WORK ".notice: must be a" } },
	{ RIGHT "    notice: \"true\"\n", { "f:7:13" WORK ".notice: must be" } },
	{ RIGHT "    notice: [1d]\n", { "f:7:13" WORK ".notice: true, false" } },
	{ RIGHT "    notice:\n", { "f:7:12" WORK ".notice: the value is missing" } },
	{ RIGHT "    notice: {after: true}\n",
	  { "f:7:21" WORK ".notice.after: must be a duration" } },
	{ RIGHT "    notice: {mail: 1d}\n",
	  { "f:7:20" WORK ".notice.mail: must be true or false" } },
	{ RIGHT "    notice: {afte: 1d}\n",
	  { "f:7:14" WORK ".notice.afte: unknown key; did you" } },
	{ RIGHT "    enabled: on\n", { "f:7:14" WORK ".enabled: must be true" } },
	{ RIGHT "    enabled: True\n", { "f:7:14" WORK ".enabled: must be" } },
	{ RIGHT "    enabled: \"true\"\n", { "f:7:14" WORK ".enabled: must" } },
};

static const struct wrong parts[] = {
	{ A H U P "    deliver: /m\n", { "f:6:14" WORK ".deliver: a map" } },
	{ A H U P "    deliver: {}\n",
	  { "f:6:14" WORK ".deliver: one of maildir, mbox or pipe is wanted" } },
	{ A H U P "    deliver: {compress: gzip}\n",
	  { "f:6:14" WORK ".deliver: one of maildir, mbox or pipe" } },
	{ A H U P "    deliver: {maildir: /a, mbox: /b}\n",
	  { "f:6:28" WORK ".deliver.mbox: only one of maildir, mbox or" } },
	{ A H U P "    deliver: {lmtp: /a}\n",
	  { "f:6:15" WORK ".deliver.lmtp: unknown key; known here: maildir, "
	    "mbox, pipe, compress" } },
	{ A H U P "    deliver: {maildir: Mail}\n",
	  { "f:6:24" WORK ".deliver.maildir: must be a path" } },
	{ A H U P "    deliver: {pipe: procmail -d}\n",
	  { "f:6:21" WORK ".deliver.pipe: a list of a program and its" } },
	{ A H U P "    deliver: {pipe: [a, \"%{from}\"]}\n",
	  { "f:6:25" WORK ".deliver.pipe: an unknown placeholder: %{sender} "
	    "and %{account} are known here; %%{ stands for %{ itself" } },
	{ A H U P "    deliver: {pipe: [a, \"-f%{\", b, \"%%%{x}\"]}\n",
	  { "f:6:25" WORK ".deliver.pipe: a placeholder has no }",
	    "f:6:36" WORK ".deliver.pipe: an unknown placeholder" } },
	{ A H U P "    deliver:\n      pipe:\n      - a\n"
	  "      - \"%{Sender}\"\n",
	  { "f:9:9" WORK ".deliver.pipe: an unknown placeholder" } },
	{ A H U P "    deliver: {pipe: [\"%{account}\"]}\n",
	  { "f:6:22" WORK ".deliver.pipe: the program itself cannot" } },
	{ A H U P "    deliver: {pipe: [\"/x/%{sender}\", a]}\n",
	  { "f:6:22" WORK ".deliver.pipe: the program itself cannot" } },
	{ A H U P "    deliver: {pipe: [a], compress: gzip}\n",
	  { "f:6:26" WORK ".deliver.compress: only maildir and mbox" } },
	{ A H U P "    deliver: {maildir: /a, compress: zstd}\n",
	  { "f:6:38" WORK ".deliver.compress: must be gzip" } },
	{ RIGHT "    limits: {message: 50X}\n",
	  { "f:7:23" WORK ".limits.message: must be a size such as" } },
	{ RIGHT "    limits: {message: 050M}\n",
	  { "f:7:23" WORK ".limits.message: must be a size" } },
	{ RIGHT "    limits: {bytes: 9999999G}\n",
	  { "f:7:21" WORK ".limits.bytes: must be a size of at most" } },
	{ RIGHT "    limits: {mesages: 5}\n",
	  { "f:7:14" WORK ".limits.mesages: unknown key; did you mean "
	    "\"messages\"?" } },
	{ RIGHT "    limits: {messages: 5K}\n",
	  { "f:7:24" WORK ".limits.messages: must be a whole number" } },
	{ RIGHT "    limits: 5M\n", { "f:7:13" WORK ".limits: a map of keys" } },
	{ RIGHT "    timeouts: {login: 0}\n",
	  { "f:7:23" WORK ".timeouts.login: must be a duration from 1s to 7d" } },
	{ RIGHT "    timeouts: {login: 8d}\n",
	  { "f:7:23" WORK ".timeouts.login: must be a duration from" } },
	{ RIGHT "    timeouts: {login: 5min}\n",
	  { "f:7:23" WORK ".timeouts.login: must be a duration such" } },
	{ RIGHT "    timeouts: {loginn: 5m}\n",
	  { "f:7:16" WORK ".timeouts.loginn: unknown key; did you mean" } },
	{ RIGHT "    pin: abc\n", { "f:7:10" WORK ".pin: must be sha256:" } },
	{ RIGHT "    pin: []\n", { "f:7:10" WORK ".pin: must not be empty" } },
	/* One letter too few, and bits beyond the 256th. */
	{ RIGHT "    pin:\n"
	  "      - sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	  "      - sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n",
	  { "f:8:9" WORK ".pin: must be", "f:9:9" WORK ".pin: must be" } },
	{ RIGHT "    tls_name: a:1\n", { "f:7:15" WORK ".tls_name: must be" } },
	{ RIGHT "    trust: none\n",
	  { "f:7:12" WORK ".trust: must be auto, chain, pin or both" } },
	{ RIGHT "    trust: both\n",
	  { "f:7:12" WORK ".trust: trust: both needs a pin" } },
	{ RIGHT "    trust: pin\n",
	  { "f:7:12" WORK ".trust: trust: pin needs a pin" } },
	{ RIGHT "    trust: chain\n"
	  "    pin: sha256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
	  { "f:7:12" WORK ".trust: trust: chain looks at no pin" } },
	{ RIGHT "    client_key: /k\n",
	  { "f:7:5" WORK ".client_key: client_key needs client_cert" } },
	{ RIGHT "    client_cert: c.pem\n",
	  { "f:7:18" WORK ".client_cert: must be a path" } },
	{ RIGHT "    client_cert: /c\n    tls: none\n"
	  "    accept_plaintext: true\n",
	  { "f:7:5" WORK ".client_cert: a client_cert is shown in TLS" } },
	{ RIGHT "    tunnel: ssh\n",
	  { "f:7:13" WORK ".tunnel: a list of a program" } },
	{ RIGHT "    tunnel: [ssh, \"%h:%d\"]\n",
	  { "f:7:19" WORK ".tunnel: % stands before h" } },
	{ RIGHT "    tunnel: [ssh, 100%]\n",
	  { "f:7:19" WORK ".tunnel: % stands before h" } },
	{ RIGHT "    proxy: http://h:80\n",
	  { "f:7:12" WORK ".proxy: must begin with socks5://" } },
	{ RIGHT "    proxy: socks5://h:0\n",
	  { "f:7:12" WORK ".proxy: must be socks5://HOST" } },
	{ RIGHT "    proxy: socks5://h:65536\n",
	  { "f:7:12" WORK ".proxy: must be socks5://HOST" } },
	{ RIGHT "    proxy: socks5://h/\n",
	  { "f:7:12" WORK ".proxy: must be socks5://HOST" } },
	{ RIGHT "    proxy: socks5://\n",
	  { "f:7:12" WORK ".proxy: must be socks5://HOST" } },
	{ RIGHT "    proxy: socks5://::1\n",
	  { "f:7:12" WORK ".proxy: must be socks5://HOST" } },
	{ RIGHT "    proxy: socks5://[::1\n",
	  { "f:7:12" WORK ".proxy: must be socks5://HOST" } },
	{ RIGHT "    proxy: socks5://[1.2.3.4]\n",
	  { "f:7:12" WORK ".proxy: must be socks5://HOST" } },
	{ RIGHT "    proxy: socks5://@h\n",
	  { "f:7:12" WORK ".proxy: before the @ stands USER" } },
	{ RIGHT "    proxy: socks5://u:@h\n",
	  { "f:7:12" WORK ".proxy: before the @ stands USER" } },
	{ RIGHT "    proxy: socks5://u%4:p@h\n",
	  { "f:7:12" WORK ".proxy: before the @ stands USER" } },
	{ RIGHT "    proxy: socks5://u%00:p@h\n",
	  { "f:7:12" WORK ".proxy: before the @ stands USER" } },
	{ RIGHT "    source_address: localhost\n",
	  { "f:7:21" WORK ".source_address: must be an IPv4 or IPv6" } },
	{ RIGHT "    socket: sock\n", { "f:7:13" WORK ".socket: must be a" } },
	{ RIGHT "    socket: /345678901234567890123456789012345678901234567890"
	  "123456789012345678901234567890123456789012345678901234567890123\n",
	  { "f:7:13" WORK ".socket: the path of a socket has at most" } },
	{ RIGHT "    socket: /s\n    source_address: 127.0.0.1\n",
	  { "f:8:5" WORK ".source_address: source_address and socket" } },
	{ "defaults: {tunnel: [ssh]}\n" RIGHT "    proxy: socks5://h\n",
	  { "f:8:5" WORK ".proxy: tunnel and proxy exclude" } },
	{ RIGHT "    socket: /s\n    tunnel: [ssh]\n",
	  { "f:8:5" WORK ".tunnel: tunnel and socket exclude" } },
	{ RIGHT "    ca_file: x.pem\n", { "f:7:14" WORK ".ca_file: must be" } },
	{ RIGHT "    priority: \"\"\n", { "f:7:15" WORK ".priority: must not" } },
	/* Five at once; and what hangs together with them stays silent. */
	{ "accounts:\n  work:\n    host: h\n    port: 70000\n"
	  "    tls: sometimes\n    usr: u\n    user: a\n    user: b\n"
	  "    password: {env: P}\n    keep: 14x\n    deliver: {maildir: /m}\n",
	  { "f:4:11" WORK ".port: must be", "f:5:10" WORK ".tls: must be",
	    "f:6:5" WORK ".usr: unknown key; did you mean \"user\"?",
	    "f:8:5" WORK ".user: given twice; the first is on line 7",
	    "f:10:11" WORK ".keep: must be" } },
};

struct told {
	size_t count;
	char lines[LIMIT_CONFIG_ERRORS][400];
};

static void tell(void *arg, const char *line)
{
	struct told *told = arg;

	if (told->count < LIMIT_CONFIG_ERRORS)
		snprintf(told->lines[told->count], sizeof(told->lines[0]),
			"%s", line);
	told->count++;
}

/* Whether it is accepted. */
static bool parse(const char *text, size_t len, struct told *told,
	struct err *err)
{
	struct arena *arena = arena_new();
	const struct config *config;
	bool ok;

	told->count = 0;
	ok = config_parse("f", text, len, arena, tell, told, &config, err);
	arena_free(arena);
	return ok;
}

static void check_wrong(const struct wrong *w)
{
	static struct told told;
	struct err err = ERR_INIT;
	bool ok = !parse(w->text, strlen(w->text), &told, &err)
		&& err.class == ERR_CONFIG;
	size_t i, n;

	for (n = 0; n < 8 && w->lines[n] != NULL; n++)
		ok = ok && n < told.count && strncmp(told.lines[n],
			w->lines[n], strlen(w->lines[n])) == 0;
	if (tap_ok(ok && n == told.count, "%s", w->lines[0]))
		return;
	for (i = 0; i < told.count && i < LIMIT_CONFIG_ERRORS; i++)
		tap_note("told: %s", told.lines[i]);
}

/* The word hunter2 is a password, in places where it might slip out. */
static void check_silence(void)
{
	static const char *const values[] = {
		"{hunter2}", "{hunter2: x}", "{hunter2, hunter2}", "[hunter2]",
		"&hunter2 x", "*hunter2", "!hunter2 x", "\"hunter2\\n\"",
		"\"hunter2\\0\"", "hunter2: x", "\"hunter2", "|hunter2",
		"{command: hunter2}", "{command: {hunter2: 1, hunter2: 2}}",
		"{file: hunter2}", "{file: {hunter2, hunter2}}",
		"{env: hunter2!}", "{file: /x, hunter2: y}", "{? [hunter2]}",
		"{file: {a: {hunter2, hunter2}}}", "%hunter2", "@hunter2",
		"{file: /x, hunter2", "\n      hunter2: x", "- hunter2",
	};
	static const char *const keys[] = {
		"accounts:\n  work:\n    password: ",
		"accounts:\n  work:\n    token: ", "defaults:\n    token: ",
		"defaults:\n    password: ",
		"accounts:\n  password:\n    password: ",
		"account: {work: {a: 1}}\nwork:\n    password: ",
	};
	static struct told told;
	char text[200];
	struct err err = ERR_INIT;
	size_t i, k, n;
	bool ok;

	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		ok = true;
		for (k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
			snprintf(text, sizeof(text), "%s%s\n", keys[k],
				values[i]);
			ok = !parse(text, strlen(text), &told, &err) && ok;
			ok = strstr(err.text, "hunter2") == NULL && ok;
			for (n = 0; n < told.count; n++)
				ok = !strstr(told.lines[n], "hunter2") && ok;
		}
		tap_ok(ok, "no word of %s", values[i][0] == '\n' ? "a map"
			: values[i]);
	}
}

/* head, then `unit` until there are `total` bytes less the tail, then tail. */
static char *fill(const char *head, const char *unit, const char *tail,
	size_t total)
{
	char *text = mem_grow(NULL, total + 1, 1);
	size_t n = strlen(head), step = strlen(unit);

	memcpy(text, head, n);
	while (n + step + strlen(tail) <= total) {
		memcpy(text + n, unit, step);
		n += step;
	}
	while (n + strlen(tail) < total)
		text[n++] = ' ';
	memcpy(text + n, tail, strlen(tail) + 1);
	return text;
}

static void check_bounds(void)
{
	static const struct {
		const char *head, *unit, *tail;
		size_t total;
		const char *told;	/* NULL: accepted */
	} cases[] = {
		{ RIGHT "#", "x", "\n", LIMIT_CONFIG_BYTES, NULL },
		{ RIGHT "#", "x", "\n", LIMIT_CONFIG_BYTES + 1,
		  "f:1:1: the file is larger than 1 MiB" },
		{ "state: ", "[", "", 7 + 15, "f:2:1: a value is missing" },
		{ "state: ", "[", "", 7 + 16,
		  "f:1:23: state: lists and maps are nested too deeply" },
		{ "", "[", "", LIMIT_CONFIG_BYTES, "f:1:17: lists and maps" },
		{ "", "- ", "", LIMIT_CONFIG_BYTES, "f:1:33: lists and maps" },
		{ "", "{a: ", "", LIMIT_CONFIG_BYTES, "f:1:65: a.a.a" },
		{ "a: {", "b,", "}", LIMIT_CONFIG_BYTES, "f:1:1000000: too many values" },
		{ "a: [", "b,", "]", LIMIT_CONFIG_BYTES,
		  "f:1:1: a: unknown key" },
		{ "a: \"", "x", "", LIMIT_CONFIG_BYTES, "f:1:1048577: the file" },
		{ "", "\t", "", LIMIT_CONFIG_BYTES, "f:1:1: lines are" },
		{ "a: |\n", " x\n", "", LIMIT_CONFIG_BYTES, "f:1:1: a: unknown" },
	};
	static struct told told;
	struct err err = ERR_INIT;
	size_t i;
	char *text;
	bool ok;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		text = fill(cases[i].head, cases[i].unit, cases[i].tail,
			cases[i].total);
		ok = parse(text, cases[i].total, &told, &err);
		free(text);
		if (cases[i].told == NULL)
			tap_ok(ok, "1 MiB is accepted");
		else if (!tap_ok(!ok && strncmp(told.lines[0], cases[i].told,
			strlen(cases[i].told)) == 0, "%s", cases[i].told))
			tap_note("told: %s", told.lines[0]);
	}
}

/* Nine levels of nine: a billion nodes, if aliases were followed. */
static void check_bomb(void)
{
	static struct told told;
	char text[2000], *p = text;
	struct err err = ERR_INIT;
	int level, i;

	p += sprintf(p, "a0: &a0 [x]\n");
	for (level = 1; level <= 9; level++) {
		p += sprintf(p, "a%d: &a%d [", level, level);
		for (i = 0; i < 9; i++)
			p += sprintf(p, "*a%d,", level - 1);
		p += sprintf(p, "]\n");
	}
	tap_ok(!parse(text, (size_t)(p - text), &told, &err)
		&& told.count == 10 + 81 && strncmp(told.lines[0],
		"f:1:5: a0: anchors and aliases", 30) == 0, "an alias bomb");
}

/* More mistakes than are told are still counted. */
static void check_flood(void)
{
	static struct told told;
	struct err err = ERR_INIT;
	char text[8 * 1024], *p = text;
	int i;

	for (i = 0; i < 500; i++)
		p += sprintf(p, "key%d: x\n", i);
	tap_ok(!parse(text, (size_t)(p - text), &told, &err)
		&& told.count == LIMIT_CONFIG_ERRORS
		&& strcmp(err.text, "f: 500 mistakes") == 0, "500 mistakes");
}

#define RUN(table) do { \
	size_t each; \
	for (each = 0; each < sizeof(table) / sizeof((table)[0]); each++) \
		check_wrong(&(table)[each]); \
} while (0)

int main(void)
{
	unsetenv("TEST_NOT_SET");
	setenv("HOME", "/home/jane", 1);
	RUN(syntax);
	RUN(top);
	RUN(account);
	RUN(parts);
	check_silence();
	check_bounds();
	check_bomb();
	check_flood();
	return tap_done();
}
