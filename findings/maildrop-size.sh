#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# maildrop 2.9.3-2.1 (Debian 12): a message without a final newline gets one,
# but its name in a Maildir tells the size without it (,S=), which readers
# believe. Of an empty message it stores nothing, and exits with 0.
. "${0%/*}/common.sh"

unpack maildrop=2.9.3-2.1 courier-authlib=0.71.4-1+b2 \
	libcourier-unicode4=2.1.2-2+b2 libgdbm6=1.23-3 libpcre3=2:8.39-15
echo "to \"$home/Mail/\"" | write filter

# stored TEXT: the exit status, what the names say, and the true sizes.
stored() {
	rm -rf Mail
	run mkdir -p Mail/tmp Mail/new Mail/cur
	status=0
	printf '%b' "$1" | run "$root/usr/bin/maildrop" "$home/filter" \
		|| status=$?
	names=$(ls Mail/new)
	echo "$status, named ${names##*,}, $(cat Mail/new/* | wc -c) bytes"
}

seen "a message of 14 bytes that ends in a newline" "0, named S=14, 14 bytes" \
	"$(stored 'Subject: x\n\ny\n')"
seen "a message of 13 bytes that does not" "0, named S=13, 14 bytes" \
	"$(stored 'Subject: x\n\ny')"
seen "an empty message" "0, named , 0 bytes" "$(stored '' 2>/dev/null)"
finish
