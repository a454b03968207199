# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that only the program under test knows: files of its own in /etc.

It runs in a mount namespace in which they lie over the system's.
"""

import os
import subprocess

from . import procs, tap

MOUNT = ('for name in hosts resolv.conf nsswitch.conf; do '
         'mount --bind "$0/$name" "/etc/$name" || exit 99; done; exec "$@"')


def private(one, hosts="", resolv=""):
    """Let ONE see nothing but HOSTS and the name servers of RESOLV."""
    tap.need("unshare")
    root = procs.scratch()
    files = {"hosts": hosts, "resolv.conf": resolv,
             "nsswitch.conf": "hosts: files dns\n"}
    for name, text in files.items():
        with open("%s/%s" % (root, name), "w") as file:
            file.write(text)
    prefix = ["unshare", "-m" if os.getuid() == 0 else "-rm", "sh", "-c", MOUNT, root]
    if subprocess.run(prefix + ["true"], stderr=subprocess.DEVNULL).returncode:
        raise tap.Skip("no mount namespace can be had here")
    one.prefix = prefix
