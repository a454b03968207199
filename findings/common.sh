# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
#
# What the findings share, to be sourced. Each unpacks packages of Debian 12, of
# one version, into a folder of its own, runs them there without postrider, and
# compares what they do with what was seen when it was written. Nothing is
# installed, and nothing else is touched.
#
# Exit status: 0 it is as it was, 1 it has changed, 77 it cannot be looked at,
# as the system has no such packages.
set -eu
umask 022
LC_ALL=C
export LC_ALL

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
root=$work/root home=$work/home changed=0

# unpack NAME=VERSION...: into $root, without special rights.
unpack() {
	command -v apt-get >/dev/null || {
		echo "this needs apt-get"
		exit 77
	}
	mkdir "$work/packages" "$root" "$home"
	cd "$work/packages"
	apt-get -q download "$@" >"$work/log" 2>&1 || {
		cat "$work/log"
		echo "cannot be had here: $*"
		exit 77
	}
	for package in *.deb; do
		dpkg -x "$package" "$root"
	done
	chmod -R a-s "$root"
	libraries=$(find "$root" -name 'lib*.so*' -printf '%h\n' | sort -u \
		| tr '\n' ':')
	chmod 755 "$work"
	[ "$(id -u)" != 0 ] || chown -R nobody:nogroup "$home"
	cd "$home"
	printf 'version: %s\n' "$*"
}

# run PROGRAM ARGUMENT...: as an ordinary user. What it prints is not looked at.
run() {
	set -- env HOME="$home" LD_LIBRARY_PATH="$libraries" "$@"
	[ "$(id -u)" != 0 ] || set -- setpriv --reuid nobody --regid nogroup \
		--clear-groups "$@"
	"$@" >>"$work/log" 2>&1
}

# write FILE [MODE]: standard input, as that user's file.
write() {
	cat >"$1"
	chmod "${2:-600}" "$1"
	[ "$(id -u)" != 0 ] || chown nobody:nogroup "$1"
}

# seen WHAT AS_IT_WAS AS_IT_IS
seen() {
	if [ "$2" = "$3" ]; then
		printf 'seen: %s: %s\n' "$1" "$3"
	else
		printf 'CHANGED: %s: it was %s, it is %s\n' "$1" "$2" "$3"
		changed=1
	fi
}

finish() {
	[ "$changed" = 0 ] || cat "$work/log"
	exit "$changed"
}
