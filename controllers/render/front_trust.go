package render

import (
	"net/netip"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// frontSources has the servers believe the front's pods, and nobody else of their
// network. Data connections do not come by way of the front: they come from the
// client, or from a load balancer that announces them as it does control
// connections to the front. Of clients that come past such a balancer the front
// says nothing.
func frontSources(in Input) []config.ProxySource {
	source := config.ProxySource{Mode: config.ProxyRequired, Data: config.ProxyDataDirect}
	if in.Server.Spec.Service.ProxyProtocol != nil {
		source = config.ProxySource{Mode: config.ProxyOptional}
	}
	var out []config.ProxySource
	for _, a := range in.FrontAddresses {
		source.CIDR = netip.PrefixFrom(a, a.BitLen()).String()
		out = append(out, source)
	}
	return out
}
