# SPDX-License-Identifier: GPL-3.0-or-later
"""A real mutt at a terminal that nobody sees, driven by the keys it is given."""

import contextlib
import os
import pty
import select
import subprocess

from . import procs, tap

MUTTRC = """\
set mbox_type={kind} folder={folder} confirmcreate=no confirmappend=no
set quit=yes read_inc=0 write_inc=0 wait_key=no move=no delete=yes use_domain=no
set hostname=localhost tmpdir={home} charset=utf-8 beep=no mark_old=no timeout=1
set mail_check=1 sleep_time=0 save_empty=yes sort=mailbox-order
"""


def run(kind, path, keys, folder, uid=None, limit=300):
    """Open PATH in mutt and press KEYS; other folders lie in FOLDER.

    Give (exit status, the last of the screen).
    """
    tap.need("mutt")
    home = procs.scratch()
    with open(home + "/muttrc", "w") as file:
        file.write(MUTTRC.format(kind=kind, folder=folder, home=home))
        file.write("push '%s'\n" % keys.replace("'", "\\'"))
    if uid is not None:
        os.chown(home, uid, -1)
    terminal, other = pty.openpty()
    process = subprocess.Popen(
        ["mutt", "-n", "-F", home + "/muttrc", "-f", path], stdin=other, stdout=other,
        stderr=other, cwd=home, env={"PATH": os.environ["PATH"], "HOME": home, "TERM": "xterm",
                                     "LC_ALL": "C.UTF-8", "USER": "tester"},
        user=uid, extra_groups=None if uid is None else [], start_new_session=True)
    os.close(other)
    screen = _drain(terminal, limit)
    try:
        return process.wait(100), screen
    except subprocess.TimeoutExpired:
        procs.kill_group(process.pid)
        process.wait()
        raise AssertionError("mutt does not end; its screen:\n%r" % screen)
    finally:
        procs.unscratch(home)


def _drain(terminal, limit):
    """Everything a program wrote to its terminal, until it is gone.

    When new mail comes just as mutt writes, it says so and stays: the person
    there presses `q` again, and in the end closes the terminal.
    """
    screen = b""
    with contextlib.suppress(OSError):
        for _ in range(limit):
            while select.select([terminal], [], [], 1)[0]:
                data = os.read(terminal, 65536)
                if not data:
                    break
                screen = (screen + data)[-4000:]
            os.write(terminal, b"q")
    os.close(terminal)
    return screen
