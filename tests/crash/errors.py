#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every error at every kind of call: the error sweep as a test of its own."""

import sys

import sweep

if __name__ == "__main__":
    sys.exit(sweep.main(["errors", *sys.argv[1:]]))
