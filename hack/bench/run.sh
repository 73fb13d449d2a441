#!/usr/bin/env bash
# run.sh [FLAGS]: fetches and builds the servers of the benchmark and compares
# them. Root on Debian. FLAGS are those of bench (-quick, -rounds, -rows, ...).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# The packages conflict with each other, and some listen as soon as they are
# installed: they are only unpacked, beside the system.
packages=(
	vsftpd=3.0.3-13+b2 proftpd-core=1.3.8+dfsg-4+deb12u5 proftpd-mod-crypto=1.3.8+dfsg-4+deb12u5
	pure-ftpd=1.0.50-2.1+b2 python3-pyftpdlib=1.5.7-3
	libwrap0 libhiredis0.14 libhashkit2 libmemcached11 libmemcachedutil2 libpcre2-posix3
)
# What these need of the system.
system=(python3 python3-openssl libpam-modules libsodium23)

cache=${XDG_CACHE_HOME:-$HOME/.cache}/ftp-operator/bench
dir=bin/bench

if ((EUID != 0)); then
	echo "This needs root, for network namespaces and pinning." >&2
	exit 1
fi

# fetch unpacks the packages, once for each list of them.
fetch() {
	local list=$cache/packages.list
	if [[ -f $list ]] && [[ $(<"$list") == "${packages[*]}" ]]; then
		return
	fi
	rm -rf "$cache/packages" "$cache/debs"
	mkdir -p "$cache/packages" "$cache/debs"
	apt-get update -q
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${system[@]}"
	# As root, apt says that its unprivileged user can't write here; it does it itself.
	(cd "$cache/debs" && apt-get download -q "${packages[@]}")
	local deb
	for deb in "$cache"/debs/*.deb; do
		dpkg -x "$deb" "$cache/packages"
	done
	echo "${packages[*]}" >"$list"
}

build() {
	mkdir -p "$dir"
	# As it is shipped, apart from symbols, which profiles need.
	CGO_ENABLED=0 go build -trimpath -o "$dir/ftpserver" ./ftpserver
	local absolute=$PWD/$dir
	(cd hack/bench && CGO_ENABLED=0 GOWORK=off go build -trimpath -o "$absolute/bench" . &&
		CGO_ENABLED=0 GOWORK=off go build -trimpath -o "$absolute/peer" ./peer)
}

fetch >&2
build
exec unshare --mount --propagation private "$dir/bench" compare -dir "$dir" -packages "$cache/packages/usr" -disk "$cache/disk" "$@"
