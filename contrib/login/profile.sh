# SPDX-License-Identifier: GPL-3.0-or-later
# Fetches mail when you log in, for ~/.profile, ~/.bash_profile or ~/.zprofile:
#
#	. ~/.config/postrider/profile.sh
#
# Only for a person at a terminal, and not if all mail was fetched in the last
# ten minutes. The prompt does not wait: a line tells later if mail came. For a
# prompt that does wait take away the brackets and the &.
if [ -t 1 ]; then
	(postrider fetch --if-older 10m --quiet &)
fi
