package proxy

import (
	"net/netip"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// trust tells whether a header is believed from an address, and whether there
// must be one. Of the networks that hold the address the smallest counts; named
// twice, the stricter mode does.
func trust(sources []config.ProxySource, from netip.Addr) (mode config.ProxyMode, trusted bool) {
	bits := -1
	for _, s := range sources {
		network, err := config.Network(s.CIDR)
		if err != nil || !network.Contains(from) { // validated before
			continue
		}
		if network.Bits() > bits || network.Bits() == bits && s.Mode == config.ProxyRequired {
			bits, mode = network.Bits(), s.Mode
		}
	}
	return mode, bits >= 0
}
