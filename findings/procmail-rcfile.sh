#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# procmail 3.22-27 (Debian 12): an rcfile that is named but is missing, or that
# everybody can change, is ignored. The message goes where no rcfile says
# (without ORGMAIL, into the system's mailbox), and the exit status is 0 even
# with -t.
. "${0%/*}/common.sh"

unpack procmail=3.22-27

# place FILE: the exit status, and where the message is.
place() {
	rm -f told elsewhere
	status=0
	printf 'Subject: x\n\nx\n' | run "$root/usr/bin/procmail" -f - -p -t \
		ORGMAIL="$home/elsewhere" DEFAULT="$home/elsewhere" "$1" \
		|| status=$?
	echo "$status," told* elsewhere*
}

echo "DEFAULT=$home/told" | write rc
seen "an rcfile of mode 600" "0, told elsewhere*" "$(place "$home/rc")"
chmod 666 rc
seen "the same file of mode 666" "0, told* elsewhere" "$(place "$home/rc")"
rm rc
seen "an rcfile that does not exist" "0, told* elsewhere" "$(place "$home/rc")"
finish
