package tlsconf

import (
	"crypto/tls"
	"net"
	"testing"
)

// BenchmarkHandshake is what a key exchange costs, both ends together.
func BenchmarkHandshake(b *testing.B) {
	cert := issue(b, nil, nil, "a.example.com")
	for _, resumed := range []bool{false, true} {
		for _, curve := range []tls.CurveID{tls.X25519, tls.CurveP256, tls.X25519MLKEM768} {
			name := map[bool]string{false: "full/", true: "resumed/"}[resumed] + curve.String()
			b.Run(name, func(b *testing.B) {
				s := serve(b, "1.2", map[string]issued{"a": cert}, "a")
				client := &tls.Config{ServerName: "a.example.com", RootCAs: trusting(cert), CurvePreferences: []tls.CurveID{curve}}
				if resumed {
					client.ClientSessionCache = tls.NewLRUClientSessionCache(4)
				}
				for b.Loop() {
					shakeHands(b, s.config, client)
				}
			})
		}
	}
}

func shakeHands(b *testing.B, server, client *tls.Config) {
	near, far := net.Pipe()
	go func() {
		conn := tls.Server(far, server)
		_, _ = conn.Write([]byte("x"))
		_ = far.Close()
	}()
	conn := tls.Client(near, client)
	if n, err := conn.Read(make([]byte, 1)); n != 1 {
		b.Fatal(err)
	}
	_ = near.Close()
}
