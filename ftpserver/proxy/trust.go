package proxy

import (
	"net/netip"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// Trusts tells whether a header is believed from an address.
func Trusts(c *config.Config, from netip.Addr) bool {
	_, trusted := trust(c.ProxyProtocol.Trusted, from)
	return trusted
}

// trust tells whether a header is believed from an address, and what else holds
// of it. Of the networks that hold the address the smallest counts; named twice,
// the stricter mode does.
func trust(sources []config.ProxySource, from netip.Addr) (of config.ProxySource, trusted bool) {
	bits := -1
	for _, s := range sources {
		network, err := config.Network(s.CIDR)
		if err != nil || !network.Contains(from) { // validated before
			continue
		}
		if network.Bits() > bits || network.Bits() == bits && s.Mode == config.ProxyRequired {
			bits, of = network.Bits(), s
		}
	}
	return of, bits >= 0
}
