# SPDX-License-Identifier: GPL-3.0-or-later
"""What the end-to-end tests share.

Every test drives the real `postrider` program; nothing here imports or links
any part of it.  The helpers are standard-library Python 3.9 or newer.
"""
