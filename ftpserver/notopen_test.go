package main

import (
	"fmt"
	"net"
	"slices"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestPortsAreTriedAgain: what a new configuration has and somebody else has open is
// told in the status until it is free, and then opened.
func TestPortsAreTriedAgain(t *testing.T) {
	p := newTestProcess(t, func(*config.Config) {})
	taken := func() (net.Listener, int) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return l, l.Addr().(*net.TCPAddr).Port
	}
	passiveTaken, number := taken()
	controlTaken, other := taken()
	implicit := fmt.Sprint("127.0.0.1:", other)
	if p.broker.SetPorts([]config.PassivePort{{Listen: number, Announce: number}}) == nil || p.implicit.follow(implicit) == nil {
		t.Fatal("ports were opened that somebody has")
	}
	told := func(want ...string) {
		t.Helper()
		p.retry()
		if got := p.status(false).NotOpen; !slices.Equal(got, want) {
			t.Errorf("not open: %q, want %q", got, want)
		}
	}
	told("implicit TLS "+implicit, fmt.Sprint("passive ", number))
	_ = passiveTaken.Close()
	told("implicit TLS " + implicit)
	_ = controlTaken.Close()
	told()
	if p.broker.Ports() != 1 || !accepting(t, implicit) {
		t.Error("they are not told any more, and not open")
	}
}
