package main

import (
	"errors"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// accepting is a listener's address, as long as a connection to it is taken.
func accepting(t *testing.T, address string) bool {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err == nil {
		_ = c.Close()
	}
	return err == nil
}

// The port comes, moves and goes; one that can't be opened leaves what there was,
// and is tried again; after the end there is none any more.
func TestImplicitPort(t *testing.T) {
	served := make(chan string, 10)
	p := &implicitPort{listen: listenControl, serve: func(l net.Listener) error {
		served <- l.Addr().String()
		for {
			c, err := l.Accept()
			if err != nil {
				return nil
			}
			_ = c.Close()
		}
	}}
	must := func(address string) {
		t.Helper()
		if err := p.follow(address); err != nil {
			t.Fatal(err)
		}
	}
	must("127.0.0.1:0")
	first := p.where()
	if len(served) != 0 {
		t.Error("it is served before the start")
	}
	p.start()
	if got := <-served; got != first {
		t.Errorf("serves %s, want %s", got, first)
	}
	must("127.0.0.1:0") // the same: nothing is to be done
	if p.where() != first {
		t.Error("the same address opened another port")
	}

	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	second := taken.Addr().String()
	if err := p.follow(second); err == nil || errors.Is(err, net.ErrClosed) {
		t.Fatalf("a port that is taken: %v", err)
	}
	if !accepting(t, first) || p.missing() != second {
		t.Errorf("a port that can't be opened took the one that there was along, or %q is missing", p.missing())
	}
	if err := p.retry(); err == nil {
		t.Error("it was opened, though it is taken")
	}
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.retry(); err != nil || p.missing() != "" {
		t.Errorf("once it is free: %v, %q is missing", err, p.missing())
	}
	if got := <-served; got != second || accepting(t, first) || !accepting(t, second) {
		t.Errorf("serves %s, want %s alone", got, second)
	}
	must("")
	if p.where() != "" || accepting(t, second) {
		t.Error("it did not go")
	}
	must(second)
	p.end()
	must(first)
	if accepting(t, first) || accepting(t, second) {
		t.Error("it is there after the end")
	}
}

// From one address to another of the same number the port that there was is in the
// way. Where the other can't be opened all the same, it comes back.
func TestImplicitPortMovesOnItsNumber(t *testing.T) {
	p := &implicitPort{listen: listenControl, serve: func(l net.Listener) error {
		for {
			c, err := l.Accept()
			if err != nil {
				return nil
			}
			_ = c.Close()
		}
	}}
	defer p.end()
	p.start()
	free, err := listenControl("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	first := free.Addr().String()
	_, number, _ := net.SplitHostPort(first)
	_ = free.Close()
	for _, address := range []string{first, "0.0.0.0:" + number, first} {
		if err := p.follow(address); err != nil || p.where() != address && p.where() != "[::]:"+number {
			t.Fatalf("to %s: %v; it is at %s", address, err, p.where())
		}
	}
	elsewhere := "198.51.100.1:" + number // no address of this machine
	if err := p.follow(elsewhere); err == nil || p.where() != first || !accepting(t, first) || p.missing() != elsewhere {
		t.Errorf("to an address of another machine: %v; it is at %q, %q is missing", err, p.where(), p.missing())
	}
}

// TestImplicitPortIsClosedSeldom: what somebody else has at another address of the same
// number does not have the port that there is closed at each retry. Once it is free, the
// port moves there.
func TestImplicitPortIsClosedSeldom(t *testing.T) {
	const first, foreign, all = "192.0.2.1:990", "192.0.2.2:990", "0.0.0.0:990"
	synctest.Test(t, func(t *testing.T) {
		taken, opened := addresses{foreign: true}, 0 // how often the first was
		p := &implicitPort{serve: func(net.Listener) error { return nil }, listen: func(address string) (net.Listener, error) {
			if address == first {
				opened++
			}
			return taken.listen(address)
		}}
		defer p.end()
		if err := p.follow(first); err != nil {
			t.Fatal(err)
		}
		for turn := range 3 {
			for range 5 {
				if p.follow(all) == nil || p.retry() == nil || p.missing() != all || !taken[first] {
					t.Fatalf("open are %v, though somebody has a part of %s", taken, all)
				}
			}
			if opened != 2+turn {
				t.Errorf("in turn %d, it was opened %d times", turn, opened)
			}
			time.Sleep(yieldInterval)
		}
		delete(taken, foreign)
		if err := p.retry(); err != nil || p.missing() != "" || !taken[all] {
			t.Errorf("once it is free: %v, %q is missing, open are %v", err, p.missing(), taken)
		}
	})
}

// addresses are those of one number that are listened on. 0.0.0.0 is all of them.
type addresses map[string]bool

func (a addresses) listen(address string) (net.Listener, error) {
	for other := range a {
		if other == address || strings.HasPrefix(other, "0.0.0.0:") || strings.HasPrefix(address, "0.0.0.0:") {
			return nil, syscall.EADDRINUSE
		}
	}
	a[address] = true
	return addressListener{close: sync.OnceFunc(func() { delete(a, address) })}, nil
}

type addressListener struct {
	net.Listener
	close func()
}

func (l addressListener) Close() error {
	l.close()
	return nil
}
