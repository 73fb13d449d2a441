package ftp

import (
	"strings"
	"testing"
)

// TestStalledDownloadsHoldNoGate: clients that take nothing keep nobody from
// encrypting, however many they are.
func TestStalledDownloadsHoldNoGate(t *testing.T) {
	b := newBench(t, nil)
	large := strings.Repeat("0123456789abcdef", 1<<20)
	b.file("large", large)
	b.file("small", "content")
	var stalled []*client
	for range cap(b.server.gate.slots) + 1 {
		c := b.loginTLS()
		conn := c.openNarrow()
		c.do("RETR large", "150")
		c.wrap(conn)
		stalled = append(stalled, c)
	}
	if content, reply := b.loginTLS().download("RETR small"); content != "content" {
		t.Errorf("%q, %s", content, reply)
	}
	for _, c := range stalled {
		c.do("ABOR", "426")
		c.expect("226")
	}
	if content, reply := b.loginTLS().download("RETR large"); content != large {
		t.Errorf("%d bytes, %s; want %d, the same", len(content), reply, len(large))
	}
}
