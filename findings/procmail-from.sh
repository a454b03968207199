#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# procmail 3.22-27 (Debian 12): into an mbox, without -f, it writes no From_
# line, and exits with 0: two messages are one. With
# -f they are two. But with -f it drops empty lines that a message begins with,
# also where it delivers into a Maildir.
. "${0%/*}/common.sh"

unpack procmail=3.22-27
procmail=$root/usr/bin/procmail
printf 'ORGMAIL=%s\nDEFAULT=%s\n' "$home/box" "$home/box" | write rc
printf 'ORGMAIL=%s\nDEFAULT=%s\n' "$home/Mail/" "$home/Mail/" | write rc-maildir

# two ARGUMENT...: delivers two messages; the sum of the exit statuses, and what
# the mbox has.
two() {
	rm -f box
	sum=0
	for number in 1 2; do
		printf 'To: jane@example.org\nSubject: %s\n\nx\n' "$number" \
			| run "$procmail" "$@" -p -t "$home/rc" || sum=$((sum + $?))
	done
	echo "$sum, $(grep -c '^From ' box) From_ lines," \
		"$(grep -c '^Subject: ' box) subjects"
}

empty_lines() {
	rm -rf Mail
	printf '\n\nSubject: x\n\nx\n' \
		| run "$procmail" "$@" -p -t "$home/rc-maildir"
	head -n 1 Mail/new/*
}

seen "two deliveries without -f" "0, 0 From_ lines, 2 subjects" "$(two)"
seen "two deliveries with -f" "0, 2 From_ lines, 2 subjects" \
	"$(two -f jane@example.org)"
seen "the first line of a message that begins with empty ones, without -f" \
	"" "$(empty_lines)"
seen "the same with -f" "Subject: x" "$(empty_lines -f -)"
finish
