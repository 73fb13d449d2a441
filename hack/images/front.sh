#!/usr/bin/env bash
# front.sh ARCH DIR: puts Debian's HAProxy into DIR, with the libraries that it
# needs and their licences, and nothing else: no shell, no package manager. Needs
# Debian's apt-get and Go. What was fetched is kept in the user's cache for a week, as
# libraries get updates too, and longer where nothing can be fetched, which is said.
#
# The version is one of Debian's release. Once an update of it is out, the archive has
# that one only: it is taken, and said, each time until it stands here and in the
# Dockerfile.
set -euo pipefail
shopt -s inherit_errexit

version=2.6.12-1+deb12u4
release=bookworm
# Those that the program is linked with, and what these are linked with; gcc-12-base
# has the licence of two.
libraries=(gcc-12-base libc6 libcrypt1 liblua5.3-0 libopentracing-c-wrapper0 libopentracing1 libstdc++6 libgcc-s1 libpcre2-8-0 libssl3
	libsystemd0 libcap2 libgcrypt20 libgpg-error0 liblzma5 liblz4-1 libzstd1)

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
arch=${1:?} out=${2:?}
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/ftp-operator/front/$version-$arch
days=7

fail() {
	echo "images: $*" >&2
	exit 1
}

# apt_ is apt-get for the architecture and the release, whatever the machine's own
# are. As root, it says that its unprivileged user can't write here.
apt_() {
	apt-get -q -o APT::Architecture="$arch" -o APT::Architectures="$arch" -o Dir::Etc::SourceList=/dev/null \
		-o Dir::Etc::SourceParts="$work/sources" -o Dir::State::Lists="$work/lists" -o Dir::State::Status="$work/status" \
		-o Dir::Cache="$work/cache" -o APT::Sandbox::User=root -o Acquire::Languages=none \
		-o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false "$@"
}

# fetch downloads the packages, unpacks them beside the system and puts what is needed
# into $out. It is kept where it is of the version.
fetch() {
	command -v apt-get >/dev/null || fail "the front's image is made of Debian's packages: build it on Debian, or with docker build --target front"
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	mkdir -p "$work"/{sources,lists/partial,cache/archives/partial,debs,root,files}
	: >"$work/status"
	local keyring=/usr/share/keyrings/debian-archive-keyring.gpg packages updates
	packages=$(archive debian)
	updates=$(archive debian-security)
	printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$packages" "$release" \
		"$keyring" "$updates" "$release-security" >"$work/sources/debian.list"
	apt_ -o APT::Update::Error-Mode=any update
	(cd "$work/debs" && apt_ download "${libraries[@]}" && { apt_ download "haproxy=$version" || newer; })
	local deb
	for deb in "$work"/debs/*.deb; do
		dpkg -x "$deb" "$work/root"
	done
	GOWORK=off go run "$here/closure.go" usr/sbin/haproxy "$work/root" "$work/files"
	licences
	copy "$work/files" "$out"
	if grep -qF "haproxy $version " "$work/packages"; then
		copy "$work/files" "$cache"
	fi
}

# archive NAME: where the machine has that archive of Debian's from.
archive() {
	local found
	# shellcheck disable=SC2016 # apt-get's own words
	found=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main')
	grep -m 1 -E "/$1/?\$" <<<"$found" || fail "apt-get has no source that ends in /$1: add that archive of Debian's"
}

# copy FROM TO: puts a directory in the place of another, which is never there in part.
copy() {
	mkdir -p "$(dirname "$2")"
	rm -rf "$2" "$2.new"
	cp -rT "$1" "$2.new"
	mv -T "$2.new" "$2"
}

# newer takes what has followed the version that is not to be had any more.
newer() {
	echo "images: warning: Debian has no haproxy $version any more: its update is taken" >&2
	apt_ download haproxy
}

# licences keeps what the packages ask to be kept with them, and says which they are.
licences() {
	local deb name
	for deb in "$work"/debs/*.deb; do
		name=$(dpkg-deb --field "$deb" Package)
		# shellcheck disable=SC2016 # dpkg-deb's own words
		dpkg-deb --show --showformat '${Package} ${Version} ${Architecture}\n' "$deb"
		install -D -m 644 "$work/root/usr/share/doc/$name/copyright" "$work/files/usr/share/doc/$name/copyright"
	done >"$work/packages"
	install -D -m 644 "$work/packages" "$work/files/usr/share/doc/packages"
}

kept=$cache/usr/share/doc/packages
mkdir -p "$(dirname "$cache")"
exec {lock}>"$cache.lock"
flock "$lock"
if [[ -n $(find "$kept" -mtime "-$days" 2>/dev/null) ]]; then
	copy "$cache" "$out"
	exit
fi
# Not behind ||, where errors would not end it.
set +e
(
	set -e
	fetch >&2
)
status=$?
set -e
((status == 0)) && exit
[[ -e $kept ]] || fail "the packages of the front's image could not be fetched"
echo "images: warning: no updates could be fetched: the front's image is made of packages of $(date -r "$kept" +%F)" >&2
copy "$cache" "$out"
