#!/usr/bin/env bash
# packages.sh PROGRAM...: installs the Debian packages of those programs that
# are missing. Where all are there, nothing is asked of the network.
set -euo pipefail

declare -A package=([curl]=curl [lftp]=lftp [python3]=python3 [strace]=strace [openssl]=openssl [shellcheck]=shellcheck)
missing=()
for program in "$@"; do
	command -v "$program" >/dev/null || missing+=("${package[$program]:?unknown program $program}")
done
((${#missing[@]})) || exit 0
if ! command -v apt-get >/dev/null || ((EUID != 0)); then
	echo "Missing: ${missing[*]}. Install them, or run this as root on Debian." >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -y -q --no-install-recommends "${missing[@]}"
