# SPDX-License-Identifier: GPL-3.0-or-later
# Completion for postrider(1) in bash.

# The names under "accounts:" in the first configuration that is there.
_postrider_accounts() {
	local file
	for file in "$1" "${XDG_CONFIG_HOME:-$HOME/.config}/postrider/config.yaml" \
		/etc/postrider/config.yaml; do
		[[ -n $file && -r $file ]] || continue
		awk '/^[^ #]/ { inside = /^accounts:/; depth = 0 }
			inside && match($0, /^ +/) {
				if (depth == 0)
					depth = RLENGTH
				if (RLENGTH == depth && sub(/: *(#.*)?$/, ""))
					print substr($0, depth + 1)
			}' "$file"
		return
	done
}

_postrider() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local config='' command='' own='' i
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--control) ((i++)) ;;
		-c | --config) ((i++)); config=${COMP_WORDS[i]/#\~/$HOME} ;;
		-*) ;;
		*) command=${COMP_WORDS[i]}; break ;;
		esac
	done
	if [[ $before == @(-c|--config|--control) ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		compopt -o filenames 2>/dev/null
	elif [[ $word == -* ]]; then
		case $command in
		fetch) own="--if-older --baseline --accept-new-state" ;;
		check) own="--state" ;;
		import) own="--write" ;;
		status) own="--json --metrics --control" ;;
		daemon | poll | pause | resume | reload | stop) own="--control" ;;
		esac
		mapfile -t COMPREPLY < <(compgen -W "$own -c --config -v --verbose
			-q --quiet --trace -h --help --version" -- "$word")
	elif [[ -z $command ]]; then
		mapfile -t COMPREPLY < <(compgen -W "fetch daemon check probe talk status
			import poll pause resume reload stop" -- "$word")
	elif [[ $command == @(fetch|status|poll|pause|resume) \
		|| $before == @(probe|talk) ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_postrider_accounts "$config")" \
			-- "$word")
	elif [[ $before == import || $before == --write ]]; then
		mapfile -t COMPREPLY < <(compgen -W "fetchmail mpop getmail fdm" -- "$word")
	elif [[ $command == talk ]]; then
		mapfile -t COMPREPLY < <(compgen -W "STAT LIST UIDL RETR TOP DELE
			RSET NOOP LAST CAPA QUIT" -- "$word")
	fi
}

complete -F _postrider postrider
