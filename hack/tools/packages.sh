#!/usr/bin/env bash
# packages.sh PROGRAM...: installs the Debian packages of those programs that
# are missing. Where all are there, nothing is asked of the network. "clients"
# stands for all FTP clients, with those that come from elsewhere; "curl-current"
# for a newer curl beside Debian's.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

declare -A package=([curl]=curl [lftp]=lftp [python3]=python3 [strace]=strace [openssl]=openssl [shellcheck]=shellcheck
	[ncftpput]=ncftp [tnftp]=tnftp [wget]=wget [rclone]=rclone [node]=nodejs [npm]=npm [javac]=default-jdk-headless
	[commons-net]=libcommons-net-java)

# there PROGRAM: is it installed?
there() {
	case $1 in
	commons-net) [[ -e /usr/share/java/commons-net.jar ]] ;;
	*) command -v "$1" >/dev/null ;;
	esac
}

programs() {
	local missing=() program
	for program in "$@"; do
		there "$program" || missing+=("${package[$program]:?unknown program $program}")
	done
	((${#missing[@]})) || return 0
	if ! command -v apt-get >/dev/null || ((EUID != 0)); then
		echo "Missing: ${missing[*]}. Install them, or run this as root on Debian." >&2
		exit 1
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -q
	apt-get install -y -q --no-install-recommends "${missing[@]}"
}

# basic_ftp puts the library of Node.js into bin/clients, at the version that
# hack/clients pins.
basic_ftp() {
	local into=bin/clients
	cmp -s hack/clients/package-lock.json "$into/installed" && return 0
	rm -rf "$into/installed" "$into/node_modules"
	mkdir -p "$into"
	cp hack/clients/package.json hack/clients/package-lock.json "$into"
	npm ci --prefix "$into" --ignore-scripts --no-audit --no-fund --silent
	cp hack/clients/package-lock.json "$into/installed"
}

# commons_net compiles the program that drives the library of Java.
commons_net() {
	local into=bin/clients/commons-net source=test/ftpclient/CommonsNet.java
	cmp -s "$source" "$into/CommonsNet.java" && return 0
	rm -rf "$into"
	mkdir -p "$into"
	javac -cp /usr/share/java/commons-net.jar -d "$into" "$source"
	cp "$source" "$into"
}

# curl_current puts a newer curl than that of Debian's release into bin/clients,
# from its backports, without a change to the machine's own packages.
curl_current() {
	local into=$PWD/bin/clients/curl-current
	[[ -x $into/curl ]] && return 0
	rm -rf "$into"
	mkdir -p "$into/apt/sources" "$into/apt/lists/partial" "$into/apt/cache/archives/partial" "$into/root"
	local release archive keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	apt-get update -q
	# shellcheck disable=SC2016 # apt-get's own words
	archive=$(apt-get indextargets --format '$(REPO_URI)' "Codename: $release" | head -n 1)
	echo "deb [signed-by=$keyring] $archive $release-backports main" >"$into/apt/sources/backports.list"
	local apt=(apt-get -q -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$into/apt/sources"
		-o "Dir::State::Lists=$into/apt/lists" -o "Dir::Cache=$into/apt/cache" -o APT::Sandbox::User=root)
	"${apt[@]}" update
	(cd "$into/apt" && "${apt[@]}" download curl libcurl4)
	local package
	for package in "$into"/apt/*.deb; do
		dpkg -x "$package" "$into/root"
	done
	rm -rf "$into/apt"
	printf '#!/bin/sh\nLD_LIBRARY_PATH=%q exec %q "$@"\n' "$(echo "$into"/root/usr/lib/*/)" "$into/root/usr/bin/curl" >"$into/curl.new"
	chmod +x "$into/curl.new"
	"$into/curl.new" --version
	mv "$into/curl.new" "$into/curl"
}

arguments=()
for argument in "$@"; do
	if [[ $argument == clients ]]; then
		arguments+=(curl lftp python3 ncftpput tnftp wget rclone node npm javac commons-net)
	elif [[ $argument == curl-current ]]; then
		arguments+=(curl) # for the libraries it needs
	else
		arguments+=("$argument")
	fi
done
programs "${arguments[@]}"
if [[ " $* " == *" curl-current "* ]]; then
	curl_current
fi
if [[ " $* " == *" clients "* ]]; then
	basic_ftp
	commons_net
fi
