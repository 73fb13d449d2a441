package ftp

import (
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestPassiveAddress: PASV tells the first address whose networks hold the
// client's. One that is hidden is in none, also where what is seen in its place
// is in one. That others have to wait for an address keeps nobody waiting who has
// one of its own.
func TestPassiveAddress(t *testing.T) {
	b := newBench(t, func(c *config.Config) { c.Passive.Ports = freePorts(t, 32) }) // each is named once
	ours := config.PassiveAddress{Address: "192.0.2.1", ClientCIDRs: []string{"127.0.0.0/8"}}
	others := config.PassiveAddress{Address: "192.0.2.2", ClientCIDRs: []string{"10.0.0.0/8"}}
	all := config.PassiveAddress{Address: "192.0.2.3"}
	seen, unseen := config.ClientAddressesPreserved, config.ClientAddressesHidden
	for name, tt := range map[string]struct {
		clients   config.ClientAddresses
		addresses []config.PassiveAddress
		pending   bool
		want      string
	}{
		"none is given":         {seen, nil, false, "227 Entering passive mode (127,0,0,1,"},
		"pending":               {seen, nil, true, "425 PASV can't be answered"},
		"for this client":       {seen, []config.PassiveAddress{others, ours, all}, false, "227 Entering passive mode (192,0,2,1,"},
		"for all":               {seen, []config.PassiveAddress{others, all, ours}, false, "227 Entering passive mode (192,0,2,3,"},
		"others have to wait":   {seen, []config.PassiveAddress{ours}, true, "227 Entering passive mode (192,0,2,1,"},
		"this one has to wait":  {seen, []config.PassiveAddress{others}, true, "425 PASV can't be answered"},
		"hidden":                {unseen, []config.PassiveAddress{ours, all}, false, "227 Entering passive mode (192,0,2,3,"},
		"hidden, has to wait":   {unseen, []config.PassiveAddress{ours}, true, "425 PASV can't be answered"},
		"hidden, none is given": {unseen, nil, false, "227 Entering passive mode (127,0,0,1,"},
	} {
		t.Run(name, func(t *testing.T) {
			b.reload(func(c *config.Config) {
				p := &c.Passive
				p.ClientAddresses, p.UnverifiedData, p.Addresses, p.AddressPending = tt.clients, config.UnverifiedDataAllow, tt.addresses, tt.pending
			})
			c := b.login()
			c.do("PASV", tt.want)
			c.do("QUIT", "221")
		})
	}
}
