# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Installs the Debian packages of a list, for tests/run.sh and config/demo.sh.

is_installed() {
	[ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null)" = 'ii ' ]
}

# need_packages YES LIST...: returns when all packages named in the files LIST are there.  Asks
# before it installs, unless YES is set or there is no terminal.
need_packages() {
	local yes=$1 name missing=()

	shift
	if ! command -v apt-get >/dev/null; then
		echo "this is not a Debian system: what is needed stands in $*" >&2
		return
	fi
	while read -r name; do
		is_installed "$name" || missing+=("$name")
	done < <(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$@" | sort -u)
	[ ${#missing[@]} -gt 0 ] || return 0

	if [ "$(id -u)" != 0 ]; then
		echo "some Debian packages are missing.  Run this as root or with sudo, or type" >&2
		echo "    sudo apt-get install --no-install-recommends ${missing[*]}" >&2
		exit 1
	fi
	echo "to be installed: ${missing[*]}"
	if [ -z "$yes" ] && [ -t 0 ]; then
		read -r -p "Install them with apt-get? [Y/n] " answer
		case $answer in
		'' | [Yy]*) ;;
		*) exit 1 ;;
		esac
	fi
	apt-get update -q
	DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
}
