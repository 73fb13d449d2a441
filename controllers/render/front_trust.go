package render

import (
	"net/netip"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// frontSources has the servers believe the front's pods, and nobody else of their
// network. Every connection of the front begins with a header of its own, so that
// none of a client's is believed. Data connections do not come by way of the front:
// they come from the client, or from a load balancer that announces them as it does
// control connections to the front. A client that comes past such a balancer is told
// as nobody, and is one whose address is hidden.
func frontSources(in Input) []config.ProxySource {
	source := config.ProxySource{Mode: config.ProxyRequired}
	if in.Server.Spec.Service.ProxyProtocol == nil {
		source.Data = config.ProxyDataDirect
	}
	var out []config.ProxySource
	for _, a := range in.FrontAddresses {
		source.CIDR = netip.PrefixFrom(a, a.BitLen()).String()
		out = append(out, source)
	}
	return out
}
