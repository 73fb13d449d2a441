# shellcheck shell=bash
# The programs that come from the distribution.

cni_plugins=/usr/lib/cni
[[ -d /opt/cni/bin ]] && cni_plugins=/opt/cni/bin

# install_packages adds what is missing. It asks for programs, not for packages:
# a machine that got its containerd elsewhere keeps it.
install_packages() {
	local missing=() pair
	for pair in containerd:containerd ctr:containerd runc:runc nft:nftables iptables:iptables \
		conntrack:conntrack ip:iproute2 nsenter:util-linux flock:util-linux pgrep:procps; do
		command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
	done
	[[ -x $cni_plugins/ptp && -x $cni_plugins/host-local ]] || missing+=(containernetworking-plugins)
	((${#missing[@]})) || return 0
	command -v apt-get >/dev/null || fail "please install: ${missing[*]}"
	say "installing ${missing[*]}"
	local install=(apt-get install -qq -y --no-install-recommends "${missing[@]}")
	export DEBIAN_FRONTEND=noninteractive
	# The package lists are fetched only if the ones at hand don't do.
	"${install[@]}" >&2 </dev/null || { apt-get update -qq >&2 && "${install[@]}" >&2 </dev/null; }
}
