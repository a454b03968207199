# SPDX-License-Identifier: GPL-3.0-or-later
"""Test Anything Protocol output, and the life of one test program.

A test file declares its cases with @tap.case and ends in tap.main(fixture).
The fixture is a context manager; what it yields is handed to every case.
Whatever happens, tap.main leaves no process and no temporary file behind.
"""

import os
import shutil
import signal
import sys
import time
import traceback

from . import procs

CASES = []


class Skip(Exception):
    """Raised by a case (or the fixture) that cannot run here, with the reason."""


def case(title, known=None):
    """Register the function below as one test case called TITLE.

    KNOWN says why it fails and is let fail: a limit that README admits.
    """
    def register(function):
        function.known = known
        CASES.append((title, function))
        return function
    return register


def diag(text):
    """Print TEXT as diagnostics, which a TAP reader shows but does not judge."""
    for line in str(text).splitlines() or [""]:
        print("# " + line, flush=True)


def need(*programs):
    """Skip unless every one of PROGRAMS is installed."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin:/sbin"
    for name in programs:
        if not shutil.which(name, path=path):
            raise Skip(name + " is not installed")


def check(condition, text, *details):
    """Fail the running case with TEXT unless CONDITION; DETAILS explain it."""
    if not condition:
        raise AssertionError("\n".join([text] + [str(d) for d in details]))


def equal(got, wanted, what):
    """Fail the running case unless GOT equals WANTED."""
    check(got == wanted, "%s: got %r, wanted %r" % (what, got, wanted))


def each(items, function):
    """Call FUNCTION with each of ITEMS, and fail with all that failed."""
    items, failures = list(items), []
    for item in items:
        try:
            function(item)
        except AssertionError as error:
            failures.append("---- %s\n%s" % (item, error))
    check(not failures, "%d of %d failed" % (len(failures), len(items)), *failures)


def _run_case(number, title, function, env):
    start = time.monotonic()
    try:
        function(env)
        word, reason = "ok", ""
    except Skip as skip:
        word, reason = "ok", " # SKIP %s" % skip
    except AssertionError as error:
        word, reason = "not ok", ""
        diag(_place(error))
        diag(error)
    except Exception:
        word, reason = "not ok", ""
        diag(traceback.format_exc())
    if word == "not ok" and function.known:
        reason = " # TODO %s" % function.known
    print("%s %d - %s%s" % (word, number, title, reason), flush=True)
    diag("%.1f s" % (time.monotonic() - start))
    return word == "ok" or bool(function.known)


def _place(error):
    """Say where in a test file, not where in the harness, ERROR was raised."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if os.path.basename(frame.filename).startswith("test_"):
            return "%s:%d: in %s" % (frame.filename, frame.lineno, frame.name)
    return "in the harness"


def _chosen():
    """All cases, or those whose title holds a word given as an argument."""
    words = sys.argv[1:]
    return [c for c in CASES if not words or any(w in c[0] for w in words)]


def _run_all(fixture):
    cases = _chosen()
    with fixture() as env:
        print("1..%d" % len(cases), flush=True)
        results = [_run_case(number, title, function, env)
                   for number, (title, function) in enumerate(cases, 1)]
    return all(results)


def _stop(number, _frame):
    """Clean up in spite of a deadly signal, without waiting for any thread."""
    print("Bail out! stopped by signal %d" % number, flush=True)
    procs.clean_up()
    os._exit(1)


def main(fixture, limit=3600):
    """Run the cases under FIXTURE and exit; LIMIT seconds end a hang."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, _stop)
    signal.alarm(limit)
    procs.adopt_orphans()
    passed = False
    try:
        passed = _run_all(fixture)
    except Skip as skip:
        print("1..0 # SKIP %s" % skip, flush=True)
        passed = True
    except Exception:
        diag(traceback.format_exc())
        print("Bail out! the fixture failed", flush=True)
    finally:
        signal.alarm(0)
        procs.clean_up()
    sys.exit(0 if passed else 1)
