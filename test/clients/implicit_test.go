//go:build implicit

package clients

import (
	"fmt"
	"os"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// TestImplicitClients: every client that knows implicit FTPS, over both versions
// of TLS, sends and fetches on the port that speaks TLS from the first byte.
func TestImplicitClients(t *testing.T) {
	t.Parallel()
	port := freePorts(t, 1)[0].Listen
	s := newServer(t, config.TLSRequired, func(c *config.Config) {
		c.TLS.Implicit.Listen = fmt.Sprintf("127.0.0.1:%d", port)
	})
	must(t, os.MkdirAll(s.home("alice"), 0o755))
	s.start()
	for _, client := range everyClient() {
		for _, version := range []ftpclient.TLS{ftpclient.TLS12, ftpclient.TLS13} {
			target := s.target()
			target.Port, target.TLS, target.Implicit, target.Mode = port, version, true, ftpclient.Default
			c := ftpclient.Connection{Client: client, Target: target}
			up := ftpclient.Operation{Kind: ftpclient.Upload, Local: randomFile(t, 1<<20), Remote: "/file-" + client.Name()}
			down := ftpclient.Operation{Kind: ftpclient.Download, Local: up.Local + ".back", Remote: up.Remote}
			if client.Can(target, down) != nil {
				continue
			}
			t.Run(client.Name()+"-"+string(version), func(t *testing.T) {
				if client.Can(target, up) == nil {
					must(t, c.Upload(soon(t), up.Local, up.Remote))
					sameContent(t, s.home("alice", up.Remote), up.Local)
				} else {
					data, err := os.ReadFile(up.Local)
					must(t, err)
					must(t, os.WriteFile(s.home("alice", up.Remote), data, 0o644))
				}
				must(t, c.Download(soon(t), down.Remote, down.Local))
				sameContent(t, down.Local, up.Local)
			})
		}
	}
}
