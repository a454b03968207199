#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# dovecot-lda 2.3.19.1 (Debian 12): without -e it exits with 0 for mail over
# quota, and keeps nothing of it. Whom Return-Path names is sent a notice with
# the header only; if it names nobody, nobody is told. With -e it exits with 77.
. "${0%/*}/common.sh"

unpack dovecot-core=1:2.3.19.1+dfsg1-2.1+deb12u7 libunwind8=1.6.2-3
dovecot=$root/usr/lib/dovecot
cat <<END | write conf
protocols =
ssl = no
base_dir = $home/run
log_path = $home/log
mail_location = maildir:$home/Mail
mail_plugin_dir = $dovecot/modules
mail_plugins = quota
postmaster_address = postmaster@example.org
sendmail_path = $home/sendmail
plugin {
  quota = maildir:quota
  quota_rule = *:bytes=2000
  quota_grace = 0
}
END
printf '#!/bin/sh\ncat >>%s/notice\n' "$home" | write sendmail 700

# large FIELDS: a message over quota.
large() {
	printf '%bSubject: x\n\n' "$1"
	head -c 4000 /dev/zero | tr '\0' y
	echo
}

# deliver ARGUMENT...: the exit status, what is stored, and the lines of the
# notice that name the sender, or are of the text. doveconf reads the
# configuration, as the program would have its own do.
deliver() {
	rm -rf Mail notice
	status=0
	run "$root/usr/bin/doveconf" -c "$home/conf" -m lda -e \
		"$dovecot/dovecot-lda" "$@" || status=$?
	[ -e notice ] || set -- none
	[ ! -e notice ] || set -- "to $(grep -c '^To: <jane@' notice), text \
$(grep -c yyyy notice || :)"
	echo "$status, $(find Mail/new -type f 2>/dev/null | wc -l) stored, notice: $1"
}

jane='Return-Path: <jane@example.org>\n'
seen "a message that fits" "0, 1 stored, notice: none" \
	"$(printf 'Subject: x\n\ny\n' | deliver)"
seen "over quota, without -e, from nobody" "0, 0 stored, notice: none" \
	"$(large '' | deliver)"
seen "over quota, without -e, from jane" "0, 0 stored, notice: to 1, text 0" \
	"$(large "$jane" | deliver)"
seen "over quota, with -e" "77, 0 stored, notice: none" \
	"$(large "$jane" | deliver -e)"
finish
