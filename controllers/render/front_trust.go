package render

import (
	"net/netip"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// frontSources has the servers believe the front's pods, and nobody else of their
// network. Where the front has addresses from a load balancer, it sends no header
// for clients that come past that one.
func frontSources(in Input) []config.ProxySource {
	mode := config.ProxyRequired
	if in.Server.Spec.Service.ProxyProtocol != nil {
		mode = config.ProxyOptional
	}
	var out []config.ProxySource
	for _, a := range in.FrontAddresses {
		out = append(out, config.ProxySource{CIDR: netip.PrefixFrom(a, a.BitLen()).String(), Mode: mode})
	}
	return out
}
