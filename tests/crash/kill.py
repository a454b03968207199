#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Killed at every call that lasts: the kill sweep as a test of its own."""

import sys

import sweep

if __name__ == "__main__":
    sys.exit(sweep.main(["kill", *sys.argv[1:]]))
