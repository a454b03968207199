# SPDX-License-Identifier: GPL-3.0-or-later
"""What the crash tests share.

Every place of a sweep drives the real `postrider` against the project's own
POP3 server, with one call of the run made to go wrong by the shim. Nothing
here imports or links any part of the program.

    tools     programs and scratch space          corpus    the messages
    shimctl   orders to the shim, and its log     world     one maildrop, one
    oracle    what may be found at the end                  user, one run
    scenario  what is fetched into what           places    what goes wrong
    alike     mail that resembles mail           neighbours  who else is about
    crew      two processes that share the work   report    TAP and the summary
"""
